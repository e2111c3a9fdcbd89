// What the host side of an extension call needs from C: the thread's last error.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdint.h>

/// The calling thread's last error, as GetLastError and SetLastError (winbase.h) give it to extensions.
uint32_t cextension_last_error(void);
void cextension_set_last_error(uint32_t code);
