// Does not come back from its start while its server's runtime folder has a file named "hold".
// SPDX-License-Identifier: Apache-2.0
#include <httpext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    const char *folder = getenv("MORTISE_RUNTIME_FOLDER");
    char path[512];
    snprintf(path, sizeof path, "%s/hold", folder != NULL ? folder : "/nowhere");
    while (access(path, F_OK) == 0) usleep(10000);
    return strcpy(version->lpszExtensionDesc, "Held") != NULL;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    (void)ecb;
    return HSE_STATUS_ERROR;
}
