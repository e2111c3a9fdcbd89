// The page that stands for a response nobody gave.
// SPDX-License-Identifier: Apache-2.0

/// A small page that says no more than the status does.
package enum ErrorPage {
    package static func html(status: Int) -> [UInt8] {
        let title = "\(status) \(reasonPhrase(status))"
        return Array(
            """
            <!doctype html>
            <html lang="en"><meta charset="utf-8"><title>\(title)</title>
            <h1>\(title)</h1>
            <hr><p>Mortise</p></html>

            """.utf8)
    }
}
