// A library that takes its process along while it is loaded.
// SPDX-License-Identifier: Apache-2.0
#include <httpext.h>

#include <signal.h>

__attribute__((constructor)) static void die(void) { raise(SIGSEGV); }

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    (void)version;
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    return HSE_STATUS_ERROR;
}
