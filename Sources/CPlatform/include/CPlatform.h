// The kernel interfaces Platform needs and Swift cannot call: variadic calls, macros, raw system calls.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "CPlatformFaults.h"
#include "CPlatformProcess.h"

/// accept4(2), non-blocking and close-on-exec; the peer's address goes to `address` (a sockaddr_storage).
int cplatform_accept(int listener, void *address, uint32_t *length);

/// getsockname(2) or getpeername(2).
int cplatform_socket_name(int socket, int peer, void *address, uint32_t *length);

/// An unnamed epoll, close-on-exec.
int cplatform_epoll_create(void);

/// pipe2(2), close-on-exec.
int cplatform_pipe(int ends[2]);

/// epoll_ctl with a 64-bit token. `operation` is EPOLL_CTL_ADD, _MOD or _DEL. 0, or -1 with errno.
int cplatform_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token);

/// Waits for one event. 1 = an event, 0 = time out, -1 = errno (EINTR included).
int cplatform_epoll_wait_one(int epoll, int milliseconds, uint32_t *events, uint64_t *token);

/// Waits for up to 16 events; each goes to `room` as two words, the token and the events, stored whole.
/// How many, 0 = time out, -1 = errno (EINTR included).
int cplatform_epoll_wait(int epoll, int milliseconds, void *room, int count);

/// Opens and closes a descriptor of at least this number, which enlarges the process's table of descriptors.
int cplatform_enlarge_descriptors(int number);

/// What is printed to standard output is written at each end of a line (man 3 setvbuf).
void cplatform_print_by_lines(void);

/// fcntl(F_SETFL / F_SETFD) helpers, 0 or -1 with errno.
int cplatform_set_nonblocking(int descriptor, int on);
int cplatform_is_nonblocking(int descriptor);
int cplatform_set_close_on_exec(int descriptor, int on);

/// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS. A descriptor, or -1 with errno.
int cplatform_open_beneath(int directory, const char *path, int flags, int mode);

/// open(2) and openat(2) without variadics.
int cplatform_open(const char *path, int flags, int mode);
int cplatform_openat(int directory, const char *path, int flags, int mode);

/// memfd_create(2), close-on-exec. `may_be_sealed` 0: by nobody, whoever else has it.
int cplatform_memfd(const char *name, int may_be_sealed);

/// fcntl(F_ADD_SEALS) with all of them: such a file is what it is, for ever.
int cplatform_seal(int memfd);

/// One datagram with up to 64 descriptors (SCM_RIGHTS). Bytes sent, or -1 with errno.
ssize_t cplatform_send_message(int socket, const void *bytes, size_t length, const int *descriptors,
                               size_t count, int flags);

/// One datagram with its descriptors, close-on-exec. `*count` in: room, out: received.
/// Bytes received (0 = end), or -1 with errno. `*truncated` says what was cut.
enum { CPLATFORM_CUT_BYTES = 1, CPLATFORM_CUT_DESCRIPTORS = 2 };
ssize_t cplatform_receive_message(int socket, void *bytes, size_t room, int *descriptors,
                                  size_t *count, int *truncated, int flags);

/// Names the calling thread (15 bytes at most).
void cplatform_name_thread(const char *name);

/// dup3(2), close-on-exec: `descriptor`'s file also under the number `other`.
int cplatform_replace(int descriptor, int other);

/// How many processors the process may run on (sched_getaffinity(2)).
int cplatform_processors(void);

/// gettid(2).
int cplatform_thread(void);

/// A pointer of the calling thread's own; NULL until it is set.
void *cplatform_thread_object(void);
void cplatform_set_thread_object(void *object);

/// eventfd(2), close-on-exec and non-blocking. A descriptor, or -1 with errno.
int cplatform_eventfd(void);

/// ioctl(SIOCOUTQ): bytes that the peer has not taken, or -1 with errno.
int cplatform_undelivered(int socket);

/// sched_yield(2).
void cplatform_yield(void);

/// Sleeps while `*word` is `seen`, until a wake or the deadline: nanoseconds on the monotonic clock, at
/// least 0, INT64_MAX = none. 0 = the deadline has passed; 1 = anything else: look at the word again.
int cplatform_futex_wait(const uint32_t *word, uint32_t seen, int64_t deadline);

/// Wakes every thread of this process that sleeps on the word.
void cplatform_futex_wake_all(const uint32_t *word);
