// X5: lets an exception out.
// SPDX-License-Identifier: Apache-2.0
#include "fault.h"

static void fault(EXTENSION_CONTROL_BLOCK *) { throw 7; }
