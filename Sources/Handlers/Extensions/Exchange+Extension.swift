// What the ISAPI bridge asks of an exchange in the host process.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
import ExtensionHost
import Platform

extension Exchange: ExtensionExchange {
    package var bodyLength: Int64 { body.wholeLength }

    package var bodyIsComplete: Bool { body.isComplete }

    package func readBody(into room: UnsafeMutableRawBufferPointer) -> Int { body.read(into: room) }

    package func readBodyNow(into room: UnsafeMutableRawBufferPointer) -> Int {
        body.readKept(into: room)
    }

    package var isConnected: Bool { response.isConnected }

    package var keepsConnection: Bool { request.keepsAlive }

    package var isInProcess: Bool { route.poolName == nil }

    /// Ends a pending exchange: it goes on, on a thread of its shard.
    package func complete() { resume() }
}

extension Exchange: MetaVariableSource {
    package func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool {
        switch variable {
        case .remoteAddress: remote.appendHost(to: &bytes)
        case .remotePort: bytes.append(decimal: UInt64(remote.port))
        case .localAddress: local.appendHost(to: &bytes)
        case .localPort: bytes.append(decimal: UInt64(local.port))
        case .secure: return false
        case .siteName: bytes.append(contentsOf: (route.site?.name ?? "").utf8)
        case .siteNumber: bytes.append(decimal: UInt64(clamping: route.site?.number ?? 1))
        case .documentRoot: return append(route.site?.documentRoot, to: &bytes)
        case .scriptName: route.appendScriptName(to: &bytes)
        case .pathInfo: _ = append(route.pathInfo, to: &bytes)
        case .pathTranslated:
            guard !route.pathInfo.isEmpty, append(route.site?.documentRoot, to: &bytes) else {
                return false
            }
            return append(route.pathInfo, to: &bytes)
        case .scriptFilename:
            let before = bytes.count
            route.appendScriptFilename(to: &bytes)
            return bytes.count > before
        case .poolName:
            guard let name = route.poolName else { return false }
            bytes.append(contentsOf: name.utf8)
        }
        return true
    }

    /// False when there is nothing to append.
    private func append(_ path: [UInt8]?, to bytes: inout [UInt8]) -> Bool {
        guard let path, !path.isEmpty else { return false }
        path.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        return true
    }

    package func appendSetting(_ name: Span<UInt8>, to bytes: inout [UInt8]) -> Bool {
        for setting in route.settings where isSame(setting.name, name) {
            bytes.append(contentsOf: setting.value.utf8)
            return true
        }
        return false
    }

    private func isSame(_ text: String, _ name: Span<UInt8>) -> Bool {
        guard text.utf8.count == name.count else { return false }
        var index = 0
        for byte in text.utf8 {
            if lowercased(byte) != lowercased(name[index]) { return false }
            index += 1
        }
        return true
    }

    package func forEachSetting(_ body: (_ name: String, _ value: String) -> Void) {
        for setting in route.settings { body(setting.name, setting.value) }
    }
}
