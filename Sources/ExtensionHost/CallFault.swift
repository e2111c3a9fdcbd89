// A call that did worse than fail.
// SPDX-License-Identifier: Apache-2.0

package import Platform

/// A call of HttpExtensionProc that threw, or wanted to end the process or the thread, and got 500 instead.
///
/// What it held on its stack was not given back: the process should be replaced when its other requests are
/// done.
package struct CallFault: Sendable, Equatable {
    package let end: GuardedCall.End
    /// Method and path.
    package let request: String

    package init(_ end: GuardedCall.End, request: String) {
        self.end = end
        self.request = request
    }

    /// What the extension did: "called exit(7)".
    package var deed: String {
        switch end {
        case .returned(let status): "returned \(status)"
        case .threw: "let an exception out of HttpExtensionProc"
        case .wantedExit(let code): "called exit(\(code))"
        case .wantedThreadExit: "wanted to end its thread (pthread_exit)"
        }
    }
}
