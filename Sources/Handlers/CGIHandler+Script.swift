// What a script is told: program, arguments, environment, folder.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Exchange

extension CGIHandler {
    /// Bytes of an environment, so that it fits the message to the supervisor and man 2 execve.
    private static var largestEnvironment: Int { 128 * 1024 }

    /// The process to start; nil when its environment would be too large.
    func script(for exchange: HTTPExchange) -> Script? {
        let file = String(decoding: exchange.route.scriptFilename, as: UTF8.self)
        guard let environment = environment(for: exchange) else { return nil }
        // No argument ever comes from the query (RFC 3875 §4.4 may be left out, and CVE-2012-1823
        // says why).
        if let interpreter = settings.interpreter {
            return Script(
                program: interpreter, arguments: [interpreter, file], environment: environment,
                folder: Self.folder(of: file))
        }
        return Script(
            program: file, arguments: [file], environment: environment,
            folder: Self.folder(of: file))
    }

    private func environment(for exchange: HTTPExchange) -> [[UInt8]]? {
        var environment: [[UInt8]] = []
        var size = 0
        func add(_ variable: [UInt8]) {
            size += variable.count + 1
            environment.append(variable)
        }
        var hasPath = false
        for setting in settings.environment {
            if setting.name == "PATH" { hasPath = true }
            add(Array("\(setting.name)=\(setting.value)".utf8))
        }
        if !hasPath { add(Array("PATH=/usr/local/bin:/usr/bin:/bin".utf8)) }
        Variables.forEachGatewayVariable(
            request: exchange.request, facts: exchange, bodyLength: exchange.body.length
        ) { name, value in
            var variable: [UInt8] = []
            variable.reserveCapacity(name.count + 1 + value.count)
            variable.append(name)
            variable.append(UInt8(ascii: "="))
            variable.append(value)
            add(variable)
        }
        return size <= Self.largestEnvironment ? environment : nil
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
