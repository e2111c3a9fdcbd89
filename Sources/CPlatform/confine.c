// A process gives up what its program shall not have. Between clone and exec: async-signal-safe calls only.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatformConfine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int set_limits(const struct cplatform_confinement *wanted) {
    for (int i = 0; i < wanted->limit_count; i++) {
        rlim_t value = wanted->limits[i].value;
        struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
        if (setrlimit((__rlimit_resource_t)wanted->limits[i].resource, &limit) != 0) return -1;
    }
    return 0;
}

static int set_oom_score(int score) {
    char text[12];
    int place = sizeof text;
    unsigned rest = score < 0 ? -(unsigned)score : (unsigned)score;
    do {
        text[--place] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (score < 0) text[--place] = '-';
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) return -1;
    size_t length = sizeof text - (size_t)place;
    ssize_t written = write(file, text + place, length);
    int error = errno;
    close(file);
    errno = error;
    return written == (ssize_t)length ? 0 : -1;
}

// What the kernel tells must be what was asked for, and the way back must be closed.
static int is_dropped(const struct cplatform_identity *identity) {
    uid_t user[3];
    gid_t group[3];
    if (syscall(SYS_getresuid, &user[0], &user[1], &user[2]) != 0) return 0;
    if (syscall(SYS_getresgid, &group[0], &group[1], &group[2]) != 0) return 0;
    errno = EPERM;
    for (int i = 0; i < 3; i++) {
        if (user[i] != identity->user || group[i] != identity->group) return 0;
    }
    if (syscall(SYS_getgroups, 0, NULL) != identity->group_count) return 0;
    if (identity->user != 0 && syscall(SYS_setuid, 0) == 0) return 0;
    return 1;
}

// The raw calls: glibc's change all threads of a process, which here are those of the parent.
static enum cplatform_step drop(const struct cplatform_identity *identity) {
    if (syscall(SYS_setgroups, (size_t)identity->group_count, identity->groups) != 0) {
        return CPLATFORM_STEP_GROUPS;
    }
    uint32_t group = identity->group, user = identity->user;
    if (syscall(SYS_setresgid, group, group, group) != 0) return CPLATFORM_STEP_GROUP;
    if (syscall(SYS_setresuid, user, user, user) != 0) return CPLATFORM_STEP_USER;
    return is_dropped(identity) ? CPLATFORM_STEP_NONE : CPLATFORM_STEP_VERIFY;
}

enum cplatform_step cplatform_confine(const struct cplatform_confinement *wanted) {
    if (wanted->has_nice && setpriority(PRIO_PROCESS, 0, wanted->nice) != 0) return CPLATFORM_STEP_NICE;
    if (wanted->has_oom_score && set_oom_score(wanted->oom_score) != 0) return CPLATFORM_STEP_OOM_SCORE;
    if (set_limits(wanted) != 0) return CPLATFORM_STEP_LIMIT;
    if (wanted->umask >= 0) umask((mode_t)wanted->umask);
    if (wanted->identity != NULL) {
        enum cplatform_step failed = drop(wanted->identity);
        if (failed != CPLATFORM_STEP_NONE) return failed;
    }
    if (!wanted->keeps_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return CPLATFORM_STEP_NO_NEW_PRIVILEGES;
    }
    return CPLATFORM_STEP_NONE;
}

const char *cplatform_step_name(enum cplatform_step step) {
    static const char *const names[] = {
        [CPLATFORM_STEP_NONE] = "clone",
        [CPLATFORM_STEP_SESSION] = "setsid",
        [CPLATFORM_STEP_DESCRIPTORS] = "dup2",
        [CPLATFORM_STEP_LIMIT] = "setrlimit",
        [CPLATFORM_STEP_NICE] = "setpriority",
        [CPLATFORM_STEP_OOM_SCORE] = "oom_score_adj",
        [CPLATFORM_STEP_GROUPS] = "setgroups",
        [CPLATFORM_STEP_GROUP] = "setresgid",
        [CPLATFORM_STEP_USER] = "setresuid",
        [CPLATFORM_STEP_VERIFY] = "the change of the user did not hold",
        [CPLATFORM_STEP_NO_NEW_PRIVILEGES] = "PR_SET_NO_NEW_PRIVS",
        [CPLATFORM_STEP_PARENT] = "PR_SET_PDEATHSIG",
        [CPLATFORM_STEP_FOLDER] = "chdir",
        [CPLATFORM_STEP_EXECUTE] = "execve",
    };
    return names[step];
}

int cplatform_groups_of(const char *user, uint32_t group, uint32_t *groups, int *count) {
    return getgrouplist(user, group, groups, count) < 0 ? -1 : 0;
}
