// `recycle:`, of the server and of pools.
// SPDX-License-Identifier: Apache-2.0

extension SettingsReader {
    func readRecycling(_ value: Value) -> Settings.Recycling {
        var result = Settings.Recycling()
        guard let section = Section(value, expected: "a mapping of limits") else { return result }
        section.allow(["after", "at", "memory", "private-memory", "descriptors"])
        if let time = section["after"]?.duration() { result.after = time }
        if let value = section["at"] { result.at = readTimesOfDay(value) }
        let sizes: ClosedRange<Int64> = 0...1 << 50
        if let bytes = section["memory"]?.size(sizes) { result.memory = bytes }
        if let bytes = section["private-memory"]?.size(sizes) { result.privateMemory = bytes }
        if let count = section["descriptors"]?.integer(0...1_000_000) {
            result.descriptors = count
        }
        return result
    }

    private func readTimesOfDay(_ value: Value) -> [Int] {
        let expected = "times of day from 00:00 to 23:59, such as [\"03:00\", \"15:30\"]"
        let elements = value.elements(expected)
        if elements.count > 96 {
            value.refuse(found: "\(elements.count) times", expected: "at most 96")
        }
        var minutes: Set<Int> = []
        for element in elements.prefix(96) {
            guard let text = element.text(expected) else { continue }
            guard let minute = Quantity.minuteOfDay(text) else {
                element.refuse(expected: expected)
                continue
            }
            minutes.insert(minute)
        }
        return minutes.sorted()
    }
}
