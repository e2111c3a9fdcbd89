// The server's own small answers.
// SPDX-License-Identifier: Apache-2.0

import Exchange

extension Exchange {
    /// Answers with an error page and no line in the error log: what clients do wrong is in the access
    /// log. A response whose head is out is cut.
    package func refuse(
        status: Int, retryAfter: Int? = nil, allow: StaticString? = nil
    ) {
        guard !headSent else { return cut() }
        var head = ResponseHead()
        head.status = status
        head.addField("Content-Type", "text/html; charset=utf-8")
        if let retryAfter {
            var number: [UInt8] = []
            number.append(decimal: UInt64(clamping: retryAfter))
            head.addField("Retry-After", number.span)
        }
        if let allow { head.addField("Allow", allow) }
        let page = ErrorPage.html(status: status)
        head.contentLength = Int64(page.count)
        _ = sendHead(head)
        _ = page.withUnsafeBytes { write($0) }
        finish()
    }

    /// Answers OPTIONS: which methods there are.
    package func allow(_ methods: StaticString) {
        var head = ResponseHead()
        head.status = 204
        head.addField("Allow", methods)
        _ = sendHead(head)
        finish()
    }

    /// Sends the client elsewhere.
    package func redirect(status: Int, location: Span<UInt8>) {
        var head = ResponseHead()
        head.status = status
        head.addField("Location", location)
        head.contentLength = 0
        _ = sendHead(head)
        finish()
    }
}
