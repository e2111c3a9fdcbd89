// A listening socket and the line of the configuration it came from.
// SPDX-License-Identifier: Apache-2.0

import Configuration
import Platform

/// An open listener. The supervisor keeps it as long as it is configured, so that its queue of
/// connections outlives any host.
final class BoundListener {
    let setting: Settings.Listener
    let descriptor: Descriptor
    /// The service manager's, who has it open too: neither shut down nor removed from the file system.
    let inherited: InheritedSocket?
    /// The Unix socket's file, when it is ours.
    private let file: FileStatus?

    /// Takes the inherited socket that is bound there; binds one where none is.
    init(
        _ setting: Settings.Listener, _ inherited: [InheritedSocket]
    ) throws(StartFailure) {
        self.setting = setting
        let address: SocketAddress
        switch setting {
        case .unix(let path): address = .unix(path)
        case .tcp(let host, let port):
            guard let numeric = SocketAddress(numeric: host, port: port) else {
                throw StartFailure(
                    reason: "cannot listen on \(host): it is no address; write a numeric one")
            }
            address = numeric
        }
        let given = inherited.first { $0.address == address }
        self.inherited = given
        do throws(SystemError) {
            if let given {
                descriptor = try given.descriptor.duplicate()
                file = nil
                return
            }
            descriptor = try Socket.listen(address)
            if case .unix(let path) = setting {
                file = try Files.status(path: path)
            } else {
                file = nil
            }
        } catch {
            throw StartFailure(
                reason: "cannot listen on \(address): \(error); \(Self.advice(error.name))")
        }
    }

    static func bind(
        _ settings: [Settings.Listener], _ inherited: [InheritedSocket]
    ) throws(StartFailure) -> [BoundListener] {
        var bound: [BoundListener] = []
        for setting in settings {
            do throws(StartFailure) {
                bound.append(try BoundListener(setting, inherited))
            } catch {
                for listener in bound { listener.removeFile() }
                throw error
            }
        }
        return bound
    }

    /// As it is bound: with the port the system chose when the configuration says 0.
    var description: String {
        switch setting {
        case .unix(let path): "unix:\(path)"
        case .tcp: Socket.localAddress(descriptor.number).description
        }
    }

    /// A Unix socket leaves a file behind; one that another server has put in its place stays.
    func removeFile() {
        guard let file, case .unix(let path) = setting, let there = try? Files.status(path: path),
            there.inode == file.inode, there.device == file.device
        else { return }
        PrivateFolder.removeFile(path)
    }

    /// It is no longer configured: who comes is refused, and not kept waiting by a host that leaves and still
    /// has it; whoever wants the address may have it. Of an inherited one only the service manager can say that.
    func close() {
        removeFile()
        guard inherited == nil else { return }
        Socket.shutdownBoth(descriptor.number)
    }

    /// Nobody can connect any more: the Unix socket's file has been removed.
    var hasVanished: Bool {
        guard case .unix(let path) = setting else { return false }
        do throws(SystemError) {
            _ = try Files.status(path: path)
            return false
        } catch {
            return error.name == .noSuchFile
        }
    }

    private static func advice(_ name: SystemError.Name?) -> String {
        switch name {
        case .addressInUse: "stop the program that listens there, or choose another port"
        case .accessDenied: "ports below 1024 and foreign folders need root or a capability"
        case .addressNotAvailable: "this machine does not have that address"
        case .noSuchFile: "make the socket's folder first"
        case .noProgram, nil: "choose another address"
        }
    }
}
