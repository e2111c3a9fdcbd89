// X4: calls itself without end.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

static int deeper(volatile int depth) {
    volatile char room[4096];
    room[0] = (char)depth;
    return depth ? deeper(depth + 1) + room[0] : 0;
}

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    deeper(1);
}
