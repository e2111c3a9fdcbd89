// An extension for hostile clients: answers of any size, and calls that never come back.
// SPDX-License-Identifier: Apache-2.0
//
//   size=BYTES   an answer of that length, in pieces of 64 KiB
//   forever      for (;;)
#include <httpext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "Large answers and endless calls");
    return TRUE;
}

DWORD WINAPI GetExtensionThreadSafety(void) { return HSE_THREAD_SAFE; }

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    static const char piece[65536];
    if (strcmp(ecb->lpszQueryString, "forever") == 0) {
        volatile unsigned long turns = 0;
        for (;;)
            turns++;
    }
    long left = strncmp(ecb->lpszQueryString, "size=", 5) == 0 ? atol(ecb->lpszQueryString + 5) : 0;
    char header[128];
    int length = snprintf(header, sizeof header, "Content-Type: text/plain\r\nContent-Length: %ld\r\n\r\n", left);
    HSE_SEND_HEADER_EX_INFO head = {"200 OK", header, 6, (DWORD)length, TRUE};
    if (!ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL))
        return HSE_STATUS_ERROR;
    while (left > 0) {
        DWORD size = left < (long)sizeof piece ? (DWORD)left : (DWORD)sizeof piece;
        if (!ecb->WriteClient(ecb->ConnID, (LPVOID)piece, &size, HSE_IO_SYNC))
            return HSE_STATUS_ERROR;
        left -= size;
    }
    return HSE_STATUS_SUCCESS;
}
