// An extension whose calls are the request's body: each an operation, a length and so many bytes.
// SPDX-License-Identifier: Apache-2.0

#include <httpext.h>
#include <stdlib.h>
#include <string.h>

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "fuzz");
    return TRUE;
}

// Every buffer is exactly as large as it is said to be, so that AddressSanitizer sees one byte too many.
static void make(EXTENSION_CONTROL_BLOCK *ecb, unsigned operation, char *text, DWORD length) {
    DWORD size = length ? (unsigned char)text[0] * 3u : 0;
    DWORD whole = length;
    DWORD code = operation;
    char *room = malloc(size ? size : 1);
    char *second = memchr(text, '|', length);
    BOOL flag = FALSE;
    HSE_SEND_HEADER_EX_INFO head = {text, NULL, 0, 0, operation & 64 ? TRUE : FALSE};
    memset(room, 0x55, size ? size : 1);
    switch (operation % 14) {
    case 0: ecb->GetServerVariable(ecb->ConnID, text + (length != 0), room, &size); break;
    case 1: ecb->WriteClient(ecb->ConnID, text, &whole, HSE_IO_SYNC); break;
    case 2: ecb->ReadClient(ecb->ConnID, room, &size); break;
    case 3:
        if (second) *second++ = 0;
        ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER, text, NULL, (LPDWORD)second);
        break;
    case 4:
        if (second) {
            head.cchStatus = (DWORD)(second - text);
            head.pszHeader = second + 1;
            head.cchHeader = operation & 32 ? length - head.cchStatus - 1 : 0;
        }
        ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER_EX, &head, NULL, NULL);
        break;
    case 5:
        if (size <= length) size = length + 1;
        room = realloc(room, size);
        memcpy(room, text, length + 1);
        ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_MAP_URL_TO_PATH, room, &size, NULL);
        break;
    case 6: ecb->ServerSupportFunction(ecb->ConnID, HSE_APPEND_LOG_PARAMETER, text, NULL, NULL); break;
    case 7:
        ecb->ServerSupportFunction(
            ecb->ConnID, HSE_REQ_SEND_URL_REDIRECT_RESP, text, operation & 32 ? &whole : NULL, NULL);
        break;
    case 8: ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_IS_KEEP_CONN, &flag, NULL, NULL); break;
    case 9: ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_IS_CONNECTED, &flag, NULL, NULL); break;
    case 10:
        code = operation & 128 ? HSE_REQ_END_RESERVED + whole : whole;
        ecb->ServerSupportFunction(ecb->ConnID, code, NULL, NULL, NULL);
        break;
    case 11:
        ecb->dwHttpStatusCode = length > 1 ? (unsigned char)text[0] << 8 | (unsigned char)text[1] : 0;
        memset(ecb->lpszLogData, 'a', sizeof ecb->lpszLogData);
        memcpy(ecb->lpszLogData, text, length < sizeof ecb->lpszLogData ? length : sizeof ecb->lpszLogData);
        break;
    case 12: ecb->WriteClient((HCONN)((uintptr_t)ecb->ConnID ^ whole), text, &whole, operation); break;
    case 13:
        ecb->GetServerVariable(ecb->ConnID, "ALL_RAW", operation & 32 ? NULL : room, &size);
        ecb->GetServerVariable(ecb->ConnID, NULL, room, NULL);
        break;
    }
    free(room);
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    const unsigned char *next = ecb->lpbData;
    const unsigned char *end = next + ecb->cbAvailable;
    DWORD status = HSE_STATUS_SUCCESS;
    while (end - next >= 2) {
        unsigned operation = *next++;
        size_t length = *next++;
        if (operation == 255) {
            status = (DWORD)length;
            ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_DONE_WITH_SESSION, &status, NULL, NULL);
            break;
        }
        if (length > (size_t)(end - next)) length = (size_t)(end - next);
        char *text = malloc(length + 1);
        memcpy(text, next, length);
        text[length] = 0;
        make(ecb, operation, text, (DWORD)length);
        free(text);
        next += length;
    }
    return status == HSE_STATUS_PENDING ? HSE_STATUS_SUCCESS : status;
}
