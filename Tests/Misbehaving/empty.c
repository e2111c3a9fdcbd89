// A shared object that is no extension: none of the entry points.
// SPDX-License-Identifier: Apache-2.0
int nothing(void) { return 0; }
