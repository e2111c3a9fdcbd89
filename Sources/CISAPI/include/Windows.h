// Another spelling of windows.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "windows.h"
