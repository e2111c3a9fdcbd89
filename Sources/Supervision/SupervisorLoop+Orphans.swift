// Processes our children left behind: none may survive those who started them.
// SPDX-License-Identifier: Apache-2.0

import Platform

extension SupervisorLoop {
    /// Soon, and once for all that happens until then.
    func wantOrphanSweep() {
        if times[.sweepOrphans] == .never {
            times[.sweepOrphans] = Instant.now.adding(seconds: 0.1)
        }
    }

    /// Reaps adopted processes that have ended, and kills those whose session's leader is gone.
    ///
    /// A background job in the session of a living worker is that worker's business and ends with it.
    func sweepOrphans() {
        for pid in Orphans.children() where !known.contains(pid) && !Orphans.reap(pid) {
            if let session = Orphans.session(of: pid), known.contains(session) { continue }
            Orphans.kill(pid)
            wantOrphanSweep()
        }
    }

    /// At the very end, when no child of our own is left: all others, and what they leave in turn.
    func sweepAll() {
        for _ in 0..<200 {
            let children = Orphans.children()
            if children.isEmpty { return }
            for pid in children where !Orphans.reap(pid) { Orphans.kill(pid) }
            Thread.sleep(milliseconds: 5)
        }
    }
}
