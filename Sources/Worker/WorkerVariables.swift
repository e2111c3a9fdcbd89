// What the request's parameters say of the connection, the site and the mapping.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// The parameters of a connection's current request, and the worker's own settings.
struct WorkerVariables {
    var params = WorkerParams()
    private let settings: [(name: String, value: String)]
    private let libraryPath: String

    init(settings: [(name: String, value: String)], libraryPath: String) {
        self.settings = settings
        self.libraryPath = libraryPath
    }

    func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool {
        switch variable {
        case .remoteAddress: params.append("REMOTE_ADDR", to: &bytes)
        case .remotePort: params.append("REMOTE_PORT", to: &bytes)
        case .localAddress: params.append("SERVER_ADDR", to: &bytes)
        case .localPort: params.append("SERVER_PORT", to: &bytes)
        case .secure: isSecure
        case .siteName:
            params.append("MORTISE_SITE_NAME", to: &bytes)
                || params.append("SERVER_NAME", to: &bytes)
        case .siteNumber: params.append("MORTISE_SITE_NUMBER", to: &bytes) || appendOne(to: &bytes)
        case .documentRoot: appendRoot(to: &bytes)
        case .scriptName: params.append("SCRIPT_NAME", to: &bytes)
        case .pathInfo: appendPathInfo(to: &bytes)
        case .pathTranslated: appendPathTranslated(to: &bytes)
        case .scriptFilename:
            params.append("SCRIPT_FILENAME", to: &bytes) || appendLibrary(to: &bytes)
        case .poolName: params.append("MORTISE_POOL", to: &bytes)
        }
    }

    /// A setting of the configuration, sent along by the host or given to the worker.
    func appendSetting(_ name: Span<UInt8>, to bytes: inout [UInt8]) -> Bool {
        if isListed(name), let value = params.value(ofAnyCase: name) {
            bytes.append(contentsOf: params.bytes[value])
            return true
        }
        for setting in settings {
            let own = Array(setting.name.utf8)
            guard same(own.span, name) else { continue }
            bytes.append(contentsOf: setting.value.utf8)
            return true
        }
        return false
    }

    func forEachSetting(_ body: (_ name: String, _ value: String) -> Void) {
        for range in listedSettings {
            guard let value = params.value(at: range) else { continue }
            body(text(range), text(value))
        }
        for setting in settings { body(setting.name, setting.value) }
    }

    private var isSecure: Bool {
        guard let value = params.value("HTTPS"), !value.isEmpty else { return false }
        let all = params.bytes
        return !all.span.extracting(value).matches("off")
    }

    private func appendPathInfo(to bytes: inout [UInt8]) -> Bool {
        guard let info = params.known.pathInfo else { return false }
        params.append(info, to: &bytes)
        return true
    }

    private func appendOne(to bytes: inout [UInt8]) -> Bool {
        bytes.append("1")
        return true
    }

    private func appendLibrary(to bytes: inout [UInt8]) -> Bool {
        bytes.append(contentsOf: libraryPath.utf8)
        return true
    }

    private func appendRoot(to bytes: inout [UInt8]) -> Bool {
        guard let root = params.value("DOCUMENT_ROOT"), !root.isEmpty else { return false }
        params.append(root, to: &bytes)
        while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
        return true
    }

    /// As the host has it: nothing without a path info, also when the front server sends the root alone.
    private func appendPathTranslated(to bytes: inout [UInt8]) -> Bool {
        guard let info = params.known.pathInfo, !info.isEmpty else { return false }
        if params.append("PATH_TRANSLATED", to: &bytes) { return true }
        guard appendRoot(to: &bytes) else { return false }
        params.append(info, to: &bytes)
        return true
    }

    private func isListed(_ name: Span<UInt8>) -> Bool {
        let all = params.bytes
        for range in listedSettings where same(all.span.extracting(range), name) { return true }
        return false
    }

    /// MORTISE_SETTINGS: names separated by commas.
    private var listedSettings: [Range<Int>] {
        guard let list = params.value("MORTISE_SETTINGS") else { return [] }
        var names: [Range<Int>] = []
        var start = list.lowerBound
        for index in list where params.bytes[index] == UInt8(ascii: ",") {
            names.append(start..<index)
            start = index + 1
        }
        names.append(start..<list.upperBound)
        return names.filter { !$0.isEmpty }
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: params.bytes[range], as: UTF8.self)
    }
}
