// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/openat2.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

int cplatform_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int cplatform_epoll_wait_one(int epoll, int milliseconds, uint32_t *events, uint64_t *token) {
    struct epoll_event event;
    int count = epoll_wait(epoll, &event, 1, milliseconds);
    if (count == 1) {
        *events = event.events;
        *token = event.data.u64;
    }
    return count;
}

int cplatform_epoll_wait(int epoll, int milliseconds, void *room, int count) {
    enum { most = 16 };
    struct epoll_event events[most];
    uint64_t *words = room;
    int got = epoll_wait(epoll, events, count < most ? count : most, milliseconds);
    for (int i = 0; i < got; i++) {
        __atomic_store_n(&words[2 * i], events[i].data.u64, __ATOMIC_RELAXED);
        __atomic_store_n(&words[2 * i + 1], events[i].events, __ATOMIC_RELAXED);
    }
    return got;
}

int cplatform_enlarge_descriptors(int number) {
    int first = eventfd(0, EFD_CLOEXEC);
    if (first < 0) return -1;
    int high = fcntl(first, F_DUPFD_CLOEXEC, number), code = errno;
    close(first);
    if (high < 0) {
        errno = code;
        return -1;
    }
    return close(high);
}

int cplatform_set_nonblocking(int descriptor, int on) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(descriptor, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int cplatform_is_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : (flags & O_NONBLOCK) != 0;
}

int cplatform_set_close_on_exec(int descriptor, int on) {
    return fcntl(descriptor, F_SETFD, on ? FD_CLOEXEC : 0);
}

int cplatform_open_beneath(int directory, const char *path, int flags, int mode) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)flags,
        .mode = (uint64_t)(unsigned)mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int cplatform_open(const char *path, int flags, int mode) { return open(path, flags, mode); }

int cplatform_openat(int directory, const char *path, int flags, int mode) {
    return openat(directory, path, flags, mode);
}

int cplatform_memfd(const char *name, int may_be_sealed) {
    return memfd_create(name, MFD_CLOEXEC | (may_be_sealed ? MFD_ALLOW_SEALING : 0));
}

int cplatform_seal(int memfd) {
    return fcntl(memfd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

void cplatform_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

int cplatform_accept(int listener, void *address, uint32_t *length) {
    return accept4(listener, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int cplatform_socket_name(int socket, int peer, void *address, uint32_t *length) {
    return peer ? getpeername(socket, (struct sockaddr *)address, length)
                : getsockname(socket, (struct sockaddr *)address, length);
}

int cplatform_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int cplatform_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int cplatform_replace(int descriptor, int other) { return dup3(descriptor, other, O_CLOEXEC); }

int cplatform_processors(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int cplatform_thread(void) { return gettid(); }

void cplatform_print_by_lines(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
