// X1: writes where nothing is.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

static int *volatile nowhere;

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    *nowhere = 1;
}
