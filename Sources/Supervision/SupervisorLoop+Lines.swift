// The access log's last lines of a host that has died.
// SPDX-License-Identifier: Apache-2.0

import Control
import Platform

extension SupervisorLoop {
    /// Writes what a host that has ended had gathered and not written: mostly nothing, when it could leave.
    func takeLines(of host: HostProcess) {
        let left = GatheredLines.left(
            in: host.lines.descriptor.number, logEnds: host.accessLog?.end)
        if left.isDamaged {
            log.log(
                .error,
                "host \(host.process.pid) left its access log's last lines damaged; what of them"
                    + " cannot be read is lost")
        }
        if left.lost > 0 {
            log.log(
                .warning,
                "host \(host.process.pid) ended before its access log took lines again; \(left.lost)"
                    + " lines were lost")
        }
        guard !left.lines.isEmpty else { return }
        guard let file = host.accessLog.take() else {
            return log.log(
                .error,
                "host \(host.process.pid) could not pass on its access log: its last lines are lost"
            )
        }
        let now = Instant.now
        leftLines.append(LeftLines(left.lines, file: file, now: now))
        writeLeftLines(now)
    }

    /// Seconds after which a file is tried again that did not take all: a pipe holds 64 KiB, and an idle
    /// reader empties it in less.
    private static let writeAgain = 0.01

    /// Never waits for a file: what one does not take now is tried again.
    func writeLeftLines(_ now: Instant) {
        leftLines.removeAll { left in
            switch left.write(now) {
            case .written: return true
            case .later: return false
            case .failed(let lines):
                log.log(
                    .error,
                    "the access log takes nothing: \(lines) lines of a host that has ended are lost"
                )
                return true
            }
        }
        times[.writeLines] = leftLines.isEmpty ? .never : now.adding(seconds: Self.writeAgain)
    }
}
