// Response heads of extensions, gateways and workers: what is normalised, what is refused.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing
import TestSupport

func head(
    _ text: String, _ rules: ResponseHead.Rules, atEnd: Bool = false
) throws(ResponseHeadError) -> (head: ResponseHead, consumed: Int?) {
    var head = ResponseHead()
    let bytes = Array(text.utf8)
    let consumed = try head.parse(bytes.span, rules, atEnd: atEnd)
    return (head, consumed)
}

extension ResponseHead {
    mutating func setStatus(_ line: String) -> Bool {
        let bytes = Array(line.utf8)
        return setStatus(bytes.span)
    }

    var text: String { String(decoding: block, as: UTF8.self) }
}

@Suite struct ResponseHeadTests {
    @Test func gatewayHeadIsReadUpToItsBody() throws {
        let text =
            "Status: 404 Not Here\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbody"
        let (head, consumed) = try head(text, .fromGateway)
        #expect(consumed == text.utf8.count - 4)
        #expect(head.status == 404 && head.hasStatus && head.reason == Array("Not Here".utf8))
        #expect(head.text == "Content-Type: text/plain\r\n" && head.hasContentType)
        #expect(head.contentLength == 4)
    }

    @Test(arguments: ["\n", "\r\n"]) func lineEndsMayBeBare(end: String) throws {
        let text = "Content-Type: a/b\(end)X-Empty:\(end)Set-Cookie: a=1; b\(end)\(end)"
        for rules in [ResponseHead.Rules.fromGateway, .fromExtension, .fromWorker] {
            let (head, consumed) = try head(text, rules)
            #expect(consumed == text.utf8.count)
            #expect(head.text == "Content-Type: a/b\r\nX-Empty: \r\nSet-Cookie: a=1; b\r\n")
        }
    }

    @Test func headIsReadOnlyWhenItsBlankLineHasCome() throws {
        let text = "Content-Type: a/b\r\nX: y\n\r\n"
        for count in 0..<text.utf8.count {
            let bytes = Array(text.utf8)
            let beginning = String(decoding: bytes[..<count], as: UTF8.self)
            #expect(try head(beginning, .fromGateway).consumed == nil)
            let length = ResponseHead.length(in: bytes.span, from: count)
            #expect(length == bytes.count)
        }
        #expect(throws: ResponseHeadError.noBlankLine) {
            try head("Content-Type: a/b\r\n", .fromGateway, atEnd: true)
        }
    }

    @Test(
        arguments: [
            ("Content-Type : text/html\r\nX\t: 1\r\n\r\n", "Content-Type: text/html\r\nX: 1\r\n"),
            ("Content-Type: text/html\n\n", "Content-Type: text/html\r\n"),
            ("Content-Type: text/html", "Content-Type: text/html\r\n"),
            ("Content-Type: text/html\r\n\0", "Content-Type: text/html\r\n"),
            ("\r\n", ""), ("", ""),
        ])
    func sloppyHeadOfAnExtensionIsNormalised(text: String, block: String) throws {
        #expect(try head(text, .fromExtension, atEnd: true).head.text == block)
    }

    @Test func extensionMaySayStatusInTheBlockOrInAStatusLine() throws {
        let inside = try head("Status: 403 No\r\nX: 1\r\n\r\n", .fromExtension).head
        #expect(inside.status == 403 && inside.text == "X: 1\r\n")
        let line = try head(
            "HTTP/1.1 201 Made\r\nTransfer-Encoding: Chunked\r\nConnection: x, Close\r\n\r\n",
            .fromExtension
        ).head
        #expect(line.status == 201 && line.reason == Array("Made".utf8) && line.hasStatus)
        #expect(line.isChunked && line.closesConnection && line.text.isEmpty)
    }

    @Test(
        arguments: [
            ("200 OK", 200, "OK"), ("200OK", 200, "OK"), (" 201 Created\r", 201, "Created"),
            ("200", 200, ""), ("404 Not Found\0", 404, "Not Found"), ("599\t x", 599, "x"),
        ])
    func statusIsReadAsExtensionsWriteIt(line: String, status: Int, reason: String) {
        var head = ResponseHead()
        let isStatus = head.setStatus(line)
        #expect(isStatus)
        #expect(head.status == status && head.reason == Array(reason.utf8))
    }

    @Test(
        arguments: [
            "", "20", "abc", "99 Low", "099", "100 Continue", "1000", "600 High", "+20 OK",
            "2000 OK",
            "200 O\rK", "200 O\nK", "200 \u{1}", "2 0 0",
        ])
    func statusThatIsNoneIsRefused(line: String) {
        var head = ResponseHead()
        let isStatus = head.setStatus(line)
        #expect(!isStatus)
        #expect(head.status == 200 && head.reason.isEmpty && !head.hasStatus)
    }

    @Test(
        arguments: [
            ("\r\n", ResponseHeadError.noFields),
            ("no colon\r\n\r\n", .malformedLine),
            ("X: a\rb\r\n\r\n", .malformedValue), ("X: a\0b\r\n\r\n", .malformedValue),
            ("X: a\u{7f}\r\n\r\n", .malformedValue), ("X: a\r\r\n\r\n", .malformedValue),
            (": v\r\n\r\n", .malformedName), ("X Y: v\r\n\r\n", .malformedName),
            ("X : v\r\n\r\n", .malformedName), (" X: v\r\n\r\n", .malformedName),
            ("X: 1\r\n folded: 2\r\n\r\n", .malformedName), ("X\u{e9}: v\r\n\r\n", .malformedName),
            ("Status: abc\r\n\r\n", .invalidStatus), ("Status: 99\r\n\r\n", .invalidStatus),
            ("Status: 1000\r\n\r\n", .invalidStatus), ("HTTP/1.1 abc\r\n\r\n", .invalidStatus),
            ("Status: 200\r\nStatus: 200\r\n\r\n", .duplicateStatus),
            ("HTTP/1.1 200 OK\r\nStatus: 200\r\n\r\n", .duplicateStatus),
            ("Content-Length: 5\r\nContent-Length: 6\r\n\r\n", .invalidContentLength),
            ("Content-Length: 5, 5\r\n\r\n", .invalidContentLength),
            ("Content-Length: +5\r\n\r\n", .invalidContentLength),
            ("Content-Length: -1\r\n\r\n", .invalidContentLength),
            ("Content-Length:\r\n\r\n", .invalidContentLength),
            ("Content-Length: 9223372036854775808\r\n\r\n", .invalidContentLength),
            ("Content-Length: 99999999999999999999\r\n\r\n", .invalidContentLength),
            ("Location: /a\r\nLocation: /b\r\n\r\n", .duplicateLocation),
        ])
    func malformedGatewayHeadIsRefused(text: String, error: ResponseHeadError) {
        #expect(throws: error) { try head(text, .fromGateway) }
    }

    @Test func headBeyond64KiBIsRefused() throws {
        let long = "X: " + String(repeating: "a", count: 65536 - 3 - 4)
        #expect(try head(long + "\r\n\r\n", .fromGateway).consumed == 65536)
        #expect(throws: ResponseHeadError.tooLarge) { try head(long + "a\r\n\r\n", .fromGateway) }
        #expect(throws: ResponseHeadError.tooLarge) { try head(long + "aaaaa", .fromExtension) }
    }

    @Test func framingIsTheServersAlone() throws {
        let text = """
            Transfer-Encoding: chunked\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r
            TE: trailers\r\nTrailer: X\r\nProxy-Connection: close\r\nContent-Length: 007\r\nDate: x\r
            Server: y\r\nContent-Length: 7\r\n\r\n
            """
        let (gateway, _) = try head(text, .fromGateway)
        #expect(gateway.text == "Date: x\r\nServer: y\r\n" && gateway.hasDate && gateway.hasServer)
        #expect(!gateway.isChunked && !gateway.closesConnection && gateway.contentLength == 7)
        #expect(throws: ResponseHeadError.invalidTransferEncoding) { try head(text, .fromWorker) }
        let (own, _) = try head(text, .fromExtension)
        #expect(own.isChunked && own.closesConnection && own.contentLength == nil)
        #expect(throws: ResponseHeadError.invalidTransferEncoding) {
            try head("Transfer-Encoding: gzip, chunked\r\n\r\n", .fromExtension)
        }
    }

    @Test(
        arguments: [
            ("Location: /x?y\n\n", true, 302), ("Location: http://a/\n\n", false, 302),
            ("Location: //a/\n\n", false, 302), ("Location: /x\nStatus: 301\n\n", false, 301),
            ("Location:\nX: y\n\n", false, 200),
        ])
    func locationWithoutStatusRedirects(text: String, isLocal: Bool, status: Int) throws {
        let (head, _) = try head(text, .fromGateway)
        #expect(head.isLocalRedirect == isLocal && head.status == status)
        #expect(head.location.isEmpty == !head.text.contains("Location: "))
    }

    @Test func workersHeadComesBackAsItWasSent() throws {
        var head = ResponseHead()
        _ = head.setStatus("418 Teapot")
        head.addField("X-One", "1")
        head.addField("Content-Length", "12")
        head.addField("Connection", "close")
        head.addField("Location", "/away")
        let isAdded = head.addField("X-Bad", "a\r\nSet-Cookie: b")
        #expect(!isAdded)
        var bytes: [UInt8] = []
        head.appendGatewayHead(to: &bytes)
        var read = ResponseHead()
        let consumed = try read.parse(bytes.span, .fromWorker)
        #expect(consumed == bytes.count)
        #expect(read.status == 418 && read.reason == head.reason && read.block == head.block)
        #expect(read.contentLength == 12 && read.closesConnection && read.location == head.location)
        read.reset()
        #expect(read.status == 200 && read.block.isEmpty && read.contentLength == nil)
        bytes.removeAll()
        read.appendGatewayHead(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == "Status: 200 OK\r\n\r\n")
    }

    @Test func randomDamageNeverTrapsAndNeverInjects() {
        var random = SeededNumbers(seed: 0x4865_6164)
        let seed = Array(
            """
            HTTP/1.1 200 OK\r\nStatus: 200 OK\r\nContent-Length: 12\r\nLocation : /a\nConnection: close\r
            Transfer-Encoding: chunked\r\nContent-Type: text/html\r\n\r\nbody
            """.utf8)
        let interesting = Array("\r\n:\0 \t9,\u{7f}".utf8)
        for round in 0..<6000 {
            var bytes = seed
            for _ in 0...random.below(5) {
                let place = random.below(bytes.count)
                switch random.below(4) {
                case 0: bytes[place] = random.byte()
                case 1: bytes[place] = interesting[random.below(interesting.count)]
                case 2: bytes.remove(at: place)
                default: bytes.insert(interesting[random.below(interesting.count)], at: place)
                }
            }
            let rules: ResponseHead.Rules =
                round % 3 == 0 ? .fromExtension : round % 3 == 1 ? .fromGateway : .fromWorker
            var head = ResponseHead()
            let consumed = try? head.parse(bytes.span, rules, atEnd: round % 2 == 0)
            guard let consumed else { continue }
            #expect(consumed <= bytes.count && (200...599).contains(head.status))
            // Each line of the block ends with CRLF and holds no other control character but HTAB.
            var lines = head.block.split(separator: 0x0a, omittingEmptySubsequences: false)
            #expect(lines.popLast()?.isEmpty == true)
            for line in lines {
                #expect(line.last == 0x0d && line.contains(UInt8(ascii: ":")))
                #expect(line.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 })
            }
        }
    }
}
