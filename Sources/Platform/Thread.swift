// Threads of the operating system, by name.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// Starts operating-system threads; they run detached until their body returns (man 3 pthread_create).
package enum Thread {
    /// Starts `body` on a thread of its own. EAGAIN when the system has no more.
    package static func start(
        named name: String, stackSize: Int = 1 << 20, _ body: sending @escaping () -> Void
    ) throws(SystemError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { pointer in
                let start = Unmanaged<Start>.fromOpaque(pointer!).takeRetainedValue()
                cplatform_name_thread(start.name)
                cplatform_prepare_thread()
                start.body()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw SystemError("pthread_create", code: code)
        }
    }

    private final class Start {
        let name: String
        let body: () -> Void
        init(name: String, body: @escaping () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Names the calling thread, which on a process's first thread names the process for ps(1) and top(1).
    /// At most 15 bytes count (man 2 PR_SET_NAME).
    package static func nameCurrent(_ name: String) { cplatform_name_thread(name) }

    /// Lets another thread run (man 2 sched_yield).
    package static func yield() { cplatform_yield() }

    package static func sleep(milliseconds: Int) {
        let deadline = Instant.now.adding(seconds: Double(milliseconds) / 1000)
        while true {
            let left = deadline.pollTimeout()
            if left == 0 { return }
            poll(nil, 0, left)
        }
    }

    /// The calling thread does nothing more, as long as the process lives.
    package static func stay() -> Never {
        while true { poll(nil, 0, -1) }
    }

    /// The number of processors this process may run on (man 2 sched_getaffinity).
    package static var processors: Int { max(1, Int(cplatform_processors())) }

    /// The clock that counts what the calling thread uses of the processors (man 3 pthread_getcpuclockid).
    package static var processorClock: Int32 {
        var clock: clockid_t = 0
        return pthread_getcpuclockid(pthread_self(), &clock) == 0 ? clock : 0
    }

    /// Seconds on such a clock; nil when its thread has ended (man 2 clock_gettime).
    package static func processorSeconds(_ clock: Int32) -> Double? {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
    }

    /// What the calling thread was told to remember; nil on threads that were told nothing.
    package static var object: UnsafeMutableRawPointer? {
        get { cplatform_thread_object() }
        set { cplatform_set_thread_object(newValue) }
    }

    /// The calling thread's number (man 2 gettid).
    package static var current: Int32 { cplatform_thread() }
}
