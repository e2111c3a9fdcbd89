// What an operator asks a running server, over its control socket.
// SPDX-License-Identifier: Apache-2.0

/// One line of words; the answer is a line `ok` or `no`, then text up to the end of the stream.
package enum OperatorRequest: Sendable, Equatable {
    /// Which configuration is served.
    case who
    case status(json: Bool)
    case crashes(json: Bool)
    /// Answered when the new configuration is in force, or has been refused.
    case reload
    /// A fresh host takes over, the old one finishes its requests; or another worker for each of a pool.
    case recycle(pool: String?)
    case stop
    /// By hand, what else crashes do.
    case quarantine(String)
    /// Forgets what is held against an extension or a pool.
    case release(String)

    /// Bytes of a request, its end of line included.
    package static let longest = 1024

    package var line: String {
        switch self {
        case .who: "who\n"
        case .status(let json): json ? "status json\n" : "status\n"
        case .crashes(let json): json ? "crashes json\n" : "crashes\n"
        case .reload: "reload\n"
        case .recycle(let pool): pool.map { "recycle \($0)\n" } ?? "recycle\n"
        case .stop: "stop\n"
        case .quarantine(let name): "quarantine \(name)\n"
        case .release(let name): "release \(name)\n"
        }
    }

    /// Nil: nobody asks this.
    package init?(line: String) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard let verb = words.first, words.count <= 2 else { return nil }
        let word = words.count == 2 ? String(words[1]) : nil
        switch (verb, word) {
        case ("who", nil): self = .who
        case ("status", nil), ("status", "json"): self = .status(json: word != nil)
        case ("crashes", nil), ("crashes", "json"): self = .crashes(json: word != nil)
        case ("reload", nil): self = .reload
        case ("recycle", let name): self = .recycle(pool: name)
        case ("stop", nil): self = .stop
        case ("quarantine", let name?): self = .quarantine(name)
        case ("release", let name?): self = .release(name)
        default: return nil
        }
    }
}

/// What the server says to it.
package struct OperatorAnswer: Sendable, Equatable {
    package var isGood: Bool
    package var text: String

    package init(isGood: Bool = true, _ text: String) {
        self.isGood = isGood
        self.text = text
    }

    package var written: String { (isGood ? "ok\n" : "no\n") + text }

    package init?(written: String) {
        guard let end = written.firstIndex(of: "\n") else { return nil }
        switch written[..<end] {
        case "ok": isGood = true
        case "no": isGood = false
        default: return nil
        }
        text = String(written[written.index(after: end)...])
    }
}
