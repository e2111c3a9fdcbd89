// A counter in a global variable: an extension that is not thread-safe, and does not say so.
// SPDX-License-Identifier: Apache-2.0
//
// Deliberately unprotected: its numbers tell whether the server keeps the promise of one call at a time in
// one process. `overlaps` counts the calls that began while another was running here; it has to stay 0
// wherever the configuration says `thread-safe: false`, or nothing.
#include <httpext.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile long count;
static volatile long overlaps;
static volatile int in_call;

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy_s(version->lpszExtensionDesc, sizeof version->lpszExtensionDesc,
             "Counter: state in a global variable, not thread-safe");
    return TRUE;
}

static BOOL answer(EXTENSION_CONTROL_BLOCK *ecb, const char *body, int length) {
    char header[128];
    sprintf_s(header, sizeof header,
              "Content-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\n\r\n",
              length);
    HSE_SEND_HEADER_EX_INFO head = {"200 OK", header, 6, (DWORD)strlen(header), TRUE};
    DWORD size = (DWORD)length;
    return ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL) &&
           ecb->WriteClient(ecb->ConnID, (LPVOID)body, &size, HSE_IO_SYNC);
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    if (in_call) overlaps = overlaps + 1;
    in_call = 1;
    // Read, be slow, write: two threads at once would lose a step.
    long next = count + 1;
    for (volatile int pause = 0; pause < 100; pause++) {}
    count = next;
    char body[128];
    int length = sprintf_s(body, sizeof body, "{\"count\": %ld, \"pid\": %d, \"overlaps\": %ld}\n", next,
                           (int)getpid(), overlaps);
    BOOL sent = answer(ecb, body, length);
    in_call = 0;
    return sent ? HSE_STATUS_SUCCESS : HSE_STATUS_ERROR;
}
