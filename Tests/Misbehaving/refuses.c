// An extension that does not want to run here.
// SPDX-License-Identifier: Apache-2.0
#include <httpext.h>

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    (void)version;
    SetLastError(5);
    return FALSE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    return HSE_STATUS_ERROR;
}
