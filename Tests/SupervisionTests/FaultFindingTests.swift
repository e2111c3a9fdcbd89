// Who is to blame, from pages made by hand.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform
import Testing

@testable import Supervision

struct FaultFindingTests {
    private let now = Instant(nanoseconds: 1_000_000_000_000)

    private let modules = [
        FaultPage.Module(addresses: 0x1000..<0x2000, base: 0x1000, tag: 0, name: "mortise"),
        FaultPage.Module(
            addresses: 0x3000..<0x4000, base: 0x3000, tag: 1,
            name: "/run/m/copy-7dec23cf-3ed0-first.so"),
        FaultPage.Module(addresses: 0x5000..<0x6000, base: 0x5000, tag: 2, name: "/x/second.so"),
        FaultPage.Module(addresses: 0x7000..<0x8000, base: 0x7000, tag: 0, name: "/lib/libc.so.6"),
    ]

    private func activity(
        _ tag: UInt32, _ function: FaultRecorder.Function? = .call, age: Double = 0, slot: Int = 3
    ) -> FaultPage.Activity {
        FaultPage.Activity(
            slot: slot, tag: tag, function: function, count: 12,
            started: now.adding(seconds: -age), text: "GET /a")
    }

    private func fault(
        _ kind: FaultPage.Fault.Kind = .signal(11, code: 1, address: 0x18), at counter: UInt64,
        in activity: FaultPage.Activity? = nil, frames: [UInt64] = [], names: [String] = [""]
    ) -> FaultPage.Fault {
        FaultPage.Fault(
            kind: kind, counter: counter, isOverflow: false, activity: activity, frames: frames,
            names: names)
    }

    private func finding(
        _ fault: FaultPage.Fault?, _ activities: [FaultPage.Activity] = [],
        end: ProcessEnd = .killed(signal: 11), complaint: String? = nil
    ) -> FaultFinding {
        FaultFinding(
            FaultPage(fault: fault, modules: modules, activities: activities), end: end,
            complaint: complaint, extensions: 2, now: now)
    }

    @Test func aFaultInTheCodeOfTheExtensionThatIsCalledIsItsOwn() {
        let found = finding(
            fault(at: 0x3165, in: activity(1), names: ["HttpExtensionProc"]))
        #expect(found.culprits == [0] && found.certainty == .direct)
        #expect(found.deed == "crashed with SIGSEGV (address 0x18)")
        #expect(found.place == "first.so+0x165 (HttpExtensionProc)")
        #expect(found.request == "GET /a" && found.call == "3-12")
    }

    @Test func aFaultBelowTheExtensionIsProbablyItsOwnAndItsCallerIsNamed() {
        let found = finding(
            fault(at: 0x7010, in: activity(2), frames: [0x5101], names: ["strlen", "answer"]))
        #expect(found.culprits == [1] && found.certainty == .probable)
        #expect(found.place == "libc.so.6+0x10 (strlen), called from second.so+0x101 (answer)")
    }

    @Test func aFaultOutsideOfACallBelongsToTheModuleOnItsStack() {
        let found = finding(fault(at: 0x7010, frames: [0x7020, 0x3101], names: []))
        #expect(found.culprits == [0] && found.certainty == .background)
        #expect(found.request == nil)
    }

    @Test func aFaultInNobodysCodeIsSharedByThoseWhoWereCalledLately() {
        let lately = [
            activity(1, nil, age: 9, slot: 1), activity(2, nil, age: 11, slot: 2),
            activity(2, .call, age: 0, slot: 4),
        ]
        let found = finding(fault(at: 0x7010), lately)
        #expect(found.culprits == [0, 1] && found.certainty == .suspect)
        #expect(finding(fault(at: 0x7010), [activity(1, nil, age: 11)]).culprits == [])
    }

    @Test func whoKillsFromOutsideBlamesNobody() {
        let found = finding(nil, [activity(1)], end: .killed(signal: 9))
        #expect(found.culprits == [])
        #expect(found.deed.contains("an operator, or the kernel"))
    }

    @Test func anExitThatNobodyWroteDownIsTheExtensionsThatWasCalled() {
        let found = finding(nil, [activity(2)], end: .exited(code: 4))
        #expect(found.culprits == [1] && found.certainty == .probable)
        #expect(found.deed == "exited with code 4")
    }

    @Test func aHostThatStoodStillStoodInCallsThatAreOld() {
        let found = finding(
            nil, [activity(1, .call, age: 6), activity(2, .call, age: 1, slot: 5)],
            end: .killed(signal: 9), complaint: "stood still")
        #expect(found.culprits == [0])
        #expect(found.deed == "stood still")
    }

    @Test func extensionsThatDoNotExistAreNotBelieved() {
        #expect(finding(fault(at: 0x1010, in: activity(9))).culprits == [])
        #expect(finding(nil, [activity(.max)], end: .exited(code: 1)).culprits == [])
    }

    @Test func addressesAtTheEndOfTheWorldAreNoOverflow() {
        let found = finding(fault(at: .max, in: activity(1), frames: [0, .max, 1]))
        #expect(found.culprits == [0] && found.frames.count == 3)
    }
}
