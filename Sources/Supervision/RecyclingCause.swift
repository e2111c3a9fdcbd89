// Why a process is exchanged for a fresh one.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A limit that a process has reached, with figures for the log.
enum RecyclingCause: Sendable, Equatable, CustomStringConvertible {
    case age(seconds: Double, limit: Double)
    /// Minutes after midnight.
    case schedule(minute: Int)
    case resident(bytes: Int64, limit: Int64)
    case own(bytes: Int64, limit: Int64)
    case descriptors(count: Int, limit: Int)
    /// The extension of that name says that it is not well.
    case unhealthy(String)
    /// An operator has asked for it.
    case asked

    /// What another process might be in just as soon.
    var mayRecur: Bool {
        switch self {
        case .resident, .own, .descriptors, .unhealthy: true
        case .age, .schedule, .asked: false
        }
    }

    var description: String {
        switch self {
        case .age(let seconds, let limit):
            "\(PoolLedger.age(seconds)) old, recycle.after allows \(PoolLedger.age(limit))"
        case .schedule(let minute): "recycle.at names \(Self.clock(minute))"
        case .resident(let bytes, let limit):
            "\(Self.size(bytes)) resident, recycle.memory allows \(Self.size(limit))"
        case .own(let bytes, let limit):
            "\(Self.size(bytes)) of its own, recycle.private-memory allows \(Self.size(limit))"
        case .descriptors(let count, let limit):
            "\(count) open descriptors, recycle.descriptors allows \(limit)"
        case .unhealthy(let name): "extension \(name) reports itself as unhealthy"
        case .asked: "an operator has asked for it"
        }
    }

    /// "03:00".
    private static func clock(_ minute: Int) -> String {
        func digits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(digits(minute / 60)):\(digits(minute % 60))"
    }

    /// "812 MiB", "64.5 MiB", "512 KiB".
    static func size(_ bytes: Int64) -> String {
        let mebibytes = (Double(bytes) / Double(1 << 20) * 10).rounded() / 10
        if mebibytes < 1 { return "\(bytes >> 10) KiB" }
        let isWhole = mebibytes >= 100 || mebibytes == mebibytes.rounded()
        return isWhole ? "\(Int64(mebibytes.rounded())) MiB" : "\(mebibytes) MiB"
    }
}
