// X8: has said half of its answer, and says no more.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

#include <unistd.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    char head[] = "Content-Length: 100\r\n\r\n";
    HSE_SEND_HEADER_EX_INFO info = {"200 OK", head, 0, 0, TRUE};
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &info, NULL, NULL);
    char text[] = "half";
    DWORD size = 4;
    ecb->WriteClient(ecb->ConnID, text, &size, HSE_IO_SYNC);
    pause();
}
