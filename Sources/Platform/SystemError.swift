// What a system call answered when it failed.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// A failed system call: which one, and its errno (man 3 errno).
package struct SystemError: Error, Equatable, CustomStringConvertible {
    /// The call as its man page names it, such as "openat2".
    package let call: String
    /// The errno value, such as `ENOENT`.
    package let code: Int32

    package init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The error of the call that failed just now: reads errno.
    package static func last(_ call: String) -> SystemError {
        SystemError(call, code: errno)
    }

    /// The call was not wanted any more.
    package static func cancelled(_ call: String) -> SystemError {
        SystemError(call, code: ECANCELED)
    }

    package var description: String {
        "\(call): \(String(cString: strerror(code))) (errno \(code))"
    }

    package var wouldBlock: Bool { code == EAGAIN }
    /// Of a listener: it was shut down.
    package var isInvalid: Bool { code == EINVAL }
}

/// Runs a system call until it is not interrupted by a signal; its result, or the errno as an error.
@inline(__always)
package func retrying<Number: SignedInteger>(
    _ call: StaticString, _ body: () -> Number
) throws(SystemError) -> Number {
    while true {
        let result = body()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw SystemError("\(call)", code: code) }
    }
}
