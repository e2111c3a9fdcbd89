// X7: a thread of its own ends the process.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void *later(void *argument) {
    usleep(50000);
    exit(5);
    return argument;
}

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    pthread_t thread;
    pthread_create(&thread, NULL, later, NULL);
    pthread_detach(thread);
}
