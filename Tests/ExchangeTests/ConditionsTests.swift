// Preconditions in their order (RFC 9110 §13.2.2).
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing

@Suite struct ConditionsTests {
    private static let then = "Sun, 06 Nov 1994 08:49:37 GMT"
    private static let before = "Sun, 06 Nov 1994 08:49:36 GMT"
    private static let after = "Sun, 06 Nov 1994 08:49:38 GMT"

    private func judge(
        _ fields: [String], method: String = "GET", tag: String = "\"a\"",
        modified: Int64 = 784_111_777,
        now: Int64 = 1_790_000_000
    ) throws -> Conditions.Verdict {
        let lines = ["\(method) /f HTTP/1.1", "Host: x"] + fields + ["", ""]
        let head = Array(lines.joined(separator: "\r\n").utf8)
        let request = Request()
        var parser = RequestParser()
        _ = try parser.parse(head.span, into: request)
        let tag = Array(tag.utf8)
        return Conditions.judge(request, tag: tag.span, modified: modified, now: now)
    }

    @Test(
        arguments: [
            ([], .proceed(range: false)),
            (["Range: bytes=0-1"], .proceed(range: true)),
            // If-Match compares strongly.
            (["If-Match: \"a\""], .proceed(range: false)),
            (["If-Match: *"], .proceed(range: false)),
            (["If-Match: \"b\", \"a\""], .proceed(range: false)), (["If-Match: W/\"a\""], .failed),
            (["If-Match: \"b\"", "If-Match: \"a\""], .proceed(range: false)),
            (["If-Match: \"b\""], .failed), (["If-Match: a"], .failed),
            (["If-Match: \"a"], .failed),
            // ... and hides If-Unmodified-Since.
            (["If-Match: \"a\"", "If-Unmodified-Since: \(before)"], .proceed(range: false)),
            (["If-Unmodified-Since: \(then)"], .proceed(range: false)),
            (["If-Unmodified-Since: \(before)"], .failed),
            (["If-Unmodified-Since: yesterday"], .proceed(range: false)),
            // If-None-Match compares weakly.
            (["If-None-Match: \"a\""], .notModified), (["If-None-Match: W/\"a\""], .notModified),
            (["If-None-Match: *"], .notModified),
            (["If-None-Match: \"x,y\", ,\"a\""], .notModified),
            (["If-None-Match: \"b\""], .proceed(range: false)),
            (["If-None-Match: \"A\""], .proceed(range: false)),
            (["If-None-Match: garbage, \"a\""], .proceed(range: false)),
            // ... and hides If-Modified-Since.
            (["If-None-Match: \"b\"", "If-Modified-Since: \(after)"], .proceed(range: false)),
            (["If-Modified-Since: \(then)"], .notModified),
            (["If-Modified-Since: \(after)"], .notModified),
            (["If-Modified-Since: \(before)"], .proceed(range: false)),
            (["If-Modified-Since: \(then)", "If-Modified-Since: \(then)"], .proceed(range: false)),
            (["If-Modified-Since: 0"], .proceed(range: false)),
            // The first group decides before the second.
            (["If-Match: \"b\"", "If-None-Match: \"a\""], .failed),
            (["If-Match: \"a\"", "If-None-Match: \"a\""], .notModified),
            // If-Range.
            (["Range: bytes=0-1", "If-Range: \"a\""], .proceed(range: true)),
            (["Range: bytes=0-1", "If-Range: W/\"a\""], .proceed(range: false)),
            (["Range: bytes=0-1", "If-Range: \"b\""], .proceed(range: false)),
            (["Range: bytes=0-1", "If-Range: \"a\", \"b\""], .proceed(range: false)),
            (["Range: bytes=0-1", "If-Range: *"], .proceed(range: false)),
            (["Range: bytes=0-1", "If-Range: \(then)"], .proceed(range: true)),
            (["Range: bytes=0-1", "If-Range: \(after)"], .proceed(range: false)),
            (["If-Range: \"a\""], .proceed(range: false)),
            (["If-None-Match: \"a\"", "Range: bytes=0-1"], .notModified),
        ] as [([String], Conditions.Verdict)])
    func fieldsLeadToAVerdict(fields: [String], verdict: Conditions.Verdict) throws {
        #expect(try judge(fields) == verdict)
    }

    @Test func aWeakTagMatchesOnlyWeakly() throws {
        #expect(try judge(["If-None-Match: \"a\""], tag: "W/\"a\"") == .notModified)
        #expect(try judge(["If-Match: W/\"a\""], tag: "W/\"a\"") == .failed)
        let fields = ["Range: bytes=0-1", "If-Range: W/\"a\""]
        #expect(try judge(fields, tag: "W/\"a\"") == .proceed(range: false))
    }

    @Test func otherMethodsFailInsteadOfBeingNotModified() throws {
        #expect(try judge(["If-None-Match: \"a\""], method: "DELETE") == .failed)
        #expect(
            try judge(["If-Modified-Since: \(Self.then)"], method: "DELETE")
                == .proceed(range: false))
        #expect(try judge(["Range: bytes=0-1"], method: "HEAD") == .proceed(range: false))
    }

    @Test func aDateIsNoStrongValidatorWithinItsSecond() throws {
        let fields = ["Range: bytes=0-1", "If-Range: \(Self.then)"]
        #expect(try judge(fields, now: 784_111_777) == .proceed(range: false))
        #expect(try judge(fields, now: 784_111_778) == .proceed(range: true))
    }
}
