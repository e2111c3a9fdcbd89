// X8: waits for a lock that it has itself.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&lock);
}
