// X10: keeps 320 MiB for good.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <stdlib.h>

static char *volatile kept;

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    size_t size = (size_t)320 << 20;
    char *memory = malloc(size);
    if (memory) memset(memory, 1, size);
    kept = memory;
}
