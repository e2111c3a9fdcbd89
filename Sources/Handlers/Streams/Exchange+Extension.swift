// What the ISAPI bridge asks of an exchange in the host process.
// SPDX-License-Identifier: Apache-2.0

package import Exchange
import ExtensionHost
import Platform

extension Exchange: ExtensionExchange {
    package var bodyLength: Int64 { body.length }

    package func readBody(into room: UnsafeMutableRawBufferPointer) -> Int { body.read(into: room) }

    /// Whether the client can still be sent something: the end of its own stream says nothing about that,
    /// a reset does (man 2 poll, POLLERR and POLLHUP, which need not be asked for).
    package var isConnected: Bool {
        guard !isBroken else { return false }
        return Socket.wait(socket, for: [], milliseconds: 0).isEmpty
    }

    package var keepsConnection: Bool { request.keepsAlive && keepsConnectionAfter }

    package var isInProcess: Bool { route.poolName == nil }

    package func appendLog(_ bytes: UnsafeRawBufferPointer) {
        let room = max(0, 4096 - logNote.count)
        logNote.append(contentsOf: bytes.prefix(room))
    }

    package func noteStatus(_ status: Int) { notedStatus = status }

    /// Ends a pending exchange: its connection goes on, on a thread of the pool.
    package func complete() { owner?.schedule(self) }
}

extension Exchange: MetaVariableSource {
    package func append(_ variable: MetaVariable, to bytes: inout [UInt8]) -> Bool {
        switch variable {
        case .remoteAddress: remote.appendHost(to: &bytes)
        case .remotePort: appendDecimal(UInt64(remote.port), to: &bytes)
        case .localAddress: local.appendHost(to: &bytes)
        case .localPort: appendDecimal(UInt64(local.port), to: &bytes)
        case .secure: return false
        case .siteName: bytes.append(contentsOf: (route.site?.name ?? "").utf8)
        case .siteNumber: appendDecimal(UInt64(clamping: route.site?.number ?? 1), to: &bytes)
        case .documentRoot: return append(route.site?.documentRoot, to: &bytes)
        case .scriptName: route.scriptName.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        case .pathInfo: route.pathInfo.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        case .pathTranslated:
            guard !route.pathInfo.isEmpty, append(route.site?.documentRoot, to: &bytes) else {
                return false
            }
            route.pathInfo.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        case .scriptFilename:
            guard !route.scriptFilename.isEmpty else { return false }
            route.scriptFilename.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        case .poolName:
            guard let name = route.poolName else { return false }
            bytes.append(contentsOf: name.utf8)
        }
        return true
    }

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
