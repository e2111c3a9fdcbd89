// How many hosts stand by, and when the next one may be started.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Hosts that are started before they are needed, as a value: what has happened goes in, how many there are
/// to be comes out, time is an argument.
///
/// One host stands by while another serves, two while hosts die: whoever comes after the next death finds
/// one ready then too. Pauses between attempts are for hosts that never become ready - the program or its
/// surroundings are broken -, never for one that has been ready.
struct StandbyRule: Equatable {
    /// Seconds after a death in which two stand by.
    static let alarm = 60.0

    private var backoff = Backoff(longest: 5)
    /// A host that dies as soon as it is ready must not keep a processor busy with its successors.
    private var rate = StartRate(perSecond: 20, burst: 100)
    private var alarmEnds = Instant(nanoseconds: .min)

    /// Hosts in a row that have not become ready.
    var failures: Int { backoff.failures }

    /// A host that has served has died.
    mutating func died(now: Instant) { alarmEnds = now.adding(seconds: Self.alarm) }

    mutating func becameReady() { backoff.reset() }

    /// A host has ended before it was ready, or could not be started at all.
    mutating func failed(now: Instant) { backoff.fail(now: now) }

    /// Hosts that are to be starting or ready, besides the one that serves.
    func wanted(isServing: Bool, keepsSpare: Bool, now: Instant) -> Int {
        let spare = now < alarmEnds ? 2 : 1
        return (isServing ? 0 : 1) + (keepsSpare ? spare : 0)
    }

    /// When the number wanted changes by itself.
    func nextChange(now: Instant) -> Instant { now < alarmEnds ? alarmEnds : .never }

    /// Whether one may be started now; it counts as started then.
    mutating func mayStart(now: Instant) -> Bool {
        now >= backoff.notBefore && rate.take(now: now)
    }

    /// When `mayStart` is worth being asked again.
    func next(now: Instant) -> Instant { max(now, backoff.notBefore, rate.next(now: now)) }
}
