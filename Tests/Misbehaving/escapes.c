// An extension that tries to get out of its worker: each line says what, and whether it could.
// SPDX-License-Identifier: Apache-2.0
//
// The query: "secret" answers with the setting of that name; else supervisor,host,sibling (process numbers),file,socket,folder (paths).
#define _GNU_SOURCE
#include <httpext.h>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char said[4096];
static size_t length;

static void say(const char *what, int could) {
    length += (size_t)snprintf(said + length, sizeof said - length, "%s: %s\n", what, could ? "COULD" : "denied");
}

static int can_open(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC);
    if (file >= 0) close(file);
    return file >= 0;
}

static int can_list(const char *path) {
    DIR *folder = opendir(path);
    if (folder) closedir(folder);
    return folder != NULL;
}

static int can_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int could = connect(number, (struct sockaddr *)&address, sizeof address) == 0;
    close(number);
    return could;
}

static int can_trace(int pid) {
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) return 0;
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    return 1;
}

static void try_process(const char *name, int pid) {
    char what[64], path[64];
    snprintf(what, sizeof what, "kill %s", name);
    say(what, kill(pid, SIGKILL) == 0);
    snprintf(what, sizeof what, "trace %s", name);
    say(what, can_trace(pid));
    const char *files[] = {"fd", "environ", "mem"};
    for (int i = 0; i < 3; i++) {
        snprintf(what, sizeof what, "%s of %s", files[i], name);
        snprintf(path, sizeof path, "/proc/%d/%s", pid, files[i]);
        say(what, i == 0 ? can_list(path) : can_open(path, i == 2 ? O_RDWR : O_RDONLY));
    }
}

BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
    version->dwExtensionVersion = HSE_VERSION;
    strcpy(version->lpszExtensionDesc, "Tries to escape");
    return TRUE;
}

DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
    int supervisor, host, sibling;
    char file[256], socket[256], folder[256], path[300];
    length = 0;
    if (strcmp(ecb->lpszQueryString, "secret") == 0) {
        DWORD size = sizeof said;
        if (!ecb->GetServerVariable(ecb->ConnID, "SECRET", said, &size)) return HSE_STATUS_ERROR;
        // Its size counts the NUL.
        size -= 1;
        ecb->WriteClient(ecb->ConnID, said, &size, HSE_IO_SYNC);
        return HSE_STATUS_SUCCESS;
    }
    if (sscanf(ecb->lpszQueryString, "%d,%d,%d,%255[^,],%255[^,],%255[^,]", &supervisor, &host, &sibling, file,
               socket, folder) != 6) {
        return HSE_STATUS_ERROR;
    }
    gid_t group = 0;
    say("setuid", setuid(0) == 0);
    say("setgid", setgid(0) == 0);
    say("setgroups", setgroups(1, &group) == 0);
    say("mount", mount("none", "/mnt", "tmpfs", 0, NULL) == 0);
    say("read the file", can_open(file, O_RDONLY));
    say("connect", can_connect(socket));
    say("list the folder", can_list(folder));
    snprintf(path, sizeof path, "%s/new", folder);
    say("write into the folder", can_open(path, O_WRONLY | O_CREAT));
    snprintf(path, sizeof path, "%s/control", folder);
    say("connect to the supervisor", can_connect(path));
    try_process("supervisor", supervisor);
    try_process("host", host);
    try_process("sibling", sibling);
    DWORD size = (DWORD)length;
    ecb->WriteClient(ecb->ConnID, said, &size, HSE_IO_SYNC);
    return HSE_STATUS_SUCCESS;
}
