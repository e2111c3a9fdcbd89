// The ways in which loading an extension fails, each in words a person can act on.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// Checks a file before it is loaded, and words what is wrong.
struct LoadFailure {
    let name: String
    let path: String

    /// A regular file that the dynamic loader can map without harm to this process.
    func readFile() throws(ExtensionError) -> ELFFile {
        let file = try openFile()
        let object: ELFFile
        do throws(ELFProblem) {
            object = try ELFFile(file.number, size: try size(of: file))
        } catch {
            throw malformed(error)
        }
        try refuseStrangersFile(file)
        return object
    }

    private func openFile() throws(ExtensionError) -> Descriptor {
        do throws(SystemError) {
            // Non-blocking: a FIFO without a writer must not hold the server.
            return try Files.open(path, [.readOnly, .nonBlocking])
        } catch {
            throw unreadable(error)
        }
    }

    /// What anybody may change runs with this process's rights: neither the file nor its name may be that.
    private func refuseStrangersFile(_ file: borrowing Descriptor) throws(ExtensionError) {
        guard let status = try? Files.status(file.number), status.kind == .regular else { return }
        if status.mode & 0o002 != 0 { throw openToAll(path, status, "") }
        guard let real = try? Places.resolved(path) else { return }
        let folder = Places.folder(of: real)
        // In a sticky folder only its owner may give a file's name to another (man 7 inode).
        guard let status = try? Files.status(path: folder), status.mode & 0o1002 == 0o002 else {
            return
        }
        throw openToAll(folder, status, "its folder ")
    }

    private func openToAll(
        _ path: String, _ status: FileStatus, _ what: String
    ) -> ExtensionError {
        failed(
            .configuration,
            "anybody may write to \(what)\(path) (mode 0\(String(status.mode, radix: 8)))",
            "chmod o-w \(path)")
    }

    private func size(of file: borrowing Descriptor) throws(ELFProblem) -> Int64 {
        let status: FileStatus
        do throws(SystemError) {
            status = try Files.status(file.number)
        } catch {
            throw .unreadable(error)
        }
        guard status.kind == .regular else { throw .notRegular }
        return status.size
    }

    /// Loads the copy, or the file itself without one.
    func open(_ copy: String?) throws(ExtensionError) -> SharedObject {
        do throws(SharedObjectError) {
            return try SharedObject(path: copy ?? path)
        } catch {
            throw failed(
                .extension, "the dynamic loader refused it: \(error.reason)",
                "install the missing library, or link the extension against it")
        }
    }

    func missing(_ function: String) -> ExtensionError {
        failed(
            .extension, "it does not export \(function)",
            "define it with C linkage and default visibility, as httpext.h declares it")
    }

    func refusedVersion(code: UInt32) -> ExtensionError {
        let reason = code == 0 ? "no error number" : "error \(code)"
        return failed(
            .extension, "its GetExtensionVersion returned FALSE (\(reason))",
            "see the extension's documentation for what it needs")
    }

    func uncopied(to folder: String, _ error: SystemError) -> ExtensionError {
        failed(
            .system, "it cannot be copied to \(folder), where the server loads it from: \(error)",
            "make room there")
    }

    private func unreadable(_ error: SystemError) -> ExtensionError {
        failed(
            error.isNotFound ? .configuration : .system, "the file cannot be read: \(error)",
            error.isNotFound ? "correct the path" : "give the server's user permission to read it")
    }

    private func malformed(_ problem: ELFProblem) -> ExtensionError {
        let rebuild = "build it with: cc -shared -fPIC"
        return switch problem {
        case .notRegular:
            failed(.configuration, "it is not a regular file", "name the extension's .so file")
        case .empty: failed(.extension, "the file is empty", "build or copy it again")
        case .notELF:
            failed(.configuration, "it is not a shared object", "name the extension's .so file")
        case .not64Bit: failed(.extension, "it is a 32-bit object", "build it for \(Machine.name)")
        case .wrongByteOrder:
            failed(.extension, "its byte order is big-endian", "build it for \(Machine.name)")
        case .notSharedObject(let type):
            failed(.extension, "its ELF type is \(type), not that of a shared object (3)", rebuild)
        case .wrongMachine(let number):
            failed(
                .extension, "it is built for another machine (ELF machine \(number))",
                "build it for \(Machine.name)")
        case .truncated: failed(.extension, "the file is cut short", "copy it again")
        case .malformed(let what): failed(.extension, "the object is damaged: \(what)", rebuild)
        case .unreadable(let error): unreadable(error)
        }
    }

    private func failed(
        _ blame: ExtensionError.Blame, _ problem: String, _ remedy: String
    ) -> ExtensionError {
        ExtensionError(name: name, path: path, blame: blame, problem: problem, remedy: remedy)
    }
}
