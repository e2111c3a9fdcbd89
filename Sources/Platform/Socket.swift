// Sockets: how they are made, and the calls of the request path on their numbers.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// Calls on sockets. Making a socket gives its owner; the calls of the request path take its number.
package enum Socket {
    /// A listening socket, non-blocking and close-on-exec (man 2 listen).
    ///
    /// An IPv6 address listens for IPv6 alone (man 7 ipv6, IPV6_V6ONLY). A stale Unix-socket file, one
    /// that nobody listens on, is replaced; a live one is EADDRINUSE.
    package static func listen(
        _ address: SocketAddress, backlog: Int32 = 4096, blocking: Bool = false,
        isPrivate: Bool = false
    ) throws(SystemError) -> Descriptor {
        let family =
            switch address {
            case .ipv4: AF_INET
            case .ipv6: AF_INET6
            case .unix: AF_UNIX
            }
        let kind =
            Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            | (blocking ? 0 : Int32(SOCK_NONBLOCK.rawValue))
        let socket = Descriptor(owning: try retrying("socket") { Glibc.socket(family, kind, 0) })
        if case .unix(let path) = address {
            try removeStale(path)
        } else {
            setOption(socket.number, SOL_SOCKET, SO_REUSEADDR, 1)
        }
        if family == AF_INET6 { setOption(socket.number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        let number = socket.number
        // Linux makes the file of a Unix socket with the mode that the socket has.
        if isPrivate { _ = try retrying("fchmod") { fchmod(number, 0o600) } }
        guard let bound = address.withRaw({ bind(number, $0, $1) }) else {
            throw SystemError("bind", code: ENAMETOOLONG)
        }
        if bound < 0 { throw .last("bind") }
        _ = try retrying("listen") { Glibc.listen(number, backlog) }
        return socket
    }

    /// A connected stream socket, close-on-exec, blocking.
    ///
    /// `milliseconds` bounds how long connecting waits, and every send after it (man 7 socket,
    /// SO_SNDTIMEO): EAGAIN when a Unix listener's queue stayed full for so long.
    package static func connect(
        _ address: SocketAddress, milliseconds: Int = 0
    ) throws(SystemError) -> Descriptor {
        let family =
            switch address {
            case .ipv4: AF_INET
            case .ipv6: AF_INET6
            case .unix: AF_UNIX
            }
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Descriptor(owning: try retrying("socket") { Glibc.socket(family, kind, 0) })
        let number = socket.number
        if milliseconds > 0 { setSendTimeout(number, milliseconds: milliseconds) }
        guard let done = address.withRaw({ Glibc.connect(number, $0, $1) }) else {
            throw SystemError("connect", code: ENAMETOOLONG)
        }
        if done < 0 { throw .last("connect") }
        return socket
    }

    /// Two connected Unix sockets, close-on-exec. Datagrams keep their borders (SOCK_SEQPACKET).
    package static func pair(
        datagrams: Bool = false
    ) throws(SystemError) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        let kind =
            Int32((datagrams ? SOCK_SEQPACKET : SOCK_STREAM).rawValue)
            | Int32(SOCK_CLOEXEC.rawValue)
        _ = try retrying("socketpair") { socketpair(AF_UNIX, kind, 0, &ends) }
        return (ends[0], ends[1])
    }

    private static func removeStale(_ path: String) throws(SystemError) {
        var raw = stat()
        guard lstat(path, &raw) == 0 else { return }
        guard raw.st_mode & S_IFMT == S_IFSOCK else { throw SystemError("bind", code: EEXIST) }
        do {
            _ = try connect(.unix(path))
        } catch {
            if error.code == ECONNREFUSED { unlink(path) }
            return
        }
        throw SystemError("bind", code: EADDRINUSE)
    }

    @discardableResult
    package static func setOption(_ socket: Int32, _ level: Int32, _ name: Int32, _ value: Int32)
        -> Bool
    {
        var value = value
        return setsockopt(socket, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }

    /// Sends small segments at once (man 7 tcp, TCP_NODELAY); no effect on a Unix socket.
    package static func setNoDelay(_ socket: Int32) {
        setOption(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Closing sends a reset: the peer can tell that the answer was cut (man 7 socket, SO_LINGER).
    package static func setResetOnClose(_ socket: Int32) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    /// How long a blocking receive may wait, in milliseconds (man 7 socket, SO_RCVTIMEO).
    package static func setReceiveTimeout(_ socket: Int32, milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: (milliseconds % 1000) * 1000)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// How long a blocking send may wait, in milliseconds (SO_SNDTIMEO).
    package static func setSendTimeout(_ socket: Int32, milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: (milliseconds % 1000) * 1000)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// One waiting connection, non-blocking and close-on-exec; nil when none waits (man 2 accept4).
    package static func accept(
        _ listener: Int32
    ) throws(SystemError) -> (socket: Int32, peer: SocketAddress)? {
        var storage = sockaddr_storage()
        while true {
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let socket = cplatform_accept(listener, &storage, &length)
            if socket >= 0 { return (socket, SocketAddress(storage)) }
            switch errno {
            // The connection died in the queue: take the next one (man 2 accept, "Error handling").
            case EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTDOWN, ENETUNREACH, EHOSTUNREACH:
                continue
            case EAGAIN: return nil
            default: throw .last("accept4")
            }
        }
    }

    package static func localAddress(_ socket: Int32) -> SocketAddress { name(of: socket, peer: 0) }

    package static func peerAddress(_ socket: Int32) -> SocketAddress { name(of: socket, peer: 1) }

    private static func name(of socket: Int32, peer: Int32) -> SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        _ = cplatform_socket_name(socket, peer, &storage, &length)
        return SocketAddress(storage)
    }

    /// What a receive or send came to, without an error object: the request path decides on it.
    package enum Transfer: Equatable, Sendable {
        case bytes(Int)
        /// The peer closed its side (receive only).
        case end
        /// Nothing to be had now, or the socket's time-out passed.
        case wouldBlock
        /// The connection is broken; errno.
        case failed(Int32)
    }

    /// recv(2). `peek` leaves the bytes; `dontWait` never blocks.
    package static func receive(
        _ socket: Int32, into room: UnsafeMutableRawBufferPointer, peek: Bool = false,
        dontWait: Bool = false
    ) -> Transfer {
        var flags: Int32 = 0
        if peek { flags |= Int32(MSG_PEEK) }
        if dontWait { flags |= Int32(MSG_DONTWAIT) }
        while true {
            let count = recv(socket, room.baseAddress, room.count, flags)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .end }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }

    /// send(2) without SIGPIPE. `more` says that further bytes follow at once (MSG_MORE); `dontWait` never
    /// blocks.
    package static func send(
        _ socket: Int32, _ bytes: UnsafeRawBufferPointer, more: Bool = false, dontWait: Bool = false
    ) -> Transfer {
        var flags = Int32(MSG_NOSIGNAL)
        if more { flags |= Int32(MSG_MORE) }
        if dontWait { flags |= Int32(MSG_DONTWAIT) }
        while true {
            let count = Glibc.send(socket, bytes.baseAddress, bytes.count, flags)
            if count >= 0 { return .bytes(count) }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }

    /// Sends up to three pieces in one call (man 2 sendmsg), without SIGPIPE. `dontWait` never blocks.
    package static func send(
        _ socket: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
        _ third: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        dontWait: Bool = false
    ) -> Transfer {
        let flags = Int32(MSG_NOSIGNAL) | (dontWait ? Int32(MSG_DONTWAIT) : 0)
        var pieces: InlineArray<3, iovec> = [
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count
            ),
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress),
                iov_len: second.count),
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: third.baseAddress), iov_len: third.count
            ),
        ]
        return withUnsafeMutablePointer(to: &pieces) { pointer in
            pointer.withMemoryRebound(to: iovec.self, capacity: 3) { vector in
                var message = msghdr()
                message.msg_iov = vector
                message.msg_iovlen = third.count > 0 ? 3 : 2
                while true {
                    let count = sendmsg(socket, &message, flags)
                    if count >= 0 { return .bytes(count) }
                    let code = errno
                    if code == EINTR { continue }
                    return code == EAGAIN ? .wouldBlock : .failed(code)
                }
            }
        }
    }

    /// Copies from a file into the socket (man 2 sendfile). `.end`: the file is shorter than asked.
    package static func sendFile(
        _ socket: Int32, from file: Int32, offset: inout Int64, count: Int
    ) -> Transfer {
        var position = off_t(offset)
        while true {
            let sent = sendfile(socket, file, &position, min(count, 1 << 30))
            if sent > 0 {
                offset = Int64(position)
                return .bytes(sent)
            }
            if sent == 0 { return .end }
            let code = errno
            if code == EINTR { continue }
            return code == EAGAIN ? .wouldBlock : .failed(code)
        }
    }

    package static func shutdownWrite(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_WR)) }
    package static func shutdownBoth(_ socket: Int32) { _ = shutdown(socket, Int32(SHUT_RDWR)) }

    /// What poll(2) says of one descriptor.
    package struct Readiness: OptionSet, Sendable {
        package let rawValue: Int16
        package init(rawValue: Int16) { self.rawValue = rawValue }
        package static let readable = Readiness(rawValue: Int16(POLLIN))
        package static let writable = Readiness(rawValue: Int16(POLLOUT))
        package static let peerClosed = Readiness(rawValue: 0x2000)
        package static let hangUp = Readiness(rawValue: Int16(POLLHUP))
        package static let error = Readiness(rawValue: Int16(POLLERR))

        /// As an answer: time out.
        package var isNothing: Bool { rawValue == 0 }
    }

    /// Waits for one descriptor; an empty set = time out. `milliseconds` -1 = for ever.
    package static func wait(
        _ descriptor: Int32, for events: Readiness, milliseconds: Int32
    ) -> Readiness {
        var entry = pollfd(fd: descriptor, events: events.rawValue, revents: 0)
        while true {
            let count = poll(&entry, 1, milliseconds)
            if count >= 0 { return Readiness(rawValue: entry.revents) }
            if errno != EINTR { return .error }
        }
    }

    /// Waits for either of two descriptors; two empty sets = time out.
    package static func wait(
        _ first: Int32, for events: Readiness, or second: Int32, for others: Readiness,
        milliseconds: Int32
    ) -> (Readiness, Readiness) {
        var entries: InlineArray<2, pollfd> = [
            pollfd(fd: first, events: events.rawValue, revents: 0),
            pollfd(fd: second, events: others.rawValue, revents: 0),
        ]
        return withUnsafeMutablePointer(to: &entries) { pointer in
            pointer.withMemoryRebound(to: pollfd.self, capacity: 2) { list in
                while true {
                    let count = poll(list, 2, milliseconds)
                    if count >= 0 {
                        return (
                            Readiness(rawValue: list[0].revents),
                            Readiness(rawValue: list[1].revents)
                        )
                    }
                    if errno != EINTR { return (.error, .error) }
                }
            }
        }
    }
}
