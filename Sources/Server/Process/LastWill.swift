// What a host that dies leaves to the next one.
// SPDX-License-Identifier: Apache-2.0

import Control
import Handlers
import Platform
import Synchronization

/// Hands the connections that nobody is at work for to the supervisor, from within the signal handler.
///
/// Threads take turns with connections by one atomic word each. So does this: what it has claimed no thread of the
/// dying host reads from any more, and what a thread has claimed it leaves alone. It costs nothing until then.
final class LastWill: Sendable {
    private let host: Host
    private let link: SupervisorLink

    /// [crashing thread] Connections that were handed over.
    private let bequeathed = Atomic<Int>(0)

    /// Seconds that it waits for room at most.
    private static let patience = 0.5
    /// Seconds that requests in flight get to come to their end, after all else is said and done: most need
    /// less, and nobody but they waits, because another host serves already.
    private static let grace = 0.02

    init(of host: Host, to link: SupervisorLink) {
        self.host = host
        self.link = link
    }

    /// Lasts as long as the process.
    func make() {
        FaultRecorder.atFault(Unmanaged.passRetained(self).toOpaque()) { will, isLast in
            guard let will else { return }
            Unmanaged<LastWill>.fromOpaque(will)._withUnsafeGuaranteedRef {
                $0.execute()
                if isLast != 0 { $0.waitForOthers() }
            }
        }
    }

    /// Until nobody but the crashed request is left, or their time is over.
    private func waitForOthers() {
        let end = Instant.now.adding(seconds: Self.grace)
        while host.connectionCount > bequeathed.load(ordering: .relaxed) + 1, Instant.now < end {
            Thread.sleep(milliseconds: 1)
            execute()
        }
    }

    /// Async-signal-safe: no lock, no allocation. Called again it finds what has become idle meanwhile.
    private func execute() {
        // Threads that finish a request offer its connection themselves, and take no new one.
        host.dies()
        let end = Instant.now.adding(seconds: Self.patience)
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: MessageSocket.mostDescriptors) {
            room in
            var count = 0
            var isHeard = true
            for shard in host.shards {
                shard.connections.visit { connection in
                    guard isHeard, let socket = connection.bequeath() else { return }
                    room[count] = socket
                    count += 1
                    guard count == room.count else { return }
                    isHeard = send(room, count, until: end)
                    count = 0
                }
            }
            if isHeard, count > 0 { _ = send(room, count, until: end) }
        }
    }

    /// False: there is no use in going on.
    private func send(
        _ room: UnsafeMutableBufferPointer<Int32>, _ count: Int, until end: Instant
    ) -> Bool {
        while true {
            switch link.bequeath(UnsafeBufferPointer(rebasing: room[..<count])) {
            case .sent:
                bequeathed.add(count, ordering: .relaxed)
                return true
            case .full, .exhausted:
                guard Instant.now < end else { return false }
                Thread.sleep(milliseconds: 1)
            case .gone, .failed: return false
            }
        }
    }
}
