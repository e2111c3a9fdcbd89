// Tolerated: what ISAPI sources need of it is in windows.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "windef.h"
