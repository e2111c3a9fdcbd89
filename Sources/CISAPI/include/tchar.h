// TCHAR is char here: the names of tchar.h for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mortise_strings.h"

#ifndef TEXT
#define TEXT(text) text
#endif
#ifndef _T
#define _T(text) text
#endif
#ifndef _TEXT
#define _TEXT(text) text
#endif

#define _tcslen strlen
#define _tcscpy strcpy
#define _tcscmp strcmp
#define _tcscat strcat
#define _tcsncpy strncpy
#define _tcsncmp strncmp
#define _tcsicmp strcasecmp
#define _tcschr strchr
#define _tcsrchr strrchr
#define _tcsstr strstr
#define _stprintf sprintf
