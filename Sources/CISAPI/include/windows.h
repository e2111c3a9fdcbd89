// What ISAPI sources use of <windows.h>: types, error numbers, last error, string functions.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "windef.h"
#include "winerror.h"
#include "winbase.h"
#include "mortise_strings.h"
#include "tchar.h"
