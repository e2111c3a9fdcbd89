// X1: reads behind the end of a mapped file.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "fault.h"

#include <sys/mman.h>

static void fault(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    int file = memfd_create("empty", MFD_CLOEXEC);
    volatile char *bytes = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    (void)bytes[0];
}
