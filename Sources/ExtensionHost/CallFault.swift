// A call that did worse than fail.
// SPDX-License-Identifier: Apache-2.0

package import Platform

/// A call of HttpExtensionProc that threw, or wanted to end the process or the thread, and got 500 instead.
///
/// What it held on its stack was not given back: the process should be replaced when its other requests are
/// done.
package struct CallFault: Sendable, Equatable {
    /// What `CallLife` knows such a call by, where others have what HttpExtensionProc returned.
    static let status: Int32 = 0xfe

    package let end: GuardedCall.End
    /// Method and path.
    package let request: String

    package init(_ end: GuardedCall.End, request: String) {
        self.end = end
        self.request = request
    }
}
