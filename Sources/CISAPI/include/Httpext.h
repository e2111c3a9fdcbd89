// Another spelling of httpext.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "httpext.h"
