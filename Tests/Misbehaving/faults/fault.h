// An extension that answers "fine", and misbehaves when the query says so: each file beside this one is a fault.
// SPDX-License-Identifier: Apache-2.0
#include <httpext.h>

#include <string.h>

/// What goes wrong. It may return.
static void fault(EXTENSION_CONTROL_BLOCK *ecb);

#ifdef __cplusplus
extern "C" {
#endif

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "a fault");
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    if (strcmp(ecb->lpszQueryString, "now") == 0) fault(ecb);
    char text[] = "fine";
    DWORD size = 4;
    ecb->WriteClient(ecb->ConnID, text, &size, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}

#ifdef __cplusplus
}
#endif
