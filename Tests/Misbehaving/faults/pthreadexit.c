// X6: ends its thread.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <pthread.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    pthread_exit(NULL);
}
