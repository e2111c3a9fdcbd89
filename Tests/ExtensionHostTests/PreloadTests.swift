// Which part of a body an extension is called with, complete or still arriving.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import TestExtensions
import Testing

struct PreloadTests {
    /// Tells of total, available, and what ReadClient brings after it.
    private static let source = """
        DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *e) {
            static char buffer[200000];
            char line[100];
            unsigned count = 0;
            for (;;) {
                DWORD size = 1000;
                if (!e->ReadClient(e->ConnID, buffer + count, &size)) return HSE_STATUS_ERROR;
                if (size == 0) break;
                count += size;
            }
            int ended = e->lpbData[e->cbAvailable] == 0;
            sprintf(line, "%x %u %u %d", e->cbTotalBytes, e->cbAvailable, count, ended);
            head(e, NULL, "\\r\\n");
            say(e, line);
            return HSE_STATUS_SUCCESS;
        }
        """

    @Test(arguments: [(0, 0), (1, 1), (700, 700), (49152, 49152), (60_000, 49152)])
    func anArrivingBodyIsGivenAsFarAsItIsThere(arrived: Int, available: Int) throws {
        let loaded = try LoadedExtension.make(Self.source)
        let body = [UInt8](repeating: 0x61, count: 100_000)
        let known = FakeExchange(method: "POST", body: body, largestRead: 5000)
        known.arrived = arrived
        #expect(loaded.answer(known).text == "186a0 \(available) \(100_000 - available) 1")
        let unknown = FakeExchange(method: "POST", body: body, largestRead: 5000, bodyLength: -1)
        unknown.arrived = arrived
        #expect(loaded.answer(unknown).text == "ffffffff \(available) \(100_000 - available) 1")
    }

    @Test func anArrivingBodyThatIsShorterThanTheBoundIsReadToItsEnd() throws {
        let loaded = try LoadedExtension.make(Self.source)
        let exchange = FakeExchange(method: "POST", body: Array("0123456789".utf8), bodyLength: -1)
        exchange.arrived = 4
        #expect(loaded.answer(exchange).text == "ffffffff 4 6 1")
    }
}
