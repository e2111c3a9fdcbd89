// A site in a temporary folder, and requests for its files over a socket pair.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Exchange
import Glibc
import Handlers
import Platform
import TestSupport

/// A folder with a site's root in it, and beside the root a secret that nobody may get.
final class ServedFolder {
    static let secret = "the canary outside the root"
    let folder: TemporaryFolder
    let site: ServedSite
    var settings = Settings.Site(name: "main")

    init() throws {
        folder = try TemporaryFolder()
        folder.makeFolder("www")
        try folder.write("secret.txt", Self.secret)
        let root = folder.path + "/www"
        site = ServedSite(
            name: "main", number: 1, documentRoot: Array(root.utf8),
            rootDescriptor: try Files.open(root, [.readOnly, .directory]).take())
        settings.handlers = [
            .init(pattern: .prefix("/cgi-bin"), target: .cgi(Settings.CGI()), line: 1),
            .init(pattern: .suffix(".php"), target: .pool(0), line: 2),
        ]
    }

    deinit { closeDescriptor(site.rootDescriptor) }

    struct Answer {
        var response = HTTPResponse()
        /// The mapping that an index file belongs to.
        var mapping: Int?
        var scriptFilename = ""
        var status: Int { response.status }
        var body: String { response.text }
        func field(_ name: String) -> String? { response.value(name) }
    }

    /// What a client gets for that target.
    func get(_ target: String, _ fields: [String] = [], method: String = "GET") throws -> Answer {
        let lines = ["\(method) \(target) HTTP/1.1", "Host: x"] + fields + ["", ""]
        let wire: Wire
        do {
            wire = try Wire(lines.joined(separator: "\r\n"))
        } catch let error as RequestError {
            var answer = Answer()
            answer.response.status = error.status
            return answer
        }
        let exchange = wire.exchange
        exchange.route.lead(to: Unmanaged.passUnretained(site))
        var answer = Answer()
        if case .script(let mapping) = StaticFiles.answer(exchange, rules: FileRules(settings)) {
            answer.mapping = mapping
            answer.scriptFilename = String(decoding: exchange.route.scriptFilename, as: UTF8.self)
        }
        answer.response = ResponseReader.response(
            in: wire.response.bytes, headOnly: exchange.request.method == .head)
        exchange.end()
        return answer
    }
}
