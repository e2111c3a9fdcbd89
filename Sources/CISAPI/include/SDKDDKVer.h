// Windows versions to compile for; here there is one.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "windef.h"
