// Tells ThreadSanitizer of the Mutex of Swift's library Synchronization, which is not built with it.
// SPDX-License-Identifier: Apache-2.0
//
// A Mutex that nobody else holds is taken and given back by atomics that the compiler puts into the
// program, where ThreadSanitizer sees them. One that somebody holds is waited for inside the library, where
// it sees nothing and takes what follows for a race. These functions are linked into the program and so stand
// before the library's own, pass the call on, and say what it means. Without them every Mutex that is ever
// contended is a false alarm.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"

// Those of the program, when this is part of a library.
void __tsan_acquire(void *address) __attribute__((weak));
void __tsan_release(void *address) __attribute__((weak));

static void *following(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) abort();
    return function;
}

SWIFT void lock(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void lock(uint32_t thread, SELF) {
    SWIFT void (*next)(uint32_t, SELF) = following(LOCK);
    next(thread, self);
    if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT void unlock(SELF) __asm__(UNLOCK);
SWIFT void unlock(SELF) {
    SWIFT void (*next)(SELF) = following(UNLOCK);
    if (__tsan_release) __tsan_release(self);
    next(self);
}

SWIFT bool tryLock(SELF) __asm__(TRY_LOCK);
SWIFT bool tryLock(SELF) {
    SWIFT bool (*next)(SELF) = following(TRY_LOCK);
    bool isTaken = next(self);
    if (isTaken && __tsan_acquire) __tsan_acquire(self);
    return isTaken;
}
