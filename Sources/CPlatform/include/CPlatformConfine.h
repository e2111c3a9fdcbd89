// What a process may do: its account, its limits, and what it can never get again.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// Under which account a process runs. Made before the process is: looking a name up is not safe after.
struct cplatform_identity {
    uint32_t user;
    uint32_t group;
    /// All supplementary groups.
    const uint32_t *groups;
    int group_count;
};

/// A resource limit (man 2 getrlimit), soft and hard.
struct cplatform_limit {
    int resource;
    uint64_t value;
};

/// What is taken away from a process, in the order of these members.
struct cplatform_confinement {
    /// man 2 setpriority and man 5 proc, oom_score_adj; each with a flag that says whether it is set.
    int has_nice, nice;
    int has_oom_score, oom_score;
    const struct cplatform_limit *limits;
    int limit_count;
    /// -1 = as it is.
    int umask;
    /// NULL = as it is.
    const struct cplatform_identity *identity;
    /// Not 0: programs that give their caller more rights do so (man 2 PR_SET_NO_NEW_PRIVS).
    int keeps_new_privileges;
};

/// The steps between a new process and its program, as errors name them.
enum cplatform_step {
    CPLATFORM_STEP_NONE = 0,
    CPLATFORM_STEP_SESSION,
    CPLATFORM_STEP_DESCRIPTORS,
    CPLATFORM_STEP_NICE,
    CPLATFORM_STEP_OOM_SCORE,
    CPLATFORM_STEP_LIMIT,
    CPLATFORM_STEP_GROUPS,
    CPLATFORM_STEP_GROUP,
    CPLATFORM_STEP_USER,
    /// The account that the kernel tells is another one, or root can be had again.
    CPLATFORM_STEP_VERIFY,
    CPLATFORM_STEP_NO_NEW_PRIVILEGES,
    CPLATFORM_STEP_PARENT,
    CPLATFORM_STEP_FOLDER,
    CPLATFORM_STEP_EXECUTE,
};

/// Confines the calling thread, in a process that has no other. Async-signal-safe.
/// CPLATFORM_STEP_NONE, or the step that failed, with errno: then the process must not go on.
enum cplatform_step cplatform_confine(const struct cplatform_confinement *confinement);

/// "setresuid" and its like: what a step is called in a message.
const char *cplatform_step_name(enum cplatform_step step);

/// The groups of a user (man 3 getgrouplist), the given one among them. `*count` in: room, out: how many there are.
/// 0, or -1 when there is not enough room.
int cplatform_groups_of(const char *user, uint32_t group, uint32_t *groups, int *count);
