// A new process without a copy of the old one's memory (man 2 clone).
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatformProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    stackSize = 32 * 1024,
    // Milliseconds that a child which is another user may take until it executes its program.
    patience = 1000,
};

// The soft limit on open files this process was started with; RLIM_INFINITY while it has not been raised.
static rlim_t first_open_files = RLIM_INFINITY;

int cplatform_raise_open_files(uint64_t most) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    rlim_t wanted = limit.rlim_max < most ? limit.rlim_max : most;
    if (wanted == limit.rlim_cur) return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    first_open_files = before;
    return 0;
}

uint64_t cplatform_open_files(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

// select(2) breaks in programs with descriptors beyond 1023: they get the limit they know.
static int restore_open_files(void) {
    if (first_open_files == RLIM_INFINITY) return 0;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
    limit.rlim_cur = first_open_files;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

// What went wrong before exec; no error = nothing.
struct failure {
    int error;
    int step;
};

struct child {
    const struct cplatform_start *start;
    uint64_t ignored;
    pid_t parent;
    // Written by the child, read by the parent: they share it.
    struct failure volatile *failure;
    // Closed by execve and by the child's end; -1: the parent waits otherwise.
    int notice;
};

// The signals this process ignores, bit n for signal n + 1; asked for once, because asking takes as long as
// a small program's start.
static _Atomic uint64_t ignored;
static _Atomic int ignored_is_known;

void cplatform_forget_ignored_signals(void) { ignored_is_known = 0; }

// The raw calls, because glibc keeps 32 and 33 to itself; the first word is the handler everywhere.
static uint64_t ignored_signals(void) {
    if (ignored_is_known) return ignored;
    uint64_t found = 0;
    for (int number = 1; number <= 64; number++) {
        unsigned long now[8] = {0};
        if (syscall(SYS_rt_sigaction, number, NULL, now, (size_t)8) == 0 && now[0] == (unsigned long)SIG_IGN) {
            found |= (uint64_t)1 << (number - 1);
        }
    }
    ignored = found;
    ignored_is_known = 1;
    return found;
}

// A program inherits what is ignored; handlers are gone with execve (man 2 execve), and this program has
// them for its own faults only.
static void restore_signals(uint64_t signals) {
    static const unsigned long standard[8];
    for (int number = 1; signals != 0; number++, signals >>= 1) {
        if (signals & 1) syscall(SYS_rt_sigaction, number, standard, NULL, (size_t)8);
    }
}

// Puts the given descriptors at 0, 1, 2 … and has all others closed by execve.
static int arrange_descriptors(const struct cplatform_start *start, int notice) {
    int count = start->descriptor_count;
    if (notice >= 0 && notice < count && fcntl(notice, F_DUPFD, count) < 0) return -1;
    int moved[count > 0 ? count : 1];
    // First out of the way: a source may sit where another one's place is.
    for (int i = 0; i < count; i++) {
        int source = start->descriptors[i];
        if (source < 0) {
            source = open("/dev/null", O_RDWR);
            if (source < 0) return -1;
        }
        moved[i] = source >= count ? source : fcntl(source, F_DUPFD, count);
        if (moved[i] < 0) return -1;
    }
    for (int i = 0; i < count; i++) {
        if (dup2(moved[i], i) < 0) return -1;
    }
    return (int)syscall(SYS_close_range, (unsigned)count, ~0U, CLOSE_RANGE_CLOEXEC);
}

// The kernel ends it with its parent. Behind the change of the user, which takes that back (man 2 prctl).
static int end_with_parent(const struct child *child) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -1;
    // The parent may have died before the line above.
    errno = ESRCH;
    return getppid() == child->parent ? 0 : -1;
}

// Everything between clone and exec; only returns when a step has failed, with errno.
static enum cplatform_step become(const struct child *child) {
    const struct cplatform_start *start = child->start;
    restore_signals(child->ignored);
    if (setsid() < 0) return CPLATFORM_STEP_SESSION;
    if (start->is_batch) {
        // A wish: a system that does not grant it runs the child all the same.
        struct sched_param none = {.sched_priority = 0};
        sched_setscheduler(0, SCHED_BATCH, &none);
    }
    if (arrange_descriptors(start, child->notice) != 0) return CPLATFORM_STEP_DESCRIPTORS;
    if (!start->keeps_open_files && restore_open_files() != 0) return CPLATFORM_STEP_LIMIT;
    enum cplatform_step failed = cplatform_confine(start->confinement);
    if (failed != CPLATFORM_STEP_NONE) return failed;
    if (start->ends_with_parent && end_with_parent(child) != 0) return CPLATFORM_STEP_PARENT;
    if (start->folder != NULL && chdir(start->folder) != 0) return CPLATFORM_STEP_FOLDER;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(start->program, start->arguments, start->environment);
    return CPLATFORM_STEP_EXECUTE;
}

// Runs between clone and exec: async-signal-safe calls only (man 7 signal-safety).
static int run_child(void *argument) {
    struct child *child = argument;
    enum cplatform_step failed = become(child);
    child->failure->step = failed;
    child->failure->error = errno;
    // Returning ends the child (man 2 clone), without what sanitizers add to _exit for the end of a program.
    return 127;
}

// Until the child has executed its program, or has ended; else it is killed. What others of its user stop must not
// hold this process.
static void wait_for_start(int reader, pid_t number, volatile struct failure *failure) {
    struct pollfd end = {.fd = reader, .events = POLLIN};
    int count;
    do {
        count = poll(&end, 1, patience);
    } while (count < 0 && errno == EINTR);
    if (count > 0) return;
    kill(number, SIGKILL);
    failure->error = ETIMEDOUT;
}

// `flags` say what the child shares, and whether this process stands still until exec; `notice` is a pipe for a
// child that it does not stand still for.
static int spawn(const struct cplatform_start *start, pid_t *pid, int *handle, int flags,
                 volatile struct failure *failure, const int *notice) {
    // The parent stands still while the child runs on this part of its stack, or the child has a copy.
    char stack[stackSize] __attribute__((aligned(16)));
    struct child child = {.start = start,
                          .parent = getpid(),
                          .ignored = ignored_signals(),
                          .failure = failure,
                          .notice = notice == NULL ? -1 : notice[1]};
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    flags |= SIGCHLD | (handle == NULL ? 0 : CLONE_PIDFD);
    int number = clone(run_child, stack + stackSize, flags, &child, handle);
    int error = number < 0 ? errno : 0;
    if (number > 0 && notice != NULL) {
        close(notice[1]);
        wait_for_start(notice[0], number, failure);
    }
    if (number > 0) error = failure->error;
    if (number > 0 && error != 0) {
        siginfo_t info;
        while (waitid(P_PID, (id_t)number, &info, WEXITED) < 0 && errno == EINTR) {
        }
        if (handle != NULL) close(*handle);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (number < 0 && notice != NULL) close(notice[1]);
    *pid = number;
    return error;
}

// A child with a copy of the memory: only what failed is shared.
static int spawn_apart(const struct cplatform_start *start, pid_t *pid, int *handle, int *step, int flags,
                       const int *notice) {
    struct failure *failure =
        mmap(NULL, sizeof *failure, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int result = errno;
    if (failure != MAP_FAILED) {
        result = spawn(start, pid, handle, flags, failure, notice);
        *step = failure->step;
        munmap(failure, sizeof *failure);
    } else if (notice != NULL) {
        close(notice[1]);
    }
    return result;
}

// A child that becomes another user before it executes its program. That user's processes may stop it: a parent
// that shares its memory would stand still with it, for as long as they like. They might also trace it, where
// man 5 proc, suid_dumpable, is 1.
static int spawn_other(const struct cplatform_start *start, pid_t *pid, int *handle, int *step) {
    int notice[2];
    if (pipe2(notice, O_CLOEXEC) != 0) return errno;
    int result = spawn_apart(start, pid, handle, step, 0, notice);
    close(notice[0]);
    return result;
}

int cplatform_spawn(const struct cplatform_start *start, pid_t *pid, int *handle, int *step) {
    if (start->confinement->identity != NULL) return spawn_other(start, pid, handle, step);
#if __has_feature(thread_sanitizer)
    // ThreadSanitizer takes every clone for a fork and prepares the child as one, which would ruin a parent
    // that shares its memory.
    return spawn_apart(start, pid, handle, step, CLONE_VFORK, NULL);
#else
    volatile struct failure failure = {0};
    int result = spawn(start, pid, handle, CLONE_VM | CLONE_VFORK, &failure, NULL);
    *step = failure.step;
    return result;
#endif
}
