// X3: gives up.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <stdlib.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    abort();
}
