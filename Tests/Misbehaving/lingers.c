// An extension that never comes back from TerminateExtension.
// SPDX-License-Identifier: Apache-2.0
#include <httpext.h>
#include <string.h>
#include <unistd.h>

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "Lingers");
    return TRUE;
}

DWORD WINAPI GetExtensionThreadSafety(void) { return HSE_THREAD_SAFE; }

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    return HSE_STATUS_ERROR;
}

BOOL WINAPI TerminateExtension(DWORD flags) {
    (void)flags;
    for (;;)
        pause();
}
