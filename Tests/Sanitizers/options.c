// What the sanitizers are told in every program they are built into, hosts and workers too.
// SPDX-License-Identifier: Apache-2.0
//
// The environment would not do: a server builds that of its processes from nothing, and so do some tests.
// REPORTS is where reports go, one file for each process; Tests/sanitize gives it.

#define OPTIONS                                                                                    \
    "log_path=" REPORTS                                                                            \
    /* A process that crashes must end by its signal, as the server expects it to. */              \
    ":handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0"

const char *__asan_default_options(void) {
    // Programs leave on purpose without a clean-up: leaks are not what is sought.
    return OPTIONS ":detect_leaks=0";
}

const char *__tsan_default_options(void) {
    // A process goes on after a report and may show more. It ends when it ends: the second it would wait for
    // others' races is longer than a supervisor waits for some.
    return OPTIONS ":halt_on_error=0:atexit_sleep_ms=0";
}
