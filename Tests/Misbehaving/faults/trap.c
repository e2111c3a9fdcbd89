// X3: an assertion of the compiler's.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    __builtin_trap();
}
