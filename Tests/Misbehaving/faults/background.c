// X2: a thread of its own writes where nothing is, when the call has long returned.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <pthread.h>
#include <unistd.h>

static int *volatile nowhere;

static void *later(void *argument) {
    usleep(50000);
    *nowhere = 1;
    return argument;
}

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    pthread_t thread;
    pthread_create(&thread, NULL, later, NULL);
    pthread_detach(thread);
}
