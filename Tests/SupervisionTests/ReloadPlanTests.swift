// What a new configuration keeps, starts and ends.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform
import Testing

@testable import Supervision

struct ReloadPlanTests {
    @Test func listenersInBothConfigurationsAreNeverClosed() {
        let old = Settings.make(ports: [80, 81])
        let plan = ReloadPlan(from: old, to: .make(ports: [82, 80]))
        #expect(plan.listeners == [.bind(.tcp(host: "127.0.0.1", port: 82)), .keep(0)])
        #expect(plan.closedListeners == [1])
    }

    @Test func poolKeepsItsProcessesUnlessWhatTheyAreStartedWithChanges() {
        var old = Settings.make(pools: ["php", "perl", "gone"])
        old.pools[1].queue = 5
        var new = Settings.make(pools: ["perl", "php", "new"])
        new.pools[1].maximum = 9
        let plan = ReloadPlan(from: old, to: new)
        #expect(plan.pools == [.keep(1), .start(replaces: 0), .start(replaces: nil)])
        #expect(plan.retiredPools == [0, 2])
    }

    @Test func changedExtensionReplacesItsWorkers() {
        var old = Settings.make(pools: [])
        old.pools = [Settings.Pool(name: "counter", program: .worker(extension: "counter"))]
        old.extensions = [.make(library: "counter")]
        var new = old
        #expect(ReloadPlan(from: old, to: new).pools == [.keep(0)])
        new.extensions = [.make(library: "counter2")]
        #expect(ReloadPlan(from: old, to: new).pools == [.start(replaces: 0)])
    }
}

struct BackoffTests {
    @Test func delaysDoubleToTheirCapAndAreForgivenAfterAMinute() {
        var backoff = Backoff()
        var now = Instant(nanoseconds: 0)
        var delays: [Double] = []
        for _ in 0..<12 {
            backoff.fail(now: now)
            delays.append(backoff.notBefore.seconds(since: now))
            now = backoff.notBefore
        }
        #expect(
            delays.map { ($0 * 10).rounded() } == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
        now = now.adding(seconds: 60)
        backoff.fail(now: now)
        #expect(backoff.failures == 1)
    }
}

struct WorkerOutputTests {
    @Test func outputIsCutIntoLinesAndAFloodIsCounted() {
        var output = WorkerOutput()
        var limit = RateLimit(burst: 100, perSecond: 20)
        var lines: [String] = []
        var dropped = 0
        func feed(_ text: String, _ now: Instant) {
            Array(text.utf8).withUnsafeBufferPointer { bytes in
                output.append(bytes, &limit, now: now) {
                    lines.append(String(decoding: $0, as: UTF8.self))
                    dropped += $1
                }
            }
        }
        feed("one\r\ntw", Instant(nanoseconds: 0))
        feed(
            "o\n\n" + String(repeating: "x", count: WorkerOutput.longestLine + 1),
            Instant(nanoseconds: 0))
        #expect(lines == ["one", "two", String(repeating: "x", count: WorkerOutput.longestLine)])
        feed(String(repeating: "\nflood", count: 1000), Instant(nanoseconds: 0))
        #expect(lines.count == 100)
        feed("\nlast\n", Instant(nanoseconds: 10_000_000_000))
        #expect(lines.count > 100 && dropped > 800)
    }
}

extension Settings {
    static func make(ports: [UInt16] = [], pools: [String] = []) -> Settings {
        var settings = Settings()
        settings.listeners = ports.map { .tcp(host: "127.0.0.1", port: $0) }
        settings.pools = pools.map { Pool(name: $0, program: .command([$0])) }
        return settings
    }
}

extension Settings.Extension {
    static func make(library: String) -> Settings.Extension {
        Settings.Extension(
            name: "counter", library: library, directories: [], threadSafe: false, settings: [],
            pool: 0)
    }
}
