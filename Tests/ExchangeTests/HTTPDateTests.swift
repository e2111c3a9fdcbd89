// Dates of HTTP, there and back.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing

@Suite struct HTTPDateTests {
    private func parse(_ text: String, now: Int64 = 1_790_000_000) -> Int64? {
        let bytes = Array(text.utf8)
        return HTTPDate.parse(bytes.span, now: now)
    }

    private func format(_ seconds: Int64) -> String {
        var bytes: [UInt8] = []
        HTTPDate.append(seconds, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
        ] as [(Int64, String)])
    func aMomentHasOneTextAndBack(seconds: Int64, text: String) {
        #expect(format(seconds) == text)
        #expect(parse(text) == seconds)
        #expect(text.utf8.count == HTTPDate.length)
    }

    @Test(arguments: [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ])
    func theThreeFormsMeanTheSame(text: String) { #expect(parse(text) == 784_111_777) }

    @Test func daysOfManyCenturiesSurviveTheRoundTrip() {
        for day in stride(from: Int64(-719_162), to: 200_000, by: 37) {
            let seconds = day * 86400 + 45_296
            if parse(format(seconds)) != seconds { Issue.record("\(format(seconds))") }
        }
    }

    @Test func aTwoDigitYearIsNeverMoreThanFiftyYearsAhead() {
        let now: Int64 = 1_790_000_000  // in 2026
        #expect(parse("Monday, 01-Jan-76 00:00:00 GMT", now: now) == 3_345_062_400)
        #expect(parse("Monday, 01-Jan-77 00:00:00 GMT", now: now) == 220_924_800)
    }

    @Test(arguments: [
        "", "Sun", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "sun, 06 nov 1994 08:49:37 gmt",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT", "Sun, 06 Nov 19940 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday Nov  6 08:49:37 1994",
        "Sun Nov   6 08:49:37 1994", "Mon, 29 Feb 2100 00:00:00 GMT", "784111777",
    ])
    func whatIsNoDateIsNone(text: String) { #expect(parse(text) == nil) }

    @Test func momentsOutsideTheCalendarStayAtItsEdge() {
        #expect(format(.max) == "Fri, 31 Dec 9999 23:59:59 GMT")
        #expect(format(.min) == "Mon, 01 Jan 0001 00:00:00 GMT")
    }
}
