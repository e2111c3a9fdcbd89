// Lines of the error log that may come again and again.
// SPDX-License-Identifier: Apache-2.0

import Handlers
import Platform
import Synchronization

/// Lets a line of a kind pass now and then, with the number of those that were held back.
final class Complaints: Sendable {
    private let errorLog: ErrorLog
    private let limits = Mutex<[String: RateLimit]>([:])

    init(_ errorLog: ErrorLog) { self.errorLog = errorLog }

    /// `kind` is one of a few words in the code, never a client's. `exchange` is what the line is about.
    func log(
        _ kind: StaticString, _ level: LogLevel, _ text: @autoclosure () -> String,
        about exchange: Exchange? = nil
    ) {
        let held = limits.withLock { limits -> Int? in
            var limit = limits["\(kind)"] ?? RateLimit(burst: 3, perSecond: 0.1)
            defer { limits["\(kind)"] = limit }
            return limit.admits(at: .now) ? limit.takeSuppressed() : nil
        }
        guard let held else { return }
        let line = held > 0 ? "\(text()) (and \(held) times more since)" : text()
        if let exchange { exchange.log(level, line) } else { errorLog.log(level, line) }
    }
}
