// One thread inside a callback, waiting for the client: what others of the same call get meanwhile.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import Platform
import Synchronization
import TestExtensions
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct TurnTests {
    /// "w" lets a thread write to its client and is pending; "r" returns an error when "g" tells it to.
    /// The others act on the call of the last "w" or "r".
    private static let source = """
        #include <stdatomic.h>
        static EXTENSION_CONTROL_BLOCK *kept;
        static atomic_int may_return;
        static void *writer(void *p) {
            EXTENSION_CONTROL_BLOCK *e = p;
            DWORD size = 4;
            e->WriteClient(e->ConnID, "held", &size, 0);
            return NULL;
        }
        static BOOL done(DWORD status) {
            return kept->ServerSupportFunction(kept->ConnID, HSE_REQ_DONE_WITH_SESSION, &status, NULL, NULL);
        }
        DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
            char line[100];
            pthread_t thread;
            DWORD size = 4;
            int value = 0;
            SetLastError(0);
            switch (*e->lpszQueryString) {
            case 'w': case 'r':
                kept = e;
                may_return = 0;
                head(e, NULL, "\\r\\n");
                pthread_create(&thread, NULL, writer, e);
                pthread_detach(thread);
                if (*e->lpszQueryString == 'w') return HSE_STATUS_PENDING;
                while (!may_return) usleep(100);
                return HSE_STATUS_ERROR;
            case 'g': may_return = 1; break;
            case 'd': value = done(HSE_STATUS_SUCCESS); break;
            case 'e': value = done(HSE_STATUS_ERROR); break;
            case 's': value = kept->WriteClient(kept->ConnID, "more", &size, 0); break;
            }
            sprintf(line, "%d %u", value, GetLastError());
            head(e, NULL, "\\r\\n");
            say(e, line);
            return HSE_STATUS_SUCCESS;
        }
        """

    private static func begin(
        _ loaded: LoadedExtension
    ) throws -> (FakeExchange, SlowClient, PendingCall) {
        let client = SlowClient()
        let exchange = FakeExchange("/x?w", client: client)
        guard case .pending(let call) = loaded.call(exchange) else { throw NotPending() }
        client.waitForWriter()
        return (exchange, client, call)
    }

    private struct NotPending: Error {}

    @Test func doneDoesNotWaitForAThreadThatWritesAndTheCallEndsWithTheWrite() throws {
        let loaded = try LoadedExtension.make(Self.source)
        let (exchange, client, call) = try Self.begin(loaded)
        #expect(loaded.answer(FakeExchange("/x?d")).text == "1 0")
        #expect(loaded.answer(FakeExchange("/x?d")).text == "0 87")
        #expect(!call.revoke())
        #expect(exchange.answer.completions == 0)
        client.read()
        exchange.waitForCompletion()
        let answer = exchange.answer
        #expect(answer.text == "held" && answer.completions == 1 && answer.failures.isEmpty)
    }

    @Test func aDeadlineDoesNotWaitForAThreadThatWritesAndTheCallEndsWithTheWrite() throws {
        let loaded = try LoadedExtension.make(Self.source)
        let (exchange, client, call) = try Self.begin(loaded)
        #expect(!call.revoke())
        #expect(loaded.answer(FakeExchange("/x?s")).text == "0 87")
        #expect(loaded.answer(FakeExchange("/x?d")).text == "0 87")
        #expect(exchange.answer.completions == 0)
        client.read()
        exchange.waitForCompletion()
        let answer = exchange.answer
        #expect(answer.failures == [504] && answer.completions == 1)
    }

    @Test func aSecondThreadWritesWhenTheFirstOneHasLeft() throws {
        let loaded = try LoadedExtension.make(Self.source)
        let (exchange, client, _) = try Self.begin(loaded)
        let second = Elsewhere { loaded.answer(FakeExchange("/x?s")).text }
        try Thread.start(named: "second") { second.run() }
        Thread.sleep(milliseconds: 20)
        #expect(!second.isOver && exchange.answer.body.isEmpty)
        client.read()
        #expect(second.wait() == "1 0")
        #expect(exchange.answer.text == "heldmore")
        #expect(loaded.answer(FakeExchange("/x?d")).text == "1 0")
        #expect(exchange.answer.completions == 1)
    }

    @Test func aWaitingThreadIsRefusedWhenTheCallHasEndedMeanwhile() throws {
        let loaded = try LoadedExtension.make(Self.source)
        let (exchange, client, call) = try Self.begin(loaded)
        let second = Elsewhere { loaded.answer(FakeExchange("/x?s")).text }
        try Thread.start(named: "second") { second.run() }
        Thread.sleep(milliseconds: 20)
        #expect(!call.revoke())
        client.read()
        #expect(second.wait() == "0 87")
        exchange.waitForCompletion()
        #expect(exchange.answer.text == "held" && exchange.answer.failures == [504])
    }

    @Test func aReturnWhileAnotherThreadWritesLeavesTheEndToThatThread() throws {
        let loaded = try LoadedExtension.make(Self.source)
        let client = SlowClient()
        let exchange = FakeExchange("/x?r", client: client)
        let caller = Elsewhere {
            if case .pending = loaded.call(exchange) { "pending" } else { "finished" }
        }
        try Thread.start(named: "caller") { caller.run() }
        client.waitForWriter()
        #expect(loaded.answer(FakeExchange("/x?g")).text == "0 0")
        #expect(caller.wait() == "pending")
        #expect(loaded.answer(FakeExchange("/x?s")).text == "0 87")
        #expect(exchange.answer.completions == 0 && exchange.answer.failures.isEmpty)
        client.read()
        exchange.waitForCompletion()
        #expect(exchange.answer.completions == 1 && exchange.answer.failures == [500])
    }

    @Test func anErrorToldByDoneCountsWhenTheWriterLeaves() throws {
        let loaded = try LoadedExtension.make(Self.source)
        let (exchange, client, _) = try Self.begin(loaded)
        #expect(loaded.answer(FakeExchange("/x?e")).text == "1 0")
        client.read()
        exchange.waitForCompletion()
        #expect(exchange.answer.failures == [500])
    }

    /// Something that runs on another thread and gives a text.
    private final class Elsewhere: Sendable {
        private let body: @Sendable () -> String
        private let result = Mutex<String?>(nil)
        private let gate = Gate()

        init(_ body: @escaping @Sendable () -> String) { self.body = body }

        func run() {
            let text = body()
            result.withLock { $0 = text }
            gate.wake()
        }

        var isOver: Bool { result.withLock { $0 != nil } }

        func wait() -> String {
            while true {
                let ticket = gate.ticket
                if let text = result.withLock({ $0 }) { return text }
                _ = gate.wait(after: ticket, until: .never)
            }
        }
    }
}
