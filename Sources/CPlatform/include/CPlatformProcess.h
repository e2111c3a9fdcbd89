// Starting, signalling and reaping processes: what Swift cannot call.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "CPlatformConfine.h"

/// What a new process is to be. All pointers are read until `cplatform_spawn` returns.
struct cplatform_start {
    /// The program's path; PATH is not searched.
    const char *program;
    /// argv and envp, each ended by NULL.
    char *const *arguments;
    char *const *environment;
    /// The working folder; NULL = the parent's.
    const char *folder;
    /// The child's descriptor i is a copy of descriptors[i]; -1 = /dev/null. It gets no others.
    const int *descriptors;
    int descriptor_count;
    /// Not 0: the kernel kills the child when the calling *thread* ends (man 2 PR_SET_PDEATHSIG).
    int ends_with_parent;
    /// Not 0: whoever wakes the child keeps the processor until it waits (man 7 sched, SCHED_BATCH).
    int is_batch;
    /// Not 0: it gets this process's limit on open files as it is; else the one from before
    /// cplatform_raise_open_files.
    int keeps_open_files;
    /// What the program runs as, and within which limits.
    const struct cplatform_confinement *confinement;
};

/// Raises the soft limit on open files to the hard one, but not beyond `most`. 0, or -1 with errno.
int cplatform_raise_open_files(uint64_t most);

/// The soft limit on open files.
uint64_t cplatform_open_files(void);

/// Starts a program in a session and process group of its own, signals at their defaults, none blocked.
///
/// The child borrows the parent's memory until exec (CLONE_VM | CLONE_VFORK), so the cost does not grow
/// with the parent; under ThreadSanitizer, and when it becomes another user, it gets a copy. 0, or the errno of `*step`, which failed: then the
/// program was never executed and no child exists. `*handle` is a pidfd, close-on-exec; none is made when
/// `handle` is NULL.
int cplatform_spawn(const struct cplatform_start *start, pid_t *pid, int *handle, int *step);

/// Whether the child behind a pidfd has ended. 1 = yes, 0 = not yet, -1 = errno.
/// `keep` not 0 leaves the zombie, so that its numbers stay taken. `*killed` not 0: `*status` is a signal.
int cplatform_wait_handle(int handle, int keep, int *killed, int *status);

/// Reaps a child by its number. 1 = reaped, 0 = not ended yet, -1 = errno. The rest as above.
int cplatform_reap_child(pid_t pid, int *killed, int *status);

/// Some child that has ended and has not been reaped; 0 = none.
pid_t cplatform_ended_child(void);

/// Whether any child, ended or not, belongs to that process group.
int cplatform_has_child_in_group(pid_t leader);

/// Reaps a child by its number: for adopted processes, which have no pidfd here.
/// 1 = reaped, 0 = not ended yet, -1 = errno.
int cplatform_reap(pid_t pid);

int cplatform_signal_handle(int handle, int signal);
int cplatform_signal_group(pid_t leader, int signal);
int cplatform_signal_process(pid_t pid, int signal);

/// getsid(2).
pid_t cplatform_session(pid_t pid);

/// Orphaned descendants become children of this process (man 2 PR_SET_CHILD_SUBREAPER).
int cplatform_adopt_orphans(void);

/// Blocks the signals in the calling thread and returns a signalfd, non-blocking and close-on-exec.
int cplatform_signal_descriptor(const int *signals, int count);

/// The next signal's number, 0 = none waits, -1 = errno.
int cplatform_read_signal(int descriptor);

/// Which signals are ignored has changed: the next child's start asks again.
void cplatform_forget_ignored_signals(void);

/// Ignores a signal in this process.
void cplatform_ignore_signal(int signal);

/// mkdtemp(3): `pattern` ends in XXXXXX and becomes the folder's path. Mode 0700.
int cplatform_make_private_folder(char *pattern);

/// "SEGV" (man 3 sigabbrev_np); NULL for a signal without a name.
const char *cplatform_signal_name(int number);
