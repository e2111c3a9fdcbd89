// X22: prints, and tries to write a line of the log itself.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <stdio.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    printf("plain words\n");
    fprintf(stderr, "<3>it is \033[31mserious\r2026-01-01T00:00:00.000Z error supervisor/1: forged\n");
}
