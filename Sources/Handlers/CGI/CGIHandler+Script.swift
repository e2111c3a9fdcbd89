// What a script is told: program, arguments, environment, folder.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Exchange

extension CGIHandler {
    /// Bytes of an environment, so that it fits the message to the supervisor and man 2 execve.
    private static var largestEnvironment: Int { 128 * 1024 }

    /// The process to start; nil when its environment would be too large.
    func script(for exchange: Exchange, interpreter: String?) -> Script? {
        let file = String(decoding: exchange.route.scriptFilename, as: UTF8.self)
        // No argument ever comes from the query (RFC 3875 §4.4 may be left out, and CVE-2012-1823
        // says why).
        var script = Script(
            program: interpreter ?? file, arguments: interpreter.map { [$0, file] } ?? [file],
            folder: Self.folder(of: file))
        script.confinement = settings.confinement
        let start = script.block.count
        addEnvironment(of: exchange, to: &script)
        return script.block.count - start <= Self.largestEnvironment ? script : nil
    }

    private func addEnvironment(of exchange: Exchange, to script: inout Script) {
        var hasPath = false
        for setting in settings.environment {
            if setting.name == "PATH" { hasPath = true }
            script.appendVariable(setting.name, setting.value)
        }
        if !hasPath { script.appendVariable("PATH", "/usr/local/bin:/usr/bin:/bin") }
        Variables.forEachGatewayVariable(
            request: exchange.request, metaVariables: exchange, bodyLength: exchange.body.length
        ) { name, value in script.appendVariable(name, value) }
    }

    private static func folder(of file: String) -> String {
        guard let slash = file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "/" }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }

    /// Whether the script writes the whole HTTP response itself (RFC 3875 §5.2).
    static func isNonParsed(_ file: [UInt8]) -> Bool {
        let slash = file.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { file[($0 + 1)...] } ?? file[...]
        return name.starts(with: "nph-".utf8)
    }
}
