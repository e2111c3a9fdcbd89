// An extension of the configuration, in the home it has been given.
// SPDX-License-Identifier: Apache-2.0

package import ExtensionHost

/// Calls a thread-safe extension inside the host process.
package final class ExtensionHandler: Sendable {
    let library: LoadedExtension
    package let settings: [(name: String, value: String)]

    package init(library: LoadedExtension, settings: [(name: String, value: String)]) {
        self.library = library
        self.settings = settings
    }

    /// Calls the extension on this thread; pending means that it keeps the exchange.
    package func answer(_ exchange: Exchange) -> Outcome {
        // Noted before the call can end on another thread: the object may serve another request then.
        switch library.call(exchange, whenPending: { exchange.pendingCall = $0 }) {
        case .finished:
            exchange.finish()
            return .done
        case .pending:
            return .pending
        }
    }
}
