// A shared object in this process.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Why the dynamic loader refused, in its own words (man 3 dlerror).
package struct SharedObjectError: Error, Equatable {
    package let reason: String
}

/// A loaded shared object. It stays loaded: nothing is ever closed again.
///
/// Rationale: threads, thread-local destructors and atexit functions of an object outlive every moment at
/// which it could safely be unmapped.
package struct SharedObject: @unchecked Sendable {
    // because the handle of dlopen may be used from any thread, and is never closed.
    private let handle: UnsafeMutableRawPointer

    /// Loads an object with all its symbols resolved and none of its own offered to others
    /// (man 3 dlopen, RTLD_NOW and RTLD_LOCAL). Its constructors run on this thread.
    package init(path: String) throws(SharedObjectError) {
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw SharedObjectError(
                reason: dlerror().map { String(cString: $0) } ?? "unknown reason")
        }
        self.handle = handle
    }

    /// The address of an exported symbol; nil when there is none.
    package func symbol(_ name: String) -> UnsafeMutableRawPointer? { dlsym(handle, name) }
}

extension SystemError {
    /// The path names nothing: ENOENT or ENOTDIR.
    package var isNotFound: Bool { code == ENOENT || code == ENOTDIR }
}

extension Files {
    /// Whether the file may be mapped as code: not on a file system that is mounted noexec (man 2 mmap, EPERM).
    package static func mayBeCode(_ path: String) -> Bool {
        guard let file = try? open(path, .readOnly) else { return false }
        let address = mmap(nil, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file.number, 0)
        guard let address, address != UnsafeMutableRawPointer(bitPattern: -1) else { return false }
        munmap(address, 1)
        return true
    }

    /// Writes a new file under a name of its own, mode 0555, then gives it its name: nobody ever sees a
    /// part of it (man 2 rename).
    package static func place(_ bytes: [UInt8], at path: String) throws(SystemError) {
        let draft = "\(path).\(getpid())"
        unlink(draft)
        let file = try open(draft, [.writeOnly, .create, .exclusive], mode: 0o555)
        let written = bytes.withUnsafeBytes { all in
            Result { () throws(SystemError) in try writeAll(file.number, all) }
        }
        guard case .success = written, rename(draft, path) == 0 else {
            let failure = SystemError.last("rename")
            unlink(draft)
            try written.get()
            throw failure
        }
    }
}
