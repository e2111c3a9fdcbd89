// What a process leaves behind of its last moments: who was in whose code, and what went wrong there.
// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A page is a file in memory that another process has made (memfd_create) and reads when this one has died.
// It has three parts, each of fixed size: the fault, the table of modules, and a slot for each thread.

enum {
    CPLATFORM_FAULT_FRAMES = 32,
    CPLATFORM_FAULT_NAMES = 8,
    CPLATFORM_NAME_SIZE = 64,
    CPLATFORM_MODULES = 256,
    CPLATFORM_MODULE_NAME = 96,
    CPLATFORM_SLOTS = 4608,
    CPLATFORM_SLOT_TEXT = 200,
};

enum cplatform_fault_kind {
    CPLATFORM_FAULT_NONE = 0,
    /// A signal that ends the process.
    CPLATFORM_FAULT_SIGNAL = 1,
    /// exit(3) or one of its kin.
    CPLATFORM_FAULT_EXIT = 2,
    /// A thread has ended inside somebody else's code.
    CPLATFORM_FAULT_THREAD_END = 3,
    /// An exception has left somebody else's code.
    CPLATFORM_FAULT_THROW = 4,
};

/// What went wrong first. `kind` is written last of the numbers, the frames and their names follow.
struct cplatform_fault {
    uint32_t claimed;
    uint32_t kind;
    /// The signal, or the exit code.
    int32_t number;
    /// siginfo_t.si_code.
    int32_t code;
    /// siginfo_t.si_addr, the program counter and the stack pointer.
    uint64_t address, counter, stack;
    /// 1: the stack was at its end.
    uint32_t overflow;
    /// gettid(2), and its slot if it was in somebody else's code; slot CPLATFORM_SLOTS = none.
    uint32_t thread, slot;
    uint32_t frame_count;
    /// Return addresses, the innermost first.
    uint64_t frames[CPLATFORM_FAULT_FRAMES];
    /// The function of the program counter, then of the frames; empty when no symbol tells.
    char names[CPLATFORM_FAULT_NAMES][CPLATFORM_NAME_SIZE];
};

/// Code that was mapped.
struct cplatform_module {
    uint64_t start, end;
    /// What is subtracted from an address to get the file's.
    uint64_t base;
    /// Who brought it; 0 = nobody in particular.
    uint32_t tag;
    uint32_t reserved;
    /// The end of the file's path.
    char name[CPLATFORM_MODULE_NAME];
};

/// What a thread is in, or was in last.
struct cplatform_slot {
    /// gettid(2); 0 = nobody's.
    uint32_t owner;
    /// Not 0: it is in somebody else's code, and in which of its functions.
    uint32_t active;
    /// Whose code; stays when it has come back.
    uint32_t tag;
    uint32_t length;
    /// How often it has gone in, and when the last time: CLOCK_MONOTONIC, nanoseconds.
    uint64_t count, started;
    char text[CPLATFORM_SLOT_TEXT];
};

struct cplatform_page {
    struct cplatform_fault fault;
    uint32_t module_count;
    /// The tag of whose code has said that it is not well; 0: nobody has.
    uint32_t unwell;
    struct cplatform_module modules[CPLATFORM_MODULES];
    struct cplatform_slot slots[CPLATFORM_SLOTS];
};

// For who reads a page without this header's types.
enum {
    CPLATFORM_PAGE_SIZE = sizeof(struct cplatform_page),
    CPLATFORM_MODULES_AT = offsetof(struct cplatform_page, modules),
    CPLATFORM_MODULE_COUNT_AT = offsetof(struct cplatform_page, module_count),
    CPLATFORM_UNWELL_AT = offsetof(struct cplatform_page, unwell),
    CPLATFORM_SLOTS_AT = offsetof(struct cplatform_page, slots),
};

/// Maps the page, catches the signals that end a process by its own doing, and records what is mapped.
/// `notice` is sent to `socket` (send(2), without waiting) as soon as something has gone wrong; -1 = nobody.
/// 0, or -1 with errno.
int cplatform_record_faults(int page, int socket, const void *notice, size_t length);

/// Has `function` called in the handler, with the process about to end: once as soon as the notice has been sent,
/// and once more, `is_last`, when everything is written down. Other threads go on meanwhile; whatever it calls must be
/// async-signal-safe (man 7 signal-safety).
void cplatform_at_fault(void (*function)(void *, int is_last), void *argument);

/// Gives the calling thread a stack for signals. Undone when it ends.
void cplatform_prepare_thread(void);

/// Adds modules that are mapped and not in the table yet, under that tag.
void cplatform_record_modules(uint32_t tag);

/// The calling thread goes into somebody's code at that time; `text` says what for.
void cplatform_enter(uint32_t tag, uint32_t function, int64_t now, const void *text, size_t length);
/// It has come back.
void cplatform_leave(void);

/// Somebody's code says that it is not well, and that this process should be replaced.
void cplatform_record_unwell(uint32_t tag);

/// Somebody has changed what becomes of the signals: the number of one, which is put right; 0 = nobody.
int cplatform_restore_signals(void);

/// How somebody else's function came to its end.
enum cplatform_call_end {
    CPLATFORM_RETURNED = 0,
    /// It threw, and nobody had caught it.
    CPLATFORM_THREW = 1,
    /// It wanted to end the process, or its thread; neither has ended. The stack below the call is left as it
    /// was: nothing on it was destroyed.
    CPLATFORM_WANTED_EXIT = 2,
    CPLATFORM_WANTED_THREAD_EXIT = 3,
};

/// Calls a function of somebody else's, which may throw or ask for the end. `*result` is its result, or
/// the code that it wanted the process to end with.
///
/// The program must export exit, _exit, _Exit, quick_exit, pthread_exit and thrd_exit, so that shared
/// objects find those of guard.cpp first.
int cplatform_call_guarded(uint32_t (*function)(void *), void *argument, uint32_t *result);

/// Not 0: this process is a copy of another one, made with fork(2).
int cplatform_is_copy(void);

/// Ends the process as _exit(2) does.
void cplatform_exit_now(int code) __attribute__((noreturn));

/// Records how a guarded call of this thread has ended, before it has left.
void cplatform_record_call_end(enum cplatform_fault_kind kind, int number);

/// Records that the process ends by a call of exit(3) or its kin, from a place nobody expects.
void cplatform_record_exit(int code, void *caller);
