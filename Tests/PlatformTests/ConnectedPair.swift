// Two ends of a connection, for tests.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform

/// Two connected sockets that do not block; closed with this object.
final class ConnectedPair {
    enum Kind: CaseIterable, Sendable { case tcp, unix }

    /// The end the tests look at.
    private let near: Descriptor
    /// The peer; nil when it has been closed.
    private var far: Descriptor?

    init(_ kind: Kind) throws {
        switch kind {
        case .unix:
            let (near, far) = try Socket.pair()
            self.near = Descriptor(owning: near)
            self.far = Descriptor(owning: far)
        case .tcp:
            let listener = try Socket.listen(.ipv4(0x7f00_0001, port: 0))
            far = try Socket.connect(Socket.localAddress(listener.number))
            _ = Socket.wait(listener.number, for: .readable, milliseconds: 20_000)
            guard let accepted = try Socket.accept(listener.number) else {
                throw SystemError("accept4", code: EAGAIN)
            }
            near = Descriptor(owning: accepted.socket)
        }
        Socket.setBlocking(near.number, false)
        Socket.setBlocking(farNumber, false)
    }

    var nearNumber: Int32 { near.number }
    /// -1 when it has been closed.
    var farNumber: Int32 { far?.number ?? -1 }

    /// Closes the peer.
    func closeFar() { far = nil }

    func send(_ text: String) -> Socket.Transfer { Self.send(farNumber, text) }

    static func send(_ number: Int32, _ text: String) -> Socket.Transfer {
        Array(text.utf8).withUnsafeBytes { Socket.send(number, $0) }
    }

    /// What arrived at the near end, once something has.
    func receive(room: Int = 4096) -> (Socket.Transfer, String) {
        _ = Socket.wait(near.number, for: .readable, milliseconds: 20_000)
        return Self.receive(near.number, room: room)
    }

    static func receive(
        _ number: Int32, room: Int = 4096, peek: Bool = false, dontWait: Bool = false
    ) -> (Socket.Transfer, String) {
        var bytes = [UInt8](repeating: 0, count: room)
        let result = bytes.withUnsafeMutableBytes {
            Socket.receive(number, into: $0, peek: peek, dontWait: dontWait)
        }
        guard case .bytes(let count) = result else { return (result, "") }
        return (result, String(decoding: bytes[..<count], as: UTF8.self))
    }

    /// Sends from that end until there is no room; how many bytes that took.
    static func fill(_ number: Int32) -> Int {
        let piece = [UInt8](repeating: 0x78, count: 65536)
        var sent = 0
        while case .bytes(let count) = piece.withUnsafeBytes({ Socket.send(number, $0) }) {
            sent += count
        }
        return sent
    }

    /// Receives so many bytes at that end, however they come.
    static func drain(_ number: Int32, _ count: Int) -> Int {
        var left = count
        while left > 0 {
            let ready = Socket.wait(number, for: .readable, milliseconds: 20_000)
            guard !ready.isNothing,
                case .bytes(let part) = receive(number, room: min(left, 65536)).0
            else { break }
            left -= part
        }
        return count - left
    }
}
