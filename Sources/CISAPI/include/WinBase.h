// Another spelling of winbase.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "winbase.h"
