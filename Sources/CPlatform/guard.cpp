// Calls of functions that may throw, or ask for the end of the process or the thread.
// SPDX-License-Identifier: Apache-2.0
#include <csetjmp>
#include <cxxabi.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
#include "CPlatformFaults.h"
}

namespace {

/// The innermost guarded call of a thread.
struct Guard {
    Guard *outer;
    uint32_t code;
    jmp_buf place;
};

thread_local Guard *innermost;

/// This process is a copy that somebody else's code has made with fork(2): nothing here is its own.
volatile int is_copy;

__attribute__((constructor)) void watch_forks() {
    pthread_atfork(nullptr, nullptr, [] { is_copy = 1; });
}

/// Where `exit` leads when no guarded call can be left instead.
template <typename Function> Function *next(const char *name) {
    return reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
}

/// Goes back to the innermost guarded call of the thread, when there is one.
void leave(int how, int code) {
    Guard *guard = innermost;
    // A copy that wants to end ends.
    if (!guard || is_copy) return;
    guard->code = static_cast<uint32_t>(code);
    _longjmp(guard->place, how);
}

} // namespace

extern "C" int cplatform_call_guarded(uint32_t (*function)(void *), void *argument,
                                      uint32_t *result) {
    Guard guard;
    guard.outer = innermost;
    int how = _setjmp(guard.place);
    if (how != 0) {
        innermost = guard.outer;
        *result = guard.code;
        return how;
    }
    innermost = &guard;
    try {
        *result = function(argument);
        // What the call would go back to belongs to the process that the copy was made of.
        if (is_copy) cplatform_exit_now(1);
    } catch (abi::__forced_unwind &) {
        // The thread is being cancelled: who stops that is ended by glibc.
        innermost = guard.outer;
        throw;
    } catch (...) {
        if (is_copy) cplatform_exit_now(1);
        innermost = guard.outer;
        *result = 0;
        return CPLATFORM_THREW;
    }
    innermost = guard.outer;
    return CPLATFORM_RETURNED;
}

extern "C" int cplatform_is_copy(void) { return is_copy; }

extern "C" void cplatform_exit_now(int code) {
    for (;;) syscall(SYS_exit_group, code);
}

// The shared objects of the process find these before those of the C library. They behave like those,
// except in a guarded call, and write down who has called them.

#define EXPORTED extern "C" __attribute__((visibility("default"), used, noreturn))

EXPORTED void exit(int code) noexcept {
    leave(CPLATFORM_WANTED_EXIT, code);
    cplatform_record_exit(code, __builtin_return_address(0));
    next<void(int)>("exit")(code);
    __builtin_unreachable();
}

EXPORTED void _exit(int code) {
    leave(CPLATFORM_WANTED_EXIT, code);
    cplatform_record_exit(code, __builtin_return_address(0));
    cplatform_exit_now(code);
}

EXPORTED void _Exit(int code) noexcept { _exit(code); }

EXPORTED void quick_exit(int code) noexcept {
    leave(CPLATFORM_WANTED_EXIT, code);
    cplatform_record_exit(code, __builtin_return_address(0));
    next<void(int)>("quick_exit")(code);
    __builtin_unreachable();
}

EXPORTED void pthread_exit(void *result) {
    leave(CPLATFORM_WANTED_THREAD_EXIT, 0);
    next<void(void *)>("pthread_exit")(result);
    __builtin_unreachable();
}

EXPORTED void thrd_exit(int result) {
    leave(CPLATFORM_WANTED_THREAD_EXIT, 0);
    next<void(int)>("thrd_exit")(result);
    __builtin_unreachable();
}
