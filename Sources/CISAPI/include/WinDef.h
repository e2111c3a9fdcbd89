// Another spelling of windef.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "windef.h"
