// Preloaded into a server: counts its allocations and the bytes they hold, in a file others can read.
// SPDX-License-Identifier: Apache-2.0
//
// The file COUNT_MALLOC_FOLDER/<pid> holds three 64-bit numbers: allocations so far, releases so far,
// bytes in use now (malloc_usable_size). The supervisor gives its children an environment from zero; so that
// the host counts too, execve adds the two variables when it starts `mortise host`.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct counters {
    _Atomic unsigned long allocations, releases;
    _Atomic long bytes;
};

static struct counters unmapped;
static struct counters *counters = &unmapped;

// glibc's own functions under the names it keeps for this purpose.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void *counted(void *block) {
    if (block) {
        atomic_fetch_add_explicit(&counters->allocations, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&counters->bytes, (long)malloc_usable_size(block), memory_order_relaxed);
    }
    return block;
}

static void uncount(void *block) {
    if (block) {
        atomic_fetch_add_explicit(&counters->releases, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&counters->bytes, (long)malloc_usable_size(block), memory_order_relaxed);
    }
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }

void *realloc(void *block, size_t size) {
    uncount(block);
    void *grown = __libc_realloc(block, size);
    return counted(grown ? grown : size ? block : NULL), grown;
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *found = counted(__libc_memalign(alignment, size));
    if (!found)
        return ENOMEM;
    *block = found;
    return 0;
}

void free(void *block) {
    uncount(block);
    __libc_free(block);
}

__attribute__((constructor)) static void begin(void) {
    char path[4096];
    const char *folder = getenv("COUNT_MALLOC_FOLDER");
    if (!folder)
        return;
    snprintf(path, sizeof path, "%s/%d", folder, (int)getpid());
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *counters) != 0)
        return;
    void *shared = mmap(NULL, sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED)
        counters = shared;
}

// The new process shares this memory until it has executed, and its parent waits: man 2 clone, CLONE_VFORK.
int execve(const char *program, char *const arguments[], char *const environment[]) {
    static char folder[4200], preload[4200];
    static char *extended[512];
    static int (*next)(const char *, char *const[], char *const[]);
    if (!next)
        next = (int (*)(const char *, char *const[], char *const[]))dlsym(RTLD_NEXT, "execve");
    if (!getenv("COUNT_MALLOC_FOLDER") || !arguments[0] || !arguments[1] || strcmp(arguments[1], "host") != 0)
        return next(program, arguments, environment);
    size_t count = 0;
    while (environment[count] && count < 500) {
        extended[count] = environment[count];
        count++;
    }
    snprintf(folder, sizeof folder, "COUNT_MALLOC_FOLDER=%s", getenv("COUNT_MALLOC_FOLDER"));
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
    extended[count] = folder;
    extended[count + 1] = preload;
    extended[count + 2] = NULL;
    return next(program, arguments, extended);
}
