// What ISAPI sources need of it is in windef.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "windef.h"
