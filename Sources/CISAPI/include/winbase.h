// The two Win32 calls every extension needs; the host process exports them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "windef.h"
#include "winerror.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The reason of the calling thread's last failed call: an ERROR_ number of winerror.h.
/// Any thread; each has its own. A call that succeeds leaves it as it was.
DWORD WINAPI GetLastError(void);

/// Sets what GetLastError gives on this thread, for the host to see too: in GetExtensionVersion it is the
/// reason why the extension cannot be used.
void WINAPI SetLastError(DWORD dwErrCode);

#ifdef __cplusplus
}
#endif
