// An extension that is called inside the host process.
// SPDX-License-Identifier: Apache-2.0

package import ExtensionHost

/// Calls a thread-safe extension on the thread that runs the exchange.
package final class ExtensionHandler: Handler {
    let library: LoadedExtension
    package let settings: [(name: String, value: String)]

    package init(library: LoadedExtension, settings: [(name: String, value: String)]) {
        self.library = library
        self.settings = settings
    }

    package func answer(_ exchange: Exchange) -> Answer {
        // Said before the call can end on another thread: the object may serve another request then.
        switch library.call(exchange, whenPending: { exchange.state = .pending($0) }) {
        case .finished:
            exchange.finish()
            return .done
        case .pending:
            return .parked
        }
    }
}
