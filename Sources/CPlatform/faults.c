// Writes down what a process dies of. Whatever runs in the handler is async-signal-safe (man 7 signal-safety)
// up to the notice; what follows may at worst be cut short by the alarm.
// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatformFaults.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

enum { ALTERNATE_STACK = 64 * 1024, MOST_NOTICE = 64, LAST_WORDS_SECONDS = 2 };

static struct cplatform_page *page;
static int notice_socket = -1;
static char notice[MOST_NOTICE];
static size_t notice_length;
static void (*last_act)(void *, int);
static void *last_argument;
static pthread_key_t thread_key;

/// The calling thread's slot; NULL until it needs one.
static _Thread_local struct cplatform_slot *own_slot;
static _Thread_local void *own_stack;
static _Thread_local uintptr_t stack_low;

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
enum { SIGNALS = sizeof signals / sizeof *signals };

// MARK: Slots

static uint32_t thread_number(void) { return (uint32_t)syscall(SYS_gettid); }

static struct cplatform_slot *take_slot(void) {
    static uint32_t next;
    if (!page) return NULL;
    uint32_t self = thread_number();
    uint32_t first = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < CPLATFORM_SLOTS; i++) {
        struct cplatform_slot *slot = &page->slots[(first + i) % CPLATFORM_SLOTS];
        uint32_t nobody = 0;
        if (__atomic_compare_exchange_n(&slot->owner, &nobody, self, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
            pthread_setspecific(thread_key, slot);
            return own_slot = slot;
        }
    }
    return NULL;
}

void cplatform_enter(uint32_t tag, uint32_t function, int64_t now, const void *text, size_t length) {
    struct cplatform_slot *slot = own_slot ? own_slot : take_slot();
    if (!slot) return;
    if (length > CPLATFORM_SLOT_TEXT) length = CPLATFORM_SLOT_TEXT;
    if (length) memcpy(slot->text, text, length);
    slot->length = (uint32_t)length;
    slot->count++;
    slot->started = (uint64_t)now;
    slot->tag = tag;
    __atomic_store_n(&slot->active, function, __ATOMIC_RELEASE);
}

void cplatform_leave(void) {
    if (own_slot) __atomic_store_n(&own_slot->active, 0, __ATOMIC_RELEASE);
}

// MARK: What goes wrong

static int claim_fault(void) {
    uint32_t nobody = 0;
    // The page of a copy is the one of the process that it was made of.
    return page && !cplatform_is_copy() && __atomic_compare_exchange_n(&page->fault.claimed, &nobody, 1, 0,
                                               __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void act_at_fault(int is_last) {
    if (last_act) last_act(last_argument, is_last);
}

static void record(enum cplatform_fault_kind kind, int number, uint64_t counter) {
    struct cplatform_fault *fault = &page->fault;
    fault->number = number;
    fault->counter = counter;
    fault->thread = thread_number();
    int is_inside = own_slot && own_slot->active;
    fault->slot = is_inside ? (uint32_t)(own_slot - page->slots) : CPLATFORM_SLOTS;
    __atomic_store_n(&fault->kind, kind, __ATOMIC_RELEASE);
    if (notice_socket >= 0)
        send(notice_socket, notice, notice_length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/// What comes after the notice has an end, even when a lock is never given back.
static void limit_last_words(void) {
    struct sigaction act = {.sa_handler = SIG_DFL};
    sigaction(SIGALRM, &act, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    struct itimerval time = {.it_value = {.tv_sec = LAST_WORDS_SECONDS}};
    setitimer(ITIMER_REAL, &time, NULL);
}

struct walk {
    uint64_t counter;
    uint32_t count;
    int has_begun;
};

/// Frames from the fault outwards: those of the handler itself come first and are left out.
static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *argument) {
    struct walk *walk = argument;
    uint64_t address = (uint64_t)_Unwind_GetIP(context);
    if (!walk->has_begun) {
        walk->has_begun = address == walk->counter;
        return _URC_NO_REASON;
    }
    if (walk->count == CPLATFORM_FAULT_FRAMES) return _URC_END_OF_STACK;
    page->fault.frames[walk->count++] = address;
    __atomic_store_n(&page->fault.frame_count, walk->count, __ATOMIC_RELEASE);
    return _URC_NO_REASON;
}

static void name_function(int index, uint64_t address) {
    Dl_info found;
    if (!dladdr((void *)(uintptr_t)address, &found) || !found.dli_sname) return;
    char *name = page->fault.names[index];
    size_t length = strnlen(found.dli_sname, CPLATFORM_NAME_SIZE - 1);
    memcpy(name, found.dli_sname, length);
}

static void record_frames(uint64_t counter, int has_counter) {
    struct walk walk = {.counter = counter, .has_begun = !has_counter};
    _Unwind_Backtrace(add_frame, &walk);
    name_function(0, counter);
    for (uint32_t i = 0; i < walk.count && i + 1 < CPLATFORM_FAULT_NAMES; i++)
        // A return address may be the next function's first.
        name_function((int)i + 1, page->fault.frames[i] - 1);
}

static uint64_t program_counter(const ucontext_t *context, uint64_t *stack) {
#if defined(__x86_64__)
    *stack = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    *stack = context->uc_mcontext.sp;
    return context->uc_mcontext.pc;
#else
#error "a machine that the server was never built for"
#endif
}

static void catch_signal(int number, siginfo_t *info, void *context) {
    if (claim_fault()) {
        struct cplatform_fault *fault = &page->fault;
        uint64_t stack = 0, counter = program_counter(context, &stack);
        fault->code = info->si_code;
        fault->address = (uint64_t)(uintptr_t)info->si_addr;
        fault->stack = stack;
        fault->overflow = stack_low && number == SIGSEGV && stack < stack_low + 64 * 1024;
        record(CPLATFORM_FAULT_SIGNAL, number, counter);
        limit_last_words();
        act_at_fault(0);
        record_frames(counter, 1);
        act_at_fault(1);
    } else if (page && !cplatform_is_copy() && page->fault.thread != thread_number()) {
        // Another thread is writing down the first fault, and ends the process then.
        limit_last_words();
        for (;;) pause();
    }
    struct sigaction act = {.sa_handler = SIG_DFL};
    sigaction(number, &act, NULL);
    // What the processor has raised is raised again by going on; what was sent is not.
    if (info->si_code <= 0) syscall(SYS_tgkill, getpid(), thread_number(), number);
}

/// Whether somebody in particular has brought the code at that address.
static int is_tagged(uint64_t address) {
    for (uint32_t i = 0; i < page->module_count; i++) {
        const struct cplatform_module *module = &page->modules[i];
        if (module->tag && address >= module->start && address < module->end) return 1;
    }
    return 0;
}

void cplatform_record_exit(int code, void *caller) {
    // Whoever is of the program itself has decided to end it.
    if (!page || !is_tagged((uint64_t)(uintptr_t)caller) || !claim_fault()) return;
    // The call is the last of its function: what it would return to may be another one.
    uint64_t counter = (uint64_t)(uintptr_t)caller - 1;
    record(CPLATFORM_FAULT_EXIT, code, counter);
    limit_last_words();
    act_at_fault(0);
    record_frames(counter, 0);
    act_at_fault(1);
}

void cplatform_record_call_end(enum cplatform_fault_kind kind, int number) {
    if (claim_fault()) record(kind, number, 0);
}

/// A thread has ended; also one that was cancelled inside somebody else's code.
static void thread_ends(void *argument) {
    struct cplatform_slot *slot = argument;
    if (__atomic_load_n(&slot->active, __ATOMIC_ACQUIRE)) {
        if (claim_fault()) record(CPLATFORM_FAULT_THREAD_END, 0, 0);
        // What the thread was doing will never be done: where nobody has been told, nobody else acts.
        if (notice_socket < 0) cplatform_exit_now(1);
        // The slot says what it was, and is nobody else's.
        return;
    }
    own_slot = NULL;
    __atomic_store_n(&slot->owner, 0, __ATOMIC_RELEASE);
}

// MARK: Modules

static int is_known(uint64_t start, const char *name) {
    for (uint32_t i = 0; i < page->module_count; i++)
        if (page->modules[i].start == start && !strcmp(page->modules[i].name, name)) return 1;
    return 0;
}

static int add_module(struct dl_phdr_info *info, size_t size, void *argument) {
    (void)size;
    const uint32_t *tag = argument;
    const char *name = info->dlpi_name && *info->dlpi_name ? info->dlpi_name : "mortise";
    size_t length = strlen(name);
    if (length >= CPLATFORM_MODULE_NAME) name += length - CPLATFORM_MODULE_NAME + 1;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X)) continue;
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (page->module_count == CPLATFORM_MODULES || is_known(start, name)) continue;
        struct cplatform_module *module = &page->modules[page->module_count];
        module->start = start;
        module->end = start + segment->p_memsz;
        module->base = info->dlpi_addr;
        module->tag = *tag;
        strncpy(module->name, name, CPLATFORM_MODULE_NAME - 1);
        __atomic_store_n(&page->module_count, page->module_count + 1, __ATOMIC_RELEASE);
    }
    return 0;
}

void cplatform_record_unwell(uint32_t tag) {
    // The page of a copy is the one of the process that it was made of.
    if (page && !cplatform_is_copy()) __atomic_store_n(&page->unwell, tag, __ATOMIC_RELAXED);
}

void cplatform_record_modules(uint32_t tag) {
    if (page) dl_iterate_phdr(add_module, &tag);
}

// MARK: Beginning

static void free_stack(void *stack) {
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    munmap(stack, ALTERNATE_STACK);
}

static pthread_key_t stack_key;

void cplatform_prepare_thread(void) {
    if (!page || own_stack) return;
    void *memory = mmap(NULL, ALTERNATE_STACK, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t stack = {.ss_sp = memory, .ss_size = ALTERNATE_STACK};
    if (sigaltstack(&stack, NULL) != 0) {
        munmap(memory, ALTERNATE_STACK);
        return;
    }
    own_stack = memory;
    pthread_setspecific(stack_key, memory);
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void *low;
    size_t size;
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) stack_low = (uintptr_t)low;
    pthread_attr_destroy(&attributes);
}

static void catch(int number) {
    struct sigaction act = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    act.sa_sigaction = catch_signal;
    sigaction(number, &act, NULL);
}

int cplatform_restore_signals(void) {
    int changed = 0;
    if (!page) return 0;
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction now;
        sigaction(signals[i], NULL, &now);
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == catch_signal) continue;
        changed = signals[i];
        catch(signals[i]);
    }
    struct sigaction pipe_action;
    sigaction(SIGPIPE, NULL, &pipe_action);
    if ((pipe_action.sa_flags & SA_SIGINFO) || pipe_action.sa_handler != SIG_IGN) {
        changed = SIGPIPE;
        signal(SIGPIPE, SIG_IGN);
    }
    return changed;
}

void cplatform_at_fault(void (*function)(void *, int), void *argument) {
    last_argument = argument;
    __atomic_store_n(&last_act, function, __ATOMIC_RELEASE);
}

int cplatform_record_faults(int file, int socket, const void *bytes, size_t length) {
    struct stat status;
    if (fstat(file, &status) != 0) return -1;
    if (status.st_size != sizeof(struct cplatform_page) || length > MOST_NOTICE || page) {
        errno = EINVAL;
        return -1;
    }
    void *memory = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) return -1;
    pthread_key_create(&thread_key, thread_ends);
    pthread_key_create(&stack_key, free_stack);
    page = memory;
    notice_socket = socket;
    if (length) memcpy(notice, bytes, length);
    notice_length = length;
    cplatform_prepare_thread();
    cplatform_record_modules(0);
    for (int i = 0; i < SIGNALS; i++) catch(signals[i]);
    return 0;
}
