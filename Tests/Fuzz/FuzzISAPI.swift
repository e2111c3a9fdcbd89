// The ISAPI entry points called with whatever an extension may pass: see isapi.c, which makes the calls.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
import Exchange
import ExtensionHost
import Platform

/// An exchange whose client swallows everything. Its body is the script of the calls to make.
private final class Swallowing: ExtensionExchange {
    let request = Request()
    let body: [UInt8]
    var position = 0
    let isInProcess = true
    let keepsConnection = true
    let isConnected = true
    var heads = 0

    init(_ body: [UInt8]) {
        self.body = body
        let head = Array(
            "POST /x/more?a=b HTTP/1.1\r\nHost: test:81\r\nContent-Length: \(body.count)\r\nCookie: a\r\nCookie: b\r\n\r\n"
                .utf8)
        var parser = RequestParser()
        guard (try? parser.parse(head.span, into: request)) == head.count else {
            preconditionFailure("the request is no request")
        }
    }

    var bodyLength: Int64 { Int64(body.count) }

    func readBody(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, body.count - position)
        body.withUnsafeBytes {
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
        }
        position += count
        return count
    }

    func sendHead(_ head: borrowing ResponseHead) -> Bool {
        heads += 1
        precondition(heads == 1, "two heads")
        precondition(!head.block.contains(0), "a NUL in a field")
        return true
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        precondition(heads == 1, "a body before its head")
        var sum: UInt8 = 0
        for byte in bytes { sum &+= byte }
        return sum != 1
    }

    func fail(status: Int, reason: String) { precondition((400...599).contains(status)) }
    func appendLog(_ bytes: UnsafeRawBufferPointer) {
        precondition(Array(bytes).count == bytes.count)
    }
    func noteStatus(_ status: Int) {}
    func complete() {}

    func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool {
        bytes.append(contentsOf: "/fact".utf8)
        return true
    }

    func appendSetting(_ name: Span<UInt8>, to bytes: inout [UInt8]) -> Bool { false }
    func forEachSetting(_ body: (_ name: String, _ value: String) -> Void) { body("COLOUR", "red") }
}

/// Stands beside this program: `run` compiles isapi.c there.
private let library: LoadedExtension = {
    do {
        return try LoadedExtension.load(path: CommandLine.arguments[0] + ".so", name: "fuzz")
    } catch {
        preconditionFailure("\(error)")
    }
}()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let exchange = Swallowing(Array(UnsafeBufferPointer(start: start, count: count)))
    guard case .finished = library.call(exchange, whenPending: { _ in }) else {
        preconditionFailure("the extension is never pending")
    }
    return 0
}
