// Processes that exist: their ends, and signals to and from them.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatformProcess.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int cplatform_wait_handle(int handle, int keep, int *killed, int *status) {
    siginfo_t info = {.si_pid = 0};
    int options = WEXITED | WNOHANG | (keep ? WNOWAIT : 0);
    int result;
    do {
        result = waitid((idtype_t)P_PIDFD, (id_t)handle, &info, options);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (info.si_pid == 0) return 0;
    *killed = info.si_code != CLD_EXITED;
    *status = info.si_status;
    return 1;
}

int cplatform_reap_child(pid_t pid, int *killed, int *status) {
    siginfo_t info = {.si_pid = 0};
    int result;
    do {
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (info.si_pid == 0) return 0;
    *killed = info.si_code != CLD_EXITED;
    *status = info.si_status;
    return 1;
}

pid_t cplatform_ended_child(void) {
    siginfo_t info = {.si_pid = 0};
    int result;
    do {
        result = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? 0 : info.si_pid;
}

int cplatform_has_child_in_group(pid_t leader) {
    siginfo_t info = {.si_pid = 0};
    int result;
    do {
        result = waitid(P_PGID, (id_t)leader, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (result < 0 && errno == EINTR);
    return result == 0;
}

int cplatform_reap(pid_t pid) {
    siginfo_t info = {.si_pid = 0};
    int result;
    do {
        result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
    } while (result < 0 && errno == EINTR);
    return result < 0 ? -1 : info.si_pid != 0;
}

int cplatform_signal_handle(int handle, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, handle, signal, NULL, 0);
}

int cplatform_signal_group(pid_t leader, int signal) { return kill(-leader, signal); }

int cplatform_signal_process(pid_t pid, int signal) { return kill(pid, signal); }

pid_t cplatform_session(pid_t pid) { return getsid(pid); }

int cplatform_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int cplatform_signal_descriptor(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int cplatform_read_signal(int descriptor) {
    struct signalfd_siginfo record;
    ssize_t count;
    do {
        count = read(descriptor, &record, sizeof record);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return errno == EAGAIN ? 0 : -1;
    return count == (ssize_t)sizeof record ? (int)record.ssi_signo : 0;
}

void cplatform_ignore_signal(int number) {
    struct sigaction action = {.sa_handler = SIG_IGN};
    sigaction(number, &action, NULL);
    cplatform_forget_ignored_signals();
}

int cplatform_make_private_folder(char *pattern) { return mkdtemp(pattern) == NULL ? -1 : 0; }

const char *cplatform_signal_name(int number) { return sigabbrev_np(number); }
