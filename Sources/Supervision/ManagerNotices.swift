// What the service manager is told of the server.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// The state of the service as its manager knows it, and the messages that are still to be sent (man 3
/// sd_notify).
///
/// ```
///             serves             reloadIsWanted
/// starting ──READY=1──► ready ────RELOADING=1────► reloading
///                         ▲                            │
///                         └─── reloadEnded: READY=1 ───┘     any ── stops: STOPPING=1 ──► stopping
/// ```
///
/// A reload that is wanted while another one is under way is told of at once, because the manager compares the
/// time with that of its signal (man 5 systemd.service, Type=notify-reload); both end with one READY=1.
struct ManagerNotices: Equatable {
    enum State: Equatable { case starting, ready, reloading, stopping }

    private(set) var state = State.starting
    /// Not sent yet, the oldest first.
    private(set) var waiting: [String] = []
    private var lastSentence = ""

    /// A manager that takes nothing for so long is not told of everything.
    private static let most = 16
    /// Bytes of a sentence; the manager reads 4096 of a message.
    private static let longest = 1000

    mutating func serves(_ sentence: String) {
        if state == .starting {
            state = .ready
            add("READY=1", sentence)
        } else {
            says(sentence)
        }
    }

    /// Nothing has changed for the manager; a person may want to know.
    mutating func says(_ sentence: String) {
        if state != .stopping && Self.oneLine(sentence) != lastSentence { add(nil, sentence) }
    }

    mutating func reloadIsWanted(now: Instant) {
        guard state == .ready || state == .reloading else { return }
        state = .reloading
        add("RELOADING=1\nMONOTONIC_USEC=\(now.nanoseconds / 1000)", "reading the configuration")
    }

    /// The new configuration is in force or has been refused, and no further reload is wanted.
    mutating func reloadEnded(_ sentence: String) {
        guard state == .reloading else { return }
        state = .ready
        add("READY=1", sentence)
    }

    /// - Parameter seconds: How long that may take.
    mutating func stops(_ sentence: String, within seconds: Double) {
        guard state != .stopping else { return }
        state = .stopping
        add("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(Int64(seconds * 1_000_000))", sentence)
    }

    /// The oldest one has been sent.
    mutating func sent() { waiting.removeFirst() }

    private mutating func add(_ change: String?, _ sentence: String) {
        lastSentence = Self.oneLine(sentence)
        let status = "STATUS=\(lastSentence)"
        waiting.append(change.map { "\($0)\n\(status)" } ?? status)
        // A sentence alone can be missed, a change of state cannot.
        if waiting.count > Self.most,
            let place = waiting.firstIndex(where: { $0.hasPrefix("STATUS=") })
        {
            waiting.remove(at: place)
        }
    }

    /// A line feed would begin another variable.
    private static func oneLine(_ sentence: String) -> String {
        var text = ""
        var scalars = sentence.unicodeScalars[...]
        while let last = scalars.last, last.value <= 0x20 { scalars.removeLast() }
        for scalar in scalars {
            if text.utf8.count > longest { return text + "…" }
            text.unicodeScalars.append(scalar.value < 0x20 ? " " : scalar)
        }
        return text
    }
}
