// A call whose thread never came back.
// SPDX-License-Identifier: Apache-2.0

package import Platform

/// A call of HttpExtensionProc that was ended because its time was up, with the thread that is still in it.
package struct WrittenOffCall: Sendable, Equatable {
    /// The extension, as `LoadedExtension.load` was told.
    package let tag: UInt32
    /// Method and path.
    package let request: String

    /// Ends all calls of this process whose time is up: each is answered 504, or cut when its head is out, and
    /// its exchange goes on elsewhere. For one thread, now and then.
    package static func takeOverdue(_ now: Instant) -> [WrittenOffCall] {
        CallTable.shared.writeOffOverdue(now)
    }
}
