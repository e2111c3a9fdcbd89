// Times and sizes as people write them.
// SPDX-License-Identifier: Apache-2.0

enum Quantity {
    /// More than a month is a mistake.
    static let longest = "744h"
    static let anyDuration = 0.0...(744 * 3600.0)
    /// For what would fail at once if it were zero.
    static let positiveDuration = 0.001...(744 * 3600.0)

    /// Seconds: "30", "0.5", "500ms", "30s", "5m", "1h"; nil for anything else.
    static func seconds(_ text: String) -> Double? {
        let (digits, unit) = split(text)
        guard digits.utf8.count <= 18, digits.utf8.first != UInt8(ascii: "."),
            digits.utf8.last != UInt8(ascii: "."),
            let number = Double(digits)
        else { return nil }
        switch unit {
        case "", "s": return number
        case "ms": return number / 1000
        case "m": return number * 60
        case "h": return number * 3600
        default: return nil
        }
    }

    /// Bytes: "65536", "64KiB", "10MiB", "1GiB", "64kB", "10MB", "1GB"; nil for anything else.
    static func bytes(_ text: String) -> Int64? {
        let (digits, unit) = split(text)
        let factors: [String: Int64] = [
            "": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
            "kB": 1000, "KB": 1000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000,
        ]
        guard let number = Int64(digits), let factor = factors[unit] else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : bytes
    }

    /// Minutes after midnight: "03:00", "15:30"; nil for anything else.
    static func minuteOfDay(_ text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }),
            parts.joined().utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ),
            let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60
        else { return nil }
        return hour * 60 + minute
    }

    /// The size with the largest unit that divides it.
    static func shown(_ bytes: Int64) -> String {
        let units: [(String, Int64)] = [
            ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ]
        for (name, factor) in units where bytes >= factor && bytes % factor == 0 {
            return "\(bytes / factor)\(name)"
        }
        return "\(bytes)"
    }

    /// The leading digits and points, and the rest.
    private static func split(_ text: String) -> (digits: String, unit: String) {
        let digits = text.utf8.prefix {
            $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
        let unit = text.utf8.dropFirst(digits.count).drop { $0 == UInt8(ascii: " ") }
        return (String(Substring(digits)), String(Substring(unit)))
    }
}
