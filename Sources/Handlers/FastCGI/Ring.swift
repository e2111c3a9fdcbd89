// A queue in memory that is used again.
// SPDX-License-Identifier: Apache-2.0

/// A queue whose memory is used round and round.
struct Ring<Element> {
    private var places: [Element?] = []
    private var start = 0
    private(set) var count = 0

    var first: Element? { count == 0 ? nil : places[start] }

    mutating func append(_ element: Element) {
        if count == places.count { grow() }
        places[(start + count) % places.count] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        defer {
            places[start] = nil
            start = (start + 1) % places.count
            count -= 1
        }
        return places[start]
    }

    /// Removes the first element that is meant; the others keep their order. False: there is none.
    mutating func removeFirst(where isMeant: (Element) -> Bool) -> Bool {
        let capacity = places.count
        guard let found = (0..<count).first(where: { isMeant(places[(start + $0) % capacity]!) })
        else { return false }
        for offset in found..<count - 1 {
            places[(start + offset) % capacity] = places[(start + offset + 1) % capacity]
        }
        places[(start + count - 1) % capacity] = nil
        count -= 1
        return true
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(16, places.count * 2))
        for offset in 0..<count { larger.append(places[(start + offset) % places.count]) }
        while larger.count < larger.capacity { larger.append(nil) }
        places = larger
        start = 0
    }
}
