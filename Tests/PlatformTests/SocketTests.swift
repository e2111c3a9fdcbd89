// What the kernel promises about sockets, as far as the server relies on it.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Platform
import Testing
import TestSupport

@Suite(.timeLimit(.minutes(5)))
struct SocketTests {
    // MARK: The peer goes away

    @Test(arguments: ConnectedPair.Kind.allCases)
    func aHalfClosedPeerIsAtItsEndAndStillTakesBytes(kind: ConnectedPair.Kind) throws {
        let pair = try ConnectedPair(kind)
        #expect(pair.send("last") == .bytes(4))
        Socket.shutdownWrite(pair.farNumber)
        let ready = Socket.wait(
            pair.nearNumber, for: [.readable, .peerClosed], milliseconds: 20_000)
        #expect(ready.contains(.readable))
        #expect(pair.receive() == (.bytes(4), "last"))
        #expect(pair.receive() == (.end, ""))
        #expect(pair.receive() == (.end, ""))
        let closed = Socket.wait(pair.nearNumber, for: .peerClosed, milliseconds: 20_000)
        #expect(closed == .peerClosed)
        #expect(ConnectedPair.send(pair.nearNumber, "answer") == .bytes(6))
        _ = Socket.wait(pair.farNumber, for: .readable, milliseconds: 20_000)
        #expect(ConnectedPair.receive(pair.farNumber) == (.bytes(6), "answer"))
    }

    @Test func aResetIsAnErrorAndNotAnEnd() throws {
        let pair = try ConnectedPair(.tcp)
        Socket.setResetOnClose(pair.farNumber)
        pair.closeFar()
        let ready = Socket.wait(pair.nearNumber, for: .peerClosed, milliseconds: 20_000)
        #expect(ready.isSuperset(of: [.error, .hangUp, .peerClosed]))
        #expect(pair.receive() == (.failed(ECONNRESET), ""))
        // The error is told once; what follows is that nobody is there.
        #expect(ConnectedPair.send(pair.nearNumber, "x") == .failed(EPIPE))
    }

    @Test func bytesBeforeAResetAreStillThere() throws {
        let pair = try ConnectedPair(.tcp)
        #expect(pair.send("said") == .bytes(4))
        #expect(Socket.wait(pair.nearNumber, for: .readable, milliseconds: 20_000) == .readable)
        Socket.setResetOnClose(pair.farNumber)
        pair.closeFar()
        _ = Socket.wait(pair.nearNumber, for: .peerClosed, milliseconds: 20_000)
        #expect(pair.receive() == (.bytes(4), "said"))
        #expect(pair.receive() == (.failed(ECONNRESET), ""))
    }

    @Test(arguments: [false, true])
    func aPeerThatClosesWithUnreadBytesResetsAUnixSocket(hasReadSome: Bool) throws {
        let pair = try ConnectedPair(.unix)
        #expect(pair.send("said") == .bytes(4))
        #expect(ConnectedPair.send(pair.nearNumber, "unread") == .bytes(6))
        if hasReadSome {
            #expect(ConnectedPair.receive(pair.farNumber, room: 3) == (.bytes(3), "unr"))
        }
        pair.closeFar()
        // What it said before is there all the same.
        #expect(pair.receive() == (.bytes(4), "said"))
        #expect(pair.receive() == (.failed(ECONNRESET), ""))
    }

    @Test func aPeerThatClosesHavingReadAllIsAtItsEnd() throws {
        let pair = try ConnectedPair(.unix)
        #expect(ConnectedPair.send(pair.nearNumber, "read") == .bytes(4))
        #expect(ConnectedPair.receive(pair.farNumber) == (.bytes(4), "read"))
        pair.closeFar()
        #expect(pair.receive() == (.end, ""))
        #expect(ConnectedPair.send(pair.nearNumber, "x") == .failed(EPIPE))
    }

    // MARK: Sending and receiving

    @Test(arguments: ConnectedPair.Kind.allCases)
    func aFullBufferBlocksAndALaterReadMakesRoom(kind: ConnectedPair.Kind) throws {
        let pair = try ConnectedPair(kind)
        let sent = ConnectedPair.fill(pair.nearNumber)
        #expect(sent > 0)
        #expect(ConnectedPair.send(pair.nearNumber, "x") == .wouldBlock)
        #expect(Socket.wait(pair.nearNumber, for: .writable, milliseconds: 0).isNothing)
        #expect(ConnectedPair.drain(pair.farNumber, sent) == sent)
        #expect(Socket.wait(pair.nearNumber, for: .writable, milliseconds: 20_000) == .writable)
    }

    @Test func aLookLeavesTheBytesAndAnEmptySocketWouldBlock() throws {
        let pair = try ConnectedPair(.unix)
        #expect(ConnectedPair.receive(pair.nearNumber) == (.wouldBlock, ""))
        #expect(pair.send("ab") == .bytes(2))
        #expect(ConnectedPair.receive(pair.nearNumber, peek: true) == (.bytes(2), "ab"))
        #expect(ConnectedPair.receive(pair.nearNumber, room: 1) == (.bytes(1), "a"))
        #expect(ConnectedPair.receive(pair.nearNumber) == (.bytes(1), "b"))
        Socket.setBlocking(pair.nearNumber, true)
        #expect(ConnectedPair.receive(pair.nearNumber, dontWait: true) == (.wouldBlock, ""))
        Socket.setReceiveTimeout(pair.nearNumber, milliseconds: 1)
        #expect(ConnectedPair.receive(pair.nearNumber) == (.wouldBlock, ""))
    }

    @Test(arguments: [ConnectedPair.Kind.tcp, .unix])
    func bytesThatHaveComeAreHeldAndAnEndIsNone(kind: ConnectedPair.Kind) throws {
        let pair = try ConnectedPair(kind)
        let near = Transport(pair.nearNumber)
        #expect(!near.holdsBytes)
        #expect(pair.send("a") == .bytes(1))
        #expect(near.waitForBytes(milliseconds: 20_000) && near.holdsBytes)
        pair.closeFar()
        #expect(near.holdsBytes)
        #expect(ConnectedPair.receive(pair.nearNumber) == (.bytes(1), "a"))
        #expect(near.waitForBytes(milliseconds: 20_000) && !near.holdsBytes)
    }

    @Test func piecesArriveInTheirOrder() throws {
        let pair = try ConnectedPair(.tcp)
        let (head, body, end) = (Array("head ".utf8), Array("body ".utf8), Array("end".utf8))
        let sent = head.withUnsafeBytes { head in
            body.withUnsafeBytes { body in
                end.withUnsafeBytes { Socket.send(pair.farNumber, head, body, $0) }
            }
        }
        #expect(sent == .bytes(13))
        #expect(pair.receive() == (.bytes(13), "head body end"))
    }

    @Test(arguments: ConnectedPair.Kind.allCases)
    func aFileIsSentFromItsOffsetAndItsEndIsTold(kind: ConnectedPair.Kind) throws {
        let pair = try ConnectedPair(kind)
        let file = try Files.memory(named: "test")
        try Array("0123456789".utf8).withUnsafeBytes { try Files.writeAll(file.number, $0) }
        var offset: Int64 = 4
        #expect(
            Socket.sendFile(pair.farNumber, from: file.number, offset: &offset, count: 3)
                == .bytes(3))
        #expect(offset == 7)
        #expect(pair.receive() == (.bytes(3), "456"))
        #expect(
            Socket.sendFile(pair.farNumber, from: file.number, offset: &offset, count: 100)
                == .bytes(3))
        #expect(offset == 10)
        #expect(
            Socket.sendFile(pair.farNumber, from: file.number, offset: &offset, count: 100) == .end)
        #expect(pair.receive() == (.bytes(3), "789"))
        _ = ConnectedPair.fill(pair.farNumber)
        offset = 0
        #expect(
            Socket.sendFile(pair.farNumber, from: file.number, offset: &offset, count: 10)
                == .wouldBlock)
        #expect(offset == 0)
    }

    @Test func eitherOfTwoDescriptorsEndsAWait() throws {
        let (first, second) = (try ConnectedPair(.unix), try ConnectedPair(.unix))
        #expect(second.send("x") == .bytes(1))
        let (one, other) = Socket.wait(
            first.nearNumber, for: .readable, or: second.nearNumber, for: .readable,
            milliseconds: 20_000)
        #expect(one.isNothing)
        #expect(other == .readable)
    }

    // MARK: Listening

    @Test func anAcceptedSocketDoesNotBlockAndStaysInThisProcess() throws {
        let listener = try Socket.listen(.ipv4(0x7f00_0001, port: 0))
        #expect(Socket.isListening(listener.number))
        #expect(try Socket.accept(listener.number) == nil)
        let client = try Socket.connect(Socket.localAddress(listener.number))
        _ = Socket.wait(listener.number, for: .readable, milliseconds: 20_000)
        let accepted = try #require(try Socket.accept(listener.number))
        let owner = Descriptor(owning: accepted.socket)
        #expect(accepted.peer == Socket.localAddress(client.number))
        #expect(fcntl(owner.number, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(owner.number, F_GETFD) & FD_CLOEXEC != 0)
        #expect(!Socket.isListening(owner.number))
    }

    @Test func aStaleUnixSocketIsReplacedAndALiveOneIsNot() throws {
        let folder = try TemporaryFolder()
        let address = SocketAddress.unix(folder.path + "/socket")
        var first: Descriptor? = try Socket.listen(address)
        #expect(throws: SystemError("bind", code: EADDRINUSE)) { _ = try Socket.listen(address) }
        if first != nil { first = nil }
        let second = try Socket.listen(address)
        #expect(Socket.isListening(second.number))
        _ = try Files.open(folder.path + "/file", [.writeOnly, .create])
        #expect(throws: SystemError("bind", code: EEXIST)) {
            _ = try Socket.listen(.unix(folder.path + "/file"))
        }
    }

    // MARK: Descriptors

    /// The receiver is at its limit: the bytes arrive, the descriptors do not, and the kernel says so.
    ///
    /// In a program of its own, because the limit is a process's.
    @Test func descriptorsThatFindNoRoomAreCutAndTheMessageArrives() throws {
        let folder = try TemporaryFolder()
        try write(Self.receiver, to: folder.path + "/receiver.c")
        let compiler = try ChildProcess(
            .shell("cc receiver.c -o receiver", in: folder.path, beside: [-1, 1, 2]))
        #expect(compiler.waitForEnd() == .exited(code: 0))
        let (near, far) = try Socket.pair(datagrams: true)
        let sender = MessageSocket(Descriptor(owning: near))
        let pipe = try Files.pipe()
        let child = try ChildProcess(
            .shell("exec ./receiver", in: folder.path, beside: [far, pipe.write, 2]))
        closeDescriptor(pipe.write)
        closeDescriptor(far)
        try sender.send(Array("hello".utf8), descriptors: [0, 1])
        try sender.send(Array("again".utf8))
        let said = String(decoding: try Files.readToEnd(pipe.read), as: UTF8.self)
        closeDescriptor(pipe.read)
        #expect(said == "5 bytes, 0 descriptors, cut\n5 bytes, 0 descriptors, whole\n")
        #expect(child.waitForEnd() == .exited(code: 0))
    }

    @Test func descriptorsTravelBesideTheirMessage() throws {
        let (near, far) = try Socket.pair(datagrams: true)
        let (sender, receiver) = (
            MessageSocket(Descriptor(owning: near)), MessageSocket(Descriptor(owning: far))
        )
        let file = try Files.memory(named: "test")
        try sender.send([1], descriptors: [file.number])
        try sender.send([2, 3])
        let first = try #require(try receiver.receive(wait: true))
        #expect(first.bytes == [1])
        #expect(first.descriptors.count == 1)
        #expect(try Files.status(first.descriptors[0]) == Files.status(file.number))
        #expect(fcntl(first.descriptors[0], F_GETFD) & FD_CLOEXEC != 0)
        closeDescriptor(first.descriptors[0])
        #expect(try receiver.receive(wait: true)?.bytes == [2, 3])
        #expect(try receiver.receive(wait: false) == nil)
    }

    private func write(_ text: String, to path: String) throws {
        let file = try Files.open(path, [.writeOnly, .create])
        try Array(text.utf8).withUnsafeBytes { try Files.writeAll(file.number, $0) }
    }

    /// Receives two messages on descriptor 0 with no descriptor to spare.
    private static let receiver = """
        #define _GNU_SOURCE
        #include <stdio.h>
        #include <sys/resource.h>
        #include <sys/socket.h>
        int main(void) {
            struct rlimit limit = {3, 3};
            if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
            for (int message = 0; message < 2; message++) {
                char bytes[16], beside[CMSG_SPACE(8 * sizeof(int))];
                struct iovec piece = {bytes, sizeof bytes};
                struct msghdr head = {0};
                head.msg_iov = &piece;
                head.msg_iovlen = 1;
                head.msg_control = beside;
                head.msg_controllen = sizeof beside;
                long count = recvmsg(0, &head, MSG_CMSG_CLOEXEC);
                struct cmsghdr *first = CMSG_FIRSTHDR(&head);
                long found = first ? (long)((first->cmsg_len - CMSG_LEN(0)) / sizeof(int)) : 0;
                printf("%ld bytes, %ld descriptors, %s\\n", count, found,
                       head.msg_flags & MSG_CTRUNC ? "cut" : "whole");
            }
            return 0;
        }
        """
}

extension ProcessStart {
    fileprivate static func shell(
        _ command: String, in folder: String, beside descriptors: [Int32]
    ) -> ProcessStart {
        var start = shell(command, environment: ["PATH=/usr/local/bin:/usr/bin:/bin"])
        start.folder = folder
        start.descriptors = descriptors
        return start
    }
}
