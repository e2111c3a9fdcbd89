// X3: frees twice what it has allocated once.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <stdlib.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    void *volatile memory = malloc(100);
    free(memory);
    free(memory);
}
