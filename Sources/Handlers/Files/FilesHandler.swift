// The files of one site.
// SPDX-License-Identifier: Apache-2.0

package import Exchange

/// Answers with a site's files, by the site's rules about them.
package final class FilesHandler: Handler {
    private let rules: FileRules

    package init(rules: FileRules) { self.rules = rules }

    /// A folder's index may turn out to be a script's.
    package func takesBody(of request: Request) -> Bool {
        request.path.last == UInt8(ascii: "/")
    }

    package func answer(_ exchange: Exchange) -> Answer {
        switch StaticFiles.answer(exchange, rules: rules) {
        case .answered: .done
        case .script(let mapping): .handOver(to: mapping)
        }
    }
}
