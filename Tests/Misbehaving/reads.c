// An extension that reads its body, or does not, and tells what it got.
// SPDX-License-Identifier: Apache-2.0
//
// The query string: "all" reads to the end, "exact" reads cbTotalBytes and no further, "pending" reads to
// the end on a thread of its own, "late" sends its head first, "refuse" reads nothing and answers 403,
// "tell" answers 200 and the last error when a read fails; the others end without an answer then. The
// answer: cbTotalBytes, cbAvailable, the bytes in all and their FNV-1a checksum.
#include <httpext.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "Tells what it has read");
    return TRUE;
}

static BOOL head(EXTENSION_CONTROL_BLOCK *ecb, const char *status, size_t length) {
    char lines[64] = "\r\n";
    if (length > 0)
        snprintf(lines, sizeof lines, "Content-Length: %zu\r\n\r\n", length);
    HSE_SEND_HEADER_EX_INFO info = {status, lines, (DWORD)strlen(status), (DWORD)strlen(lines), TRUE};
    return ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &info, NULL, NULL);
}

static DWORD say(EXTENSION_CONTROL_BLOCK *ecb, const char *text) {
    DWORD size = (DWORD)strlen(text);
    return ecb->WriteClient(ecb->ConnID, (LPVOID)text, &size, HSE_IO_SYNC) ? HSE_STATUS_SUCCESS : HSE_STATUS_ERROR;
}

static DWORD answer(EXTENSION_CONTROL_BLOCK *ecb, const char *status, const char *text) {
    return head(ecb, status, strlen(text)) ? say(ecb, text) : HSE_STATUS_ERROR;
}

static unsigned checksum(unsigned sum, const BYTE *bytes, DWORD count) {
    for (DWORD at = 0; at < count; at++)
        sum = (sum ^ bytes[at]) * 16777619u;
    return sum;
}

static DWORD read_and_tell(EXTENSION_CONTROL_BLOCK *ecb) {
    const char *query = ecb->lpszQueryString;
    BOOL is_exact = strcmp(query, "exact") == 0, is_late = strcmp(query, "late") == 0;
    unsigned sum = checksum(2166136261u, ecb->lpbData, ecb->cbAvailable);
    DWORD total = ecb->cbAvailable;
    BYTE buffer[5000];
    char text[80];
    if (is_late)
        head(ecb, "200 OK", 0);
    while (!is_exact || total < ecb->cbTotalBytes) {
        DWORD count = sizeof buffer;
        if (!ecb->ReadClient(ecb->ConnID, buffer, &count)) {
            snprintf(text, sizeof text, "error %u", GetLastError());
            return strcmp(query, "tell") == 0 ? answer(ecb, "200 OK", text) : HSE_STATUS_ERROR;
        }
        if (count == 0)
            break;
        sum = checksum(sum, buffer, count);
        total += count;
    }
    snprintf(text, sizeof text, "%x %u %u %08x", ecb->cbTotalBytes, ecb->cbAvailable, total, sum);
    return is_late ? say(ecb, text) : answer(ecb, "200 OK", text);
}

static void *own(void *block) {
    EXTENSION_CONTROL_BLOCK *ecb = block;
    DWORD status = read_and_tell(ecb);
    ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_DONE_WITH_SESSION, &status, NULL, NULL);
    return NULL;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    pthread_t thread;
    char text[40];
    if (strcmp(ecb->lpszQueryString, "refuse") == 0) {
        snprintf(text, sizeof text, "%x %u", ecb->cbTotalBytes, ecb->cbAvailable);
        return answer(ecb, "403 Forbidden", text);
    }
    if (strcmp(ecb->lpszQueryString, "pending") != 0)
        return read_and_tell(ecb);
    if (pthread_create(&thread, NULL, own, ecb) != 0)
        return HSE_STATUS_ERROR;
    pthread_detach(thread);
    return HSE_STATUS_PENDING;
}
