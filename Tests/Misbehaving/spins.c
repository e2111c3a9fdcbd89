// A library that never finishes loading.
// SPDX-License-Identifier: Apache-2.0
#include <httpext.h>

#include <unistd.h>

__attribute__((constructor)) static void spin(void) {
    for (;;) pause();
}

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    (void)version;
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    return HSE_STATUS_ERROR;
}
