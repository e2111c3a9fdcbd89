// HSE_REQ_REPORT_UNHEALTHY.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// An extension says that it is not well. The supervisor finds it in the process's page, and exchanges the
/// process; the reason is a line of the error log.
enum UnhealthyReport {
    /// Bytes of a reason.
    static let longest = 512

    /// Six a minute, of all extensions in the process.
    private static let lines = Mutex(RateLimit(burst: 6, perSecond: 0.1))

    static func make(_ reason: UnsafeBufferPointer<UInt8>?, _ request: String, _ tag: UInt32) {
        FaultRecorder.recordUnwell(tag)
        let omitted: Int? = lines.withLock {
            $0.admits(at: .now) ? $0.takeSuppressed() : nil
        }
        guard let omitted else { return }
        let words = reason.map { String(decoding: $0, as: UTF8.self) } ?? ""
        let what = words.isEmpty ? "without a reason" : "for this reason: \(words)"
        let more = omitted > 0 ? " (and \(omitted) reports like it)" : ""
        ErrorLog.shared.log(
            .warning, "\(request): the extension reports itself as unhealthy, \(what)\(more)")
    }
}
