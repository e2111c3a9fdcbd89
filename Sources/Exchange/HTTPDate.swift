// Dates in field values: Last-Modified, If-Modified-Since, Date.
// SPDX-License-Identifier: Apache-2.0

/// The date format of HTTP (RFC 9110 §5.6.7), as seconds since 1970.
package enum HTTPDate {
    /// The bytes of an IMF-fixdate.
    package static let length = 29

    /// Appends the preferred form, "Sun, 06 Nov 1994 08:49:37 GMT".
    package static func append(_ seconds: Int64, to bytes: inout [UInt8]) {
        let time = CivilTime(seconds: seconds)
        CivilTime.append(CivilTime.weekdayNames, time.weekday, to: &bytes)
        bytes.append(UInt8(ascii: ","))
        bytes.append(UInt8(ascii: " "))
        CivilTime.append(time.day, to: &bytes)
        bytes.append(UInt8(ascii: " "))
        CivilTime.append(CivilTime.monthNames, time.month - 1, to: &bytes)
        bytes.append(UInt8(ascii: " "))
        CivilTime.append(time.year / 100, to: &bytes)
        CivilTime.append(time.year, to: &bytes)
        bytes.append(UInt8(ascii: " "))
        CivilTime.append(time.hour, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        CivilTime.append(time.minute, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        CivilTime.append(time.second, to: &bytes)
        append(" GMT", to: &bytes)
    }

    /// Reads any of the three forms; nil when it is none of them.
    ///
    /// `now` places the two-digit year of the second form: not more than 50 years ahead.
    package static func parse(_ bytes: Span<UInt8>, now: Int64) -> Int64? {
        var reader = Reader(bytes)
        guard let weekday = reader.readWord() else { return nil }
        if reader.skip(",") {
            guard reader.skip(" "), let day = reader.readDigits(2) else { return nil }
            if weekday == 3 { return fixdate(day, &reader) }
            return rfc850(day, now: now, &reader)
        }
        return weekday == 3 ? asctime(&reader) : nil
    }

    /// "Sun, 06 Nov 1994 08:49:37 GMT" from the month on.
    private static func fixdate(_ day: Int, _ reader: inout Reader) -> Int64? {
        guard reader.skip(" "), let month = reader.readMonth(), reader.skip(" "),
            let year = reader.readDigits(4), reader.skip(" "), let time = reader.readTime(),
            reader.skip(" GMT"), reader.isAtEnd
        else { return nil }
        return seconds(year, month, day, time)
    }

    /// "Sunday, 06-Nov-94 08:49:37 GMT" from the month on.
    private static func rfc850(_ day: Int, now: Int64, _ reader: inout Reader) -> Int64? {
        guard reader.skip("-"), let month = reader.readMonth(), reader.skip("-"),
            let short = reader.readDigits(2), reader.skip(" "), let time = reader.readTime(),
            reader.skip(" GMT"), reader.isAtEnd
        else { return nil }
        let current = CivilTime(seconds: now).year
        var year = current / 100 * 100 + short
        if year > current + 50 { year -= 100 }
        return seconds(year, month, day, time)
    }

    /// "Sun Nov  6 08:49:37 1994" from the month on.
    private static func asctime(_ reader: inout Reader) -> Int64? {
        guard reader.skip(" "), let month = reader.readMonth(), reader.skip(" ") else { return nil }
        guard let day = reader.skip(" ") ? reader.readDigits(1) : reader.readDigits(2) else {
            return nil
        }
        guard reader.skip(" "), let time = reader.readTime(), reader.skip(" "),
            let year = reader.readDigits(4), reader.isAtEnd
        else { return nil }
        return seconds(year, month, day, time)
    }

    private static func seconds(
        _ year: Int, _ month: Int, _ day: Int, _ time: (Int, Int, Int)
    ) -> Int64? {
        CivilTime.seconds(
            year: year, month: month, day: day, hour: time.0, minute: time.1, second: time.2)
    }

    private static func append(_ text: StaticString, to bytes: inout [UInt8]) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    /// Walks along the text; every step that does not fit leaves it where it was.
    private struct Reader {
        /// The longest form has 33 bytes; of a longer text only its length matters.
        private var bytes = InlineArray<40, UInt8>(repeating: 0)
        private let count: Int
        private var next = 0

        init(_ text: Span<UInt8>) {
            count = min(text.count, bytes.count)
            for index in 0..<count { bytes[index] = text[index] }
        }

        var isAtEnd: Bool { next == count }

        mutating func skip(_ text: StaticString) -> Bool {
            guard count - next >= text.utf8CodeUnitCount else { return false }
            for index in 0..<text.utf8CodeUnitCount
            where bytes[next + index] != text.utf8Start[index] { return false }
            next += text.utf8CodeUnitCount
            return true
        }

        /// The length of the name of a weekday: 3, or that of the full name.
        mutating func readWord() -> Int? {
            let names: InlineArray<7, StaticString> = [
                "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
            ]
            for index in names.indices {
                if skip(names[index]) { return names[index].utf8CodeUnitCount }
            }
            return readName(CivilTime.weekdayNames, of: 7) == nil ? nil : 3
        }

        mutating func readMonth() -> Int? {
            readName(CivilTime.monthNames, of: 12).map { $0 + 1 }
        }

        private mutating func readName(_ names: StaticString, of total: Int) -> Int? {
            guard count - next >= 3 else { return nil }
            for index in 0..<total {
                let name = names.utf8Start + index * 3
                if bytes[next] == name[0] && bytes[next + 1] == name[1]
                    && bytes[next + 2] == name[2]
                {
                    next += 3
                    return index
                }
            }
            return nil
        }

        mutating func readDigits(_ count: Int) -> Int? {
            guard self.count - next >= count else { return nil }
            var value = 0
            for index in next..<next + count {
                guard isDigit(bytes[index]) else { return nil }
                value = value * 10 + Int(bytes[index] - 0x30)
            }
            next += count
            return value
        }

        mutating func readTime() -> (Int, Int, Int)? {
            guard let hour = readDigits(2), skip(":"), let minute = readDigits(2), skip(":"),
                let second = readDigits(2)
            else { return nil }
            return (hour, minute, second)
        }
    }
}
