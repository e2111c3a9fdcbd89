// The errno values that rooms above decide on.
// SPDX-License-Identifier: Apache-2.0

import Glibc

extension SystemError {
    /// A cause that somebody above can act on (man 3 errno).
    package enum Name: Sendable {
        case addressInUse, accessDenied, addressNotAvailable, noSuchFile, noProgram
    }

    /// The process or the system is short of descriptors or memory; whoever was called is not to blame.
    package var isShortage: Bool {
        switch code {
        case EMFILE, ENFILE, ENOMEM, ENOBUFS: true
        default: false
        }
    }

    /// What was to be added is there already.
    package var alreadyExists: Bool { code == EEXIST }

    /// EAGAIN: the system has no room for it now.
    package static let tryAgain = EAGAIN
    /// EMFILE: this process has as many descriptors as it may.
    package static let tooManyOpenFiles = EMFILE
    /// EIO: a device failed.
    package static let inputOutput = EIO

    package var name: Name? {
        switch code {
        case EADDRINUSE: .addressInUse
        case EACCES, EPERM: .accessDenied
        case EADDRNOTAVAIL: .addressNotAvailable
        case ENOENT: .noSuchFile
        case ENOEXEC: .noProgram
        default: nil
        }
    }
}
