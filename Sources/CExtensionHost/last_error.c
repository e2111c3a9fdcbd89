// GetLastError and SetLastError: one number per thread, shared by host and extension.
// SPDX-License-Identifier: Apache-2.0
#include "CExtensionHost.h"

#include <winbase.h>

static _Thread_local DWORD last_error;

uint32_t cextension_last_error(void) { return last_error; }
void cextension_set_last_error(uint32_t code) { last_error = code; }

// The program exports both: an extension finds them when it is loaded.
__attribute__((visibility("default"), used)) DWORD WINAPI GetLastError(void) { return last_error; }

__attribute__((visibility("default"), used)) void WINAPI SetLastError(DWORD dwErrCode) {
    last_error = dwErrCode;
}
