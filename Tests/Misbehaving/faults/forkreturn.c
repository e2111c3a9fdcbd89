// X18: makes a copy of its process, which goes back into the server.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    pid_t child = fork();
    if (child == 0) {
        return;
    }
}
