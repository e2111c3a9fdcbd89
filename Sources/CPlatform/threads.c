// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatform.h"

#include <linux/sockios.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

static _Thread_local void *thread_object;

void *cplatform_thread_object(void) { return thread_object; }
void cplatform_set_thread_object(void *object) { thread_object = object; }

int cplatform_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int cplatform_undelivered(int socket) {
    int count = 0;
    return ioctl(socket, SIOCOUTQ, &count) == 0 ? count : -1;
}

void cplatform_yield(void) { sched_yield(); }
