// X10: opens 500 files and closes none.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <fcntl.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    for (int i = 0; i < 500; i++) (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
}
