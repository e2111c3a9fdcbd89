// Takes twelve seconds for its answer.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <unistd.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    sleep(12);
}
