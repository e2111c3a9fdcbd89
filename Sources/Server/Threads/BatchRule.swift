// How many events a thread takes from the poller with one call.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Several when every thread is at work: one system call for all of them. One when another thread sleeps,
/// who could begin the second one at once; and one for a while after several that kept each other waiting,
/// because one of them waited for another process, or computed, or slept.
struct BatchRule {
    /// Seconds that several events may take together.
    static let patience = 0.000_5
    /// How many are taken one by one before several are tried again, the first time and at most.
    static let fewestSingles = 64
    static let mostSingles = 4096

    private var single = 0
    private var nextSingles = BatchRule.fewestSingles
    private var began: Instant?

    /// How many to take now.
    func most(othersSleep: Bool) -> Int {
        single == 0 && !othersSleep ? EventBatch.capacity : 1
    }

    /// So many were taken; `now` is asked for when there are several.
    mutating func took(_ count: Int, now: @autoclosure () -> Instant) {
        began = count > 1 ? now() : nil
    }

    /// All that were taken have been begun, and the last one has run.
    mutating func finished(now: @autoclosure () -> Instant) {
        single = max(0, single - 1)
        guard let start = began else { return }
        began = nil
        guard now().seconds(since: start) > Self.patience else {
            nextSingles = Self.fewestSingles
            return
        }
        single = nextSingles
        nextSingles = min(2 * nextSingles, Self.mostSingles)
    }

    /// What runs now may wait for another process.
    mutating func mayBlock() { single = max(single, Self.fewestSingles) }
}
