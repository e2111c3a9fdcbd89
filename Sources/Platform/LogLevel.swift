// How bad what a line says is.
// SPDX-License-Identifier: Apache-2.0

/// How much a line of the error log matters.
package enum LogLevel: Sendable {
    /// A request or a part of the server failed: somebody has to act.
    case error
    /// The server helped itself; somebody should look.
    case warning
    /// A fact of the server's life: started, reloaded, stopped.
    case notice
}
