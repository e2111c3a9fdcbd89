// The smallest useful extension, and a template: it answers "Hello, world".
// SPDX-License-Identifier: Apache-2.0
//
//     cc -shared -fPIC -I Sources/CISAPI/include hello.c -o libhello.so
//
// An extension is a shared object with two functions that the server looks up by name. httpext.h says
// who owns what, and for how long.
#include <httpext.h>
#include <string.h>

// Called once, right after loading. Return FALSE when the extension cannot work here.
BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy_s(version->lpszExtensionDesc, sizeof version->lpszExtensionDesc, "Hello: the smallest extension");
    return TRUE;
}

// Optional: says that HttpExtensionProc may run on many threads at once, so the server calls it on its own
// threads. Leave it out when you are not sure: the extension then runs in processes of its own, one
// request at a time.
DWORD WINAPI GetExtensionThreadSafety(void) { return HSE_THREAD_SAFE; }

// Sends status and header lines. The server adds Date and Server, and closes or keeps the connection.
static BOOL send_head(EXTENSION_CONTROL_BLOCK *ecb, const char *status, const char *header) {
    HSE_SEND_HEADER_EX_INFO head;
    memset(&head, 0, sizeof head);
    head.pszStatus = status;
    head.cchStatus = (DWORD)strlen(status);
    head.pszHeader = header;
    head.cchHeader = (DWORD)strlen(header);
    head.fKeepConn = TRUE;
    return ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL);
}

// Sends body bytes.
static BOOL send_body(EXTENSION_CONTROL_BLOCK *ecb, const char *bytes, size_t length) {
    DWORD count = (DWORD)length;
    return ecb->WriteClient(ecb->ConnID, (LPVOID)bytes, &count, HSE_IO_SYNC);
}

// Called for each request.
DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    static const char body[] = "Hello, world\n";
    // Content-Length is 13, the length of `body`. Without it the server frames the body itself.
    if (!send_head(ecb, "200 OK", "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\n"))
        return HSE_STATUS_ERROR;
    if (!send_body(ecb, body, sizeof body - 1)) return HSE_STATUS_ERROR;
    return HSE_STATUS_SUCCESS;
}

// Optional: called once before the process leaves. Nothing to give back here.
BOOL WINAPI TerminateExtension(DWORD flags) {
    (void)flags;
    return TRUE;
}
