// Which thread has something that one thread at a time may have.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Remembers in debug builds which thread has a turn or a role, and traps where another one acts as if it
/// had. A release build keeps nothing and checks nothing.
///
/// It does not hand anything out: who may have it is decided elsewhere, and told here.
package struct Holder: ~Copyable, Sendable {
    #if DEBUG
        /// A thread's number; 0 = nobody.
        private let thread = Atomic<Int32>(0)
    #endif

    package init() {}

    /// The calling thread has it from now on.
    @inline(__always) package borrowing func take() {
        #if DEBUG
            thread.store(Thread.current, ordering: .relaxed)
        #endif
    }

    /// Nobody has it until somebody takes it.
    @inline(__always) package borrowing func leave() {
        #if DEBUG
            thread.store(0, ordering: .relaxed)
        #endif
    }

    /// Traps unless the calling thread has it.
    @inline(__always) package borrowing func check(_ rule: StaticString) {
        #if DEBUG
            precondition(thread.load(ordering: .relaxed) == Thread.current, "\(rule)")
        #endif
    }

    /// The first thread that calls has it for good; traps on every other one.
    @inline(__always) package borrowing func bind(_ rule: StaticString) {
        _ = enter(rule)
    }

    /// Traps when another thread is between this and `leave(_:)`. May be nested; what is given back belongs
    /// to the `leave` of the same function.
    @inline(__always) package borrowing func enter(_ rule: StaticString) -> Bool {
        #if DEBUG
            let caller = Thread.current
            let (isEntered, holder) = thread.compareExchange(
                expected: 0, desired: caller, ordering: .acquiringAndReleasing)
            precondition(isEntered || holder == caller, "\(rule)")
            return isEntered
        #else
            return false
        #endif
    }

    @inline(__always) package borrowing func leave(_ hasEntered: Bool) {
        if hasEntered { leave() }
    }
}
