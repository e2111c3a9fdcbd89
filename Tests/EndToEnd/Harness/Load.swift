// Many clients at once, and an exact account of how each request ended.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport

struct LoadReport: Sendable {
    /// Complete responses by status.
    var answered: [Int: Int] = [:]
    /// Requests without a complete response, by what happened.
    var failed: [String: Int] = [:]
    /// Responses the test's check refused; the first few.
    var wrong: [String] = []

    var total: Int { answered.values.reduce(0, +) }
    var failures: Int { failed.values.reduce(0, +) }

    mutating func add(_ error: ClientError) {
        let kind =
            switch error {
            case .refused: "refused"
            case .closedBeforeResponse: "closed before a response"
            case .resetBeforeResponse: "reset before a response"
            case .truncated: "truncated"
            case .notHTTP: "no HTTP"
            case .timedOut: "timed out"
            case .system(let call, _): call
            }
        failed[kind, default: 0] += 1
    }
}

/// Clients on threads of their own, each with one request at a time.
final class Load: Sendable {
    struct Plan: Sendable {
        var port: UInt16
        var target: String
        var clients = 8
        /// Keep the connection, or a new one for each request.
        var keepsConnections = true
        /// All clients together; nil: until `finish`.
        var requests: Int?
        /// What is wrong with a response; nil when nothing is.
        var check: @Sendable (HTTPResponse) -> String? = { _ in nil }
    }

    private struct State: Sendable {
        var started = 0
        var stopped = false
        var report = LoadReport()
    }

    private let plan: Plan
    private let state = Locked(State())
    private let group = DispatchGroup()

    init(_ plan: Plan) {
        self.plan = plan
        for _ in 0..<plan.clients {
            group.enter()
            Thread { [self] in
                run()
                group.leave()
            }.start()
        }
    }

    var report: LoadReport { state.current.report }

    /// Waits until so many requests were answered; false when they were not within a minute.
    @discardableResult
    func waitFor(answers: Int) -> Bool { eventually(within: 60) { report.total >= answers } }

    /// Waits until all planned requests are done.
    func wait() -> LoadReport {
        group.wait()
        return report
    }

    /// Lets every client finish its request.
    func finish() -> LoadReport {
        state.withLock { $0.stopped = true }
        return wait()
    }

    private func mayStart() -> Bool {
        state.withLock { state in
            if state.stopped || state.started >= plan.requests ?? .max { return false }
            state.started += 1
            return true
        }
    }

    private func run() {
        var client: RawClient?
        while mayStart() {
            do {
                let connection = try client ?? RawClient(port: plan.port)
                let response = try connection.exchange("GET", plan.target)
                let complaint = plan.check(response)
                state.withLock { state in
                    state.report.answered[response.status, default: 0] += 1
                    if let complaint, state.report.wrong.count < 10 {
                        state.report.wrong.append(complaint)
                    }
                }
                let closes = response.values("Connection").contains { $0.lowercased() == "close" }
                client = plan.keepsConnections && !closes ? connection : nil
            } catch let error as ClientError {
                client = nil
                state.withLock { $0.report.add(error) }
            } catch {
                client = nil
            }
        }
    }
}
