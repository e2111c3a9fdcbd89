// An operator's side of the control socket.
// SPDX-License-Identifier: Apache-2.0

internal import Platform

/// Finds the servers of this user, and asks them.
package struct OperatorLine: Sendable {
    /// The socket's name in a server's runtime folder.
    package static let socketName = "control"

    package let path: String

    /// The control sockets of servers of this user that may be alive.
    package static var all: [OperatorLine] {
        var found: [OperatorLine] = []
        for parent in PrivateFolder.runtimeParents {
            for name in Files.names(in: parent) where name.hasPrefix(RuntimeFolder.prefix) {
                let path = "\(parent)/\(name)/\(socketName)"
                guard !found.contains(where: { $0.path == path }),
                    (try? Files.status(path: path)) != nil
                else { continue }
                found.append(OperatorLine(path: path))
            }
        }
        return found
    }

    /// Waits at most `seconds` for each part of the answer; nil: nobody is there, or says nothing sensible.
    package func ask(_ request: OperatorRequest, seconds: Int = 60) -> OperatorAnswer? {
        guard let socket = try? Socket.connect(.unix(path), milliseconds: 5000) else { return nil }
        Socket.setReceiveTimeout(socket.number, milliseconds: seconds * 1000)
        var line = request.line
        let sent = line.withUTF8 { Socket.send(socket.number, UnsafeRawBufferPointer($0)) }
        guard case .bytes(line.utf8.count) = sent else { return nil }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            switch chunk.withUnsafeMutableBytes({ Socket.receive(socket.number, into: $0) }) {
            case .bytes(let count): bytes.append(contentsOf: chunk[..<count])
            case .end: return OperatorAnswer(written: String(decoding: bytes, as: UTF8.self))
            case .wouldBlock, .failed: return nil
            }
        }
    }
}
