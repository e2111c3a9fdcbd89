// X22: prints a hundred megabytes.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <stdio.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    char line[1000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = 0;
    for (int i = 0; i < 100000; i++) fprintf(stderr, "%s\n", line);
}
