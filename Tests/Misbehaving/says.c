// An extension that passes on what the request's body says: status line, head, and body of its response.
// SPDX-License-Identifier: Apache-2.0
//
// The request's body: the status line, LF, the header block, one NUL, the response's body. The method
// of sending is the query string: "ex" (SEND_RESPONSE_HEADER_EX), "plain" (SEND_RESPONSE_HEADER),
// "raw" (WriteClient of everything as it is).
#include <httpext.h>
#include <string.h>

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "Says what it is told");
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    static __thread char text[32768];
    DWORD count = ecb->cbAvailable < sizeof text - 1 ? ecb->cbAvailable : sizeof text - 1;
    memcpy(text, ecb->lpbData, count);
    text[count] = 0;
    if (strcmp(ecb->lpszQueryString, "raw") == 0) {
        ecb->WriteClient(ecb->ConnID, text, &count, HSE_IO_SYNC);
        return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
    }
    char *head = strchr(text, '\n');
    if (!head)
        return HSE_STATUS_ERROR;
    *head++ = 0;
    char *body = head + strlen(head) + 1;
    DWORD size = body < text + count ? (DWORD)(text + count - body) : 0;
    BOOL sent;
    if (strcmp(ecb->lpszQueryString, "ex") == 0) {
        HSE_SEND_HEADER_EX_INFO info = {text, head, (DWORD)strlen(text), (DWORD)strlen(head), TRUE};
        sent = ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &info, NULL, NULL);
    } else {
        DWORD length = (DWORD)strlen(text);
        sent = ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER, text, &length, (LPDWORD)head);
    }
    if (!sent)
        return HSE_STATUS_ERROR;
    if (size > 0)
        ecb->WriteClient(ecb->ConnID, body, &size, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS_AND_KEEP_CONN;
}
