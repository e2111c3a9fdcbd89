// X1: divides by nothing.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

static volatile int zero;

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    zero = 100 / zero;
}
