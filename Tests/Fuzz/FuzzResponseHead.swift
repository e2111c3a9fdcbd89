// Response heads by the three rules: no control byte gets through, whatever an extension or script says.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// The checked lines of a head are lines of text, and nothing in them ends the head early.
private func check(_ head: borrowing ResponseHead) {
    precondition(head.reason.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 9 }, "the reason")
    precondition((200...999).contains(head.status), "the status")
    var index = 0
    var lineStart = 0
    let block = head.block
    while index < block.count {
        switch block[index] {
        case 0x0d:
            precondition(index + 1 < block.count && block[index + 1] == 0x0a, "a bare CR")
            precondition(index > lineStart, "an empty line")
            index += 1
            lineStart = index + 1
        case 0x0a, 0, 0x7f: preconditionFailure("a control byte")
        default: break
        }
        index += 1
    }
    precondition(lineStart == block.count, "the last line has no end")
    precondition((head.contentLength ?? 0) >= 0, "the length")
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    let span = bytes.span
    let length = ResponseHead.length(in: span)
    let middle = count / 2
    let early = ResponseHead.length(in: span.extracting(first: middle))
    precondition(early == nil || early == length, "the length of the first half")
    if early == nil {
        precondition(ResponseHead.length(in: span, from: middle) == length, "searched in two steps")
    }
    for rules in [ResponseHead.Rules.fromExtension, .fromGateway, .fromWorker] {
        for atEnd in [false, true] {
            var head = ResponseHead()
            if let used = try? head.parse(span, rules, atEnd: atEnd) {
                precondition(used <= count)
                check(head)
                var gateway: [UInt8] = []
                head.appendGatewayHead(to: &gateway)
            }
        }
    }
    var head = ResponseHead()
    if head.setStatus(span) { check(head) }
    if head.addField("X", span) { check(head) }
    return 0
}
