// Values of the sending side: the row of what waits, its files, and the pace of the client.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Testing

@testable import Server

@Suite struct ResponseRowTests {
    private func append(_ text: String, to row: inout ResponseRow) {
        Array(text.utf8).withUnsafeBytes { row.append($0) }
    }

    private func range(_ offset: Int64, _ count: Int64, half: Int? = 0) -> ResponseRow.FileRange {
        .init(file: 9, offset: offset, left: count, half: half, length: count)
    }

    @Test func piecesComeOutInTheOrderInWhichTheyWentIn() {
        var row = ResponseRow()
        append("one", to: &row)
        append("two", to: &row)
        row.append(range(0, 100))
        append("three", to: &row)
        var buffer: [UInt8] = []
        guard case .memory = row.takeFirst(&buffer) else { return #expect(Bool(false)) }
        #expect(String(decoding: buffer, as: UTF8.self) == "onetwo")
        guard case .file(let file) = row.takeFirst(&buffer) else { return #expect(Bool(false)) }
        #expect(file.left == 100)
        buffer.removeAll()
        guard case .memory = row.takeFirst(&buffer) else { return #expect(Bool(false)) }
        #expect(String(decoding: buffer, as: UTF8.self) == "three")
        buffer.removeAll()
        guard case .nothing = row.takeFirst(&buffer) else { return #expect(Bool(false)) }
        #expect(row.unsent == 11)
        row.sent(11)
        #expect(row.unsent == 0 && row.isEmpty)
    }

    @Test func neighbouringRangesOfOneFileAreOne() {
        var row = ResponseRow()
        row.append(range(0, 100))
        row.append(range(100, 50))
        row.append(range(200, 10))
        row.append(range(0, 5, half: nil))
        row.append(range(5, 5, half: nil))
        var buffer: [UInt8] = []
        var lengths: [Int64] = []
        while case .file(let file) = row.takeFirst(&buffer) { lengths.append(file.length) }
        #expect(lengths == [150, 10, 5, 5])
    }

    @Test func forgettingGivesTheFilesThatSomebodyHasToClose() {
        var row = ResponseRow()
        row.append(range(0, 1, half: nil))
        row.append(range(0, 1, half: 1))
        let files = row.removeAll()
        #expect(files == [9])
        #expect(row.isEmpty && row.unsent == 0)
    }
}

@Suite struct ResponseSpoolTests {
    private let budget = ByteBudget(limit: 1000)

    private func write(_ step: ResponseSpool.Step) -> [Int64]? {
        guard case .write(let half, let offset, let count) = step else { return nil }
        return [Int64(half), offset, Int64(count)]
    }

    @Test func oneFileIsFilledWhileTheOtherIsSent() {
        var spool = ResponseSpool()
        let step9 = spool.reserve(80, limit: 200, budget: budget)
        #expect(write(step9) == [0, 0, 80])
        let step10 = spool.reserve(80, limit: 200, budget: budget)
        #expect(write(step10) == [0, 80, 20])
        let step11 = spool.reserve(60, limit: 200, budget: budget)
        #expect(write(step11) == [1, 0, 60])
        let step12 = spool.reserve(60, limit: 200, budget: budget)
        #expect(write(step12) == [1, 60, 40])
        guard case .full = spool.reserve(1, limit: 200, budget: budget) else {
            Issue.record("both files are full")
            return
        }
        #expect(!spool.hasFreeHalf && budget.charged == 200)
        spool.sent(100, half: 0, budget: budget)
        #expect(spool.hasFreeHalf && !spool.isEmpty && budget.charged == 100)
        let step13 = spool.reserve(70, limit: 200, budget: budget)
        #expect(write(step13) == [0, 0, 70])
        spool.close(budget: budget)
        #expect(spool.isEmpty && budget.charged == 0)
    }

    @Test func whatCannotBeWrittenIsGivenBack() {
        var spool = ResponseSpool()
        _ = spool.reserve(50, limit: 200, budget: budget)
        spool.takeBack(50, half: 0, budget: budget)
        #expect(spool.isEmpty && budget.charged == 0)
        let step14 = spool.reserve(50, limit: 200, budget: budget)
        #expect(write(step14) == [0, 0, 50])
    }

    @Test func theHostsBudgetEndsBeforeTheFiles() {
        var spool = ResponseSpool()
        let small = ByteBudget(limit: 30)
        guard case .overBudget = spool.reserve(50, limit: 200, budget: small) else {
            Issue.record("the host has no more to give")
            return
        }
        #expect(small.charged == 0)
    }
}

@Suite struct SendPaceTests {
    private let limits = SendPace.Limits(send: 60, response: 100, leastRate: 240)

    private func at(_ seconds: Double) -> Instant {
        Instant(nanoseconds: 0).adding(seconds: 1000 + seconds)
    }

    private func isFine(_ verdict: SendPace.Verdict) -> Bool {
        if case .fine = verdict { true } else { false }
    }

    @Test func aClientThatTakesNothingIsGivenUpAfterItsTime() {
        let limits = SendPace.Limits(send: 60, response: 1000, leastRate: 0)
        var pace = SendPace()
        pace.sent(100_000)
        let next = pace.wait(limits, undelivered: 100_000, now: at(0))
        #expect(next == at(5))
        let verdict1 = pace.check(limits, undelivered: 100_000, now: at(59))
        #expect(isFine(verdict1))
        let verdict2 = pace.check(limits, undelivered: 100_000, now: at(60))
        #expect(!isFine(verdict2))
    }

    /// What the kernel still holds is not the client's silence.
    @Test func bytesThatReachTheClientFromTheKernelsBufferCount() {
        var pace = SendPace()
        pace.sent(1_000_000)
        _ = pace.wait(limits, undelivered: 1_000_000, now: at(0))
        for step in 1...15 {
            let left = 1_000_000 - Int64(step) * 5 * 300
            let verdict3 = pace.check(limits, undelivered: left, now: at(Double(step) * 5))
            #expect(isFine(verdict3))
        }
    }

    @Test func lessThanTheLeastRateIsTooLittleAfterTheGrace() {
        var pace = SendPace()
        pace.sent(1_000_000)
        _ = pace.wait(limits, undelivered: 1_000_000, now: at(0))
        let verdict4 = pace.check(limits, undelivered: 999_990, now: at(4))
        #expect(isFine(verdict4))
        let verdict5 = pace.check(limits, undelivered: 999_990, now: at(5))
        #expect(!isFine(verdict5))
    }

    @Test func aWholeResponseHasATimeHoweverSteadyTheClient() {
        var pace = SendPace()
        pace.sent(1 << 40)
        _ = pace.wait(limits, undelivered: 1 << 40, now: at(0))
        var undelivered: Int64 = 1 << 40
        for step in 1...19 {
            undelivered -= 10_000
            let verdict6 = pace.check(limits, undelivered: undelivered, now: at(Double(step) * 5))
            #expect(isFine(verdict6))
        }
        undelivered -= 10_000
        let verdict7 = pace.check(limits, undelivered: undelivered, now: at(100))
        #expect(!isFine(verdict7))
    }

    @Test func timeThatIsNotWaitedIsNotCharged() {
        var pace = SendPace()
        pace.sent(1000)
        _ = pace.wait(limits, undelivered: 1000, now: at(0))
        pace.stop()
        pace.sent(1000)
        _ = pace.wait(limits, undelivered: 1000, now: at(500))
        let verdict8 = pace.check(limits, undelivered: 900, now: at(504))
        #expect(isFine(verdict8))
    }
}
