// Messages survive the way through bytes; bytes that are none are refused.
// SPDX-License-Identifier: Apache-2.0

import Control
import Testing
import TestSupport

struct CodingTests {
    static let script = Script(
        program: "/srv/cgi-bin/a.pl", arguments: ["a.pl", "ä"],
        environment: [Array("A=1".utf8), [0x42, 0x3d, 0xff, 0xfe]], folder: "/srv/cgi-bin")

    static let hostMessages: [HostMessage] =
        [
            .ready, .failed(reason: "listener gone"), .failed(reason: ""), .wantWorker(pool: 3),
            .startScript(id: .max, script), .endScript(id: 0), .drained, .accessLog, .faulted,
            .bequeathed,
            .callFaulted(extension: 3, .threw, request: "GET /"),
            .callFaulted(extension: 0, .wantedExit(code: -1), request: ""),
            .callFaulted(extension: 1, .wantedThreadExit, request: "PUT /x"), .healed(pool: 2),
            .callOverdue(extension: 1, request: "GET /", seconds: 0.5, isTooMuch: true),
            .handOver(id: 4), .adopted(id: 4, accepted: true), .adopted(id: 5, accepted: false),
            .startScript(
                id: 1, Script(program: "", arguments: [], environment: [], folder: "")),
        ] + ReleaseReason.allCases.map { .releaseWorker(id: 7, reason: $0) }

    static let supervisorMessages: [SupervisorMessage] = [
        .start(configurationName: "site.yaml", isReplacement: true),
        .worker(
            pool: 1, id: 2, pid: 3,
            WorkerTerms(path: "/run/w2", isAsked: true, endsByItself: false)),
        .worker(
            pool: 1, id: 2, pid: 3,
            WorkerTerms(path: "/run/w2", isAsked: false, endsByItself: true)),
        .workerRestarted(pool: 1, id: 2, pid: 4, after: .exited(code: 0)),
        .noWorker(pool: 0, count: 2, reason: "php-cgi not found", retryAfterSeconds: 30),
        .returnWorker(pool: 7),
        .retireWorker(pool: 7, id: 1 << 40),
        .workerEnded(id: 1, .exited(code: 255)), .workerEnded(id: 2, .killed(signal: 9)),
        .scriptFailed(id: 9, code: 2),
        .scriptEnded(id: 9, .exited(code: 0)), .serve, .release(pool: 3),
        .quarantine(pool: 1, seconds: 30, reason: "they crash"), .leave, .adopt(id: 5), .drain,
        .reopenLogs,
        .handedOver(id: .max, accepted: true), .handedOver(id: 0, accepted: false),
        .verdict(
            extension: 3, path: "/a.so", copy: "/run/1-2-a.so", isInProcess: true, problem: nil),
        .verdict(extension: 0, path: "", copy: nil, isInProcess: false, problem: "it\ncrashed"),
    ]

    @Test(arguments: hostMessages)
    func hostMessageSurvivesTheWayThroughBytes(message: HostMessage) throws {
        #expect(try HostMessage(decoding: message.encoded()) == message)
    }

    @Test(arguments: supervisorMessages)
    func supervisorMessageSurvivesTheWayThroughBytes(message: SupervisorMessage) throws {
        #expect(try SupervisorMessage(decoding: message.encoded()) == message)
    }

    @Test func messageCutAnywhereOrWithMoreBehindItIsMalformed() {
        for message in Self.hostMessages {
            let bytes = message.encoded()
            for count in 0..<bytes.count {
                #expect(throws: ControlError.malformed) {
                    try HostMessage(decoding: Array(bytes[..<count]))
                }
            }
            #expect(throws: ControlError.malformed) { try HostMessage(decoding: bytes + [0]) }
        }
        for message in Self.supervisorMessages {
            let bytes = message.encoded()
            for count in 0..<bytes.count {
                #expect(throws: ControlError.malformed) {
                    try SupervisorMessage(decoding: Array(bytes[..<count]))
                }
            }
        }
    }

    @Test func nulByteNeverReachesAProgramsArguments() {
        let script = Script(program: "/bin/sh\0x", arguments: [], environment: [], folder: "/")
        #expect(throws: ControlError.malformed) {
            try HostMessage(decoding: HostMessage.startScript(id: 1, script).encoded())
        }
    }

    @Test func wrongNumberOfDescriptorsIsRefused() {
        let message = HostMessage.startScript(id: 1, Self.script).encoded()
        #expect(throws: ControlError.descriptors(expected: 3, found: 2)) {
            try HostMessage(decoding: message, descriptors: 2)
        }
        #expect(throws: ControlError.descriptors(expected: 0, found: 1)) {
            try HostMessage(decoding: HostMessage.ready.encoded(), descriptors: 1)
        }
        #expect(throws: ControlError.descriptors(expected: 1, found: 0)) {
            try HostMessage(decoding: HostMessage.handOver(id: 1).encoded(), descriptors: 0)
        }
    }

    /// What decodes at all must be what its own bytes say: nothing traps, nothing is read twice.
    @Test func changedBytesAreRefusedOrMeanExactlyThemselves() {
        var random = SeededNumbers(seed: 7)
        let seeds =
            Self.hostMessages.map { $0.encoded() } + Self.supervisorMessages.map { $0.encoded() }
        for _ in 0..<60_000 {
            var bytes = seeds.randomElement(using: &random)!
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                default: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            if let message = try? HostMessage(decoding: bytes) {
                #expect(message.encoded() == bytes)
            }
            if let message = try? SupervisorMessage(decoding: bytes) {
                #expect(message.encoded() == bytes)
            }
        }
    }
}
