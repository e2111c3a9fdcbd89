// Says that it is not well, a thousand times, and tries to forge a line of the log.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    char reason[] = "the cache is broken\nforged line";
    for (int i = 0; i < 1000; i++)
        ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_REPORT_UNHEALTHY, reason, NULL, NULL);
}
