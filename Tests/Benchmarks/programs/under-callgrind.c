// Preloaded into a supervisor: its hosts are run by callgrind, which writes CALLGRIND_FOLDER/callgrind.<pid>.
// SPDX-License-Identifier: Apache-2.0
//
// The supervisor starts its own program by execve; here that becomes valgrind with the same program and
// arguments, when the first of these is "host".
//
// Valgrind 3.19 does not know openat2(2); in the host it becomes openat(2), which is enough for files that are
// no links.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// The new process shares this memory until it has executed, and its parent waits: man 2 clone, CLONE_VFORK.
int execve(const char *program, char *const arguments[], char *const environment[]) {
    static char output[4200], preload[4200], path[4096];
    static char *extended[256], *variables[256];
    static int (*next)(const char *, char *const[], char *const[]);
    if (!next)
        next = (int (*)(const char *, char *const[], char *const[]))dlsym(RTLD_NEXT, "execve");
    const char *folder = getenv("CALLGRIND_FOLDER");
    if (!folder || !arguments[0] || !arguments[1] || strcmp(arguments[1], "host") != 0)
        return next(program, arguments, environment);
    // "/proc/self/exe" would be valgrind itself once that runs.
    ssize_t length = readlink(program, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        program = path;
    }
    snprintf(output, sizeof output, "--callgrind-out-file=%s/callgrind.%%p", folder);
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
    size_t count = 0;
    extended[count++] = "valgrind";
    extended[count++] = "--tool=callgrind";
    extended[count++] = output;
    extended[count++] = (char *)program;
    for (size_t index = 1; arguments[index] && count < 250; index++)
        extended[count++] = arguments[index];
    extended[count] = NULL;
    size_t variable = 0;
    while (environment[variable] && variable < 250) {
        variables[variable] = environment[variable];
        variable++;
    }
    variables[variable] = preload;
    variables[variable + 1] = NULL;
    return next("/usr/bin/valgrind", extended, variables);
}

long syscall(long number, ...) {
    static long (*next)(long, ...);
    if (!next)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    long values[6];
    va_list list;
    va_start(list, number);
    for (int index = 0; index < 6; index++)
        values[index] = va_arg(list, long);
    va_end(list);
    if (number == SYS_openat2) {
        const struct open_how *how = (const struct open_how *)values[2];
        return openat((int)values[0], (const char *)values[1], (int)how->flags, (mode_t)how->mode);
    }
    return next(number, values[0], values[1], values[2], values[3], values[4], values[5]);
}
