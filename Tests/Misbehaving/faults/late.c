// X8: comes back after two seconds, and then does as if nothing had happened.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <unistd.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    usleep(2000000);
}
