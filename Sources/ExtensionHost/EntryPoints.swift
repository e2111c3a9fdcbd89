// The functions an extension exports.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
import Platform

/// What is called of a loaded extension; the optional ones are nil when it does not have them.
struct EntryPoints: Sendable {
    let getVersion: @convention(c) (UnsafeMutablePointer<HSE_VERSION_INFO>?) -> BOOL
    /// HttpExtensionProc, as `GuardedCall` calls it.
    let answer: @convention(c) (UnsafeMutableRawPointer?) -> UInt32
    let terminate: (@convention(c) (DWORD) -> BOOL)?
    let getThreadSafety: (@convention(c) () -> DWORD)?

    init(_ object: SharedObject, _ failure: LoadFailure) throws(ExtensionError) {
        guard let version = object.symbol("GetExtensionVersion") else {
            throw failure.missing("GetExtensionVersion")
        }
        guard let answer = object.symbol("HttpExtensionProc") else {
            throw failure.missing("HttpExtensionProc")
        }
        getVersion = unsafeBitCast(version, to: type(of: getVersion))
        self.answer = unsafeBitCast(answer, to: type(of: self.answer))
        terminate = object.symbol("TerminateExtension").map {
            unsafeBitCast($0, to: (@convention(c) (DWORD) -> BOOL).self)
        }
        getThreadSafety = object.symbol("GetExtensionThreadSafety").map {
            unsafeBitCast($0, to: (@convention(c) () -> DWORD).self)
        }
    }
}
