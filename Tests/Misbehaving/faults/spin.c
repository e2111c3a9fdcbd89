// X8: computes without end.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    for (volatile int i = 0;; i++) {
    }
}
