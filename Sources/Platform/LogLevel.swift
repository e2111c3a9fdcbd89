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

extension LogLevel {
    /// The level that a line of another program's says of itself, "<3>text" (man 3 sd-daemon), and its text.
    ///
    /// Nil: it says nothing of the kind.
    package static func taken(
        from line: UnsafeBufferPointer<UInt8>
    ) -> (level: LogLevel, text: UnsafeBufferPointer<UInt8>)? {
        guard line.count > 3, line[0] == UInt8(ascii: "<"), line[2] == UInt8(ascii: ">") else {
            return nil
        }
        let level: LogLevel
        switch line[1] {
        case UInt8(ascii: "0")...UInt8(ascii: "3"): level = .error
        case UInt8(ascii: "4"): level = .warning
        case UInt8(ascii: "5")...UInt8(ascii: "7"): level = .notice
        default: return nil
        }
        return (level, UnsafeBufferPointer(rebasing: line[3...]))
    }

    /// How a line says it.
    var prefix: StaticString {
        switch self {
        case .error: "<3>"
        case .warning: "<4>"
        case .notice: "<5>"
        }
    }
}
