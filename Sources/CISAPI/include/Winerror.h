// Another spelling of winerror.h.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "winerror.h"
