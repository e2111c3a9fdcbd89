// Bodies that are read while they arrive, by the server's threads and by an extension's own.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Server

@Suite(.timeLimit(.minutes(2))) struct ArrivingBodyThreadsTests {
    /// Eight clients at once send in parts, each of which wakes the connection for somebody who may not
    /// touch what the reader reads.
    @Test func whoReadsABodyIsTheOnlyOneThatReceives() throws {
        let running = try RunningServer { $0.threads.max = 16 }
        try atOnce(8) { client in
            guard let browser = try? running.connect() else { return }
            for turn in 1...20 {
                let query = (client + turn) % 2 == 0 ? "count" : "lengthy"
                let size = 49_152 + 997 * turn
                browser.send(
                    "POST /preload?\(query) HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
                for start in stride(from: 0, to: size, by: 16_000) {
                    browser.send(String(repeating: "x", count: min(16_000, size - start)))
                }
                #expect(browser.answer()?.text == "\(size)")
                #expect(browser.get("/x?now=next")?.text == "next")
            }
        }
        #expect(running.server.shards[0].arrivingCalls.isEmpty)
    }

    @Test func aPendingCallThatReadsEndsAtItsDeadlineWhenItsReadDoes() throws {
        let running = try RunningServer {
            $0.timeouts.request = 0.1
            $0.timeouts.body = 3
        }
        let browser = try running.connect()
        browser.send(
            "POST /preload?lengthy HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n"
                + "Expect: 100-continue\r\n\r\n")
        #expect(browser.wait(for: "100 Continue"))
        // The deadline has passed during the read, which has failed for a fault of the client.
        #expect(browser.answer()?.status == 408)
        #expect(browser.isClosed())
    }
}
