// How a response's body is framed, and which of its bytes may pass (RFC 9112 §6).
// SPDX-License-Identifier: Apache-2.0

/// The body of one response as its head announced it: the same rules wherever a response is written.
///
///     var framing = ResponseFraming(head, isHead: false, isHTTP10: false)
///     let allowed = framing.admit(bytes.count)    // what is more than was announced is dropped
///     let ending = framing.end()                  // complete, last chunk missing, or short
package struct ResponseFraming: Sendable, Equatable {
    package enum Form: Sendable, Equatable {
        /// Exactly so many more bytes follow.
        case length(left: Int64)
        case chunked
        /// The end of the connection ends the body (HTTP/1.0 without a length).
        case untilClose
        /// To HEAD, with 204 and with 304: whatever is written is dropped.
        case bodyless
    }

    /// How a body ended.
    package enum Ending: Sendable, Equatable {
        case complete
        /// The last chunk has to be written.
        case lastChunk
        /// So many announced bytes never came: the client must be able to tell.
        case short(by: Int64)
    }

    package private(set) var form: Form
    /// Body bytes that passed.
    package private(set) var passed: Int64 = 0
    /// Body bytes beyond the announced length, which did not pass.
    package private(set) var dropped: Int64 = 0

    /// Before the head is known: nothing passes.
    package init() { form = .bodyless }

    package init(_ head: borrowing ResponseHead, isHead: Bool, isHTTP10: Bool) {
        if isHead || head.status == 204 || head.status == 304 {
            form = .bodyless
        } else if let length = head.contentLength {
            form = .length(left: max(0, length))
        } else {
            form = isHTTP10 ? .untilClose : .chunked
        }
    }

    /// How many of so many bytes pass: all of them, those that were announced, or none.
    package mutating func admit(_ count: Int64) -> Int64 {
        switch form {
        case .bodyless: return 0
        case .chunked, .untilClose:
            passed &+= count
            return count
        case .length(let left):
            let admitted = min(left, count)
            form = .length(left: left - admitted)
            passed &+= admitted
            dropped &+= count - admitted
            return admitted
        }
    }

    /// What the end of the body comes to.
    package func end() -> Ending {
        switch form {
        case .length(let left): left > 0 ? .short(by: left) : .complete
        case .chunked: .lastChunk
        case .untilClose, .bodyless: .complete
        }
    }
}
