// What is due when.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// One point in time for each key, and quickly the nearest of them, however many there are.
///
/// A heap in which an entry that has been overtaken stays until it comes up or such entries outnumber the
/// others.
struct DueTimes<Key: Hashable> {
    private struct Entry {
        var time: Instant
        var key: Key
    }

    private var times: [Key: Instant] = [:]
    /// Each entry is due no later than the two at 2i + 1 and 2i + 2.
    private var heap: [Entry] = []

    /// When the key is due; `never` removes it.
    subscript(key: Key) -> Instant {
        get { times[key] ?? .never }
        set {
            guard newValue != times[key] ?? .never else { return }
            guard newValue != .never else {
                times[key] = nil
                return
            }
            times[key] = newValue
            if heap.count > 2 * times.count + 16 { rebuild() } else { push(newValue, key) }
        }
    }

    /// When the nearest one is due.
    var next: Instant {
        mutating get {
            dropOvertaken()
            return heap.first?.time ?? .never
        }
    }

    /// Removes one key that is due and gives it with the time it was due; nil when none is.
    mutating func popDue(_ now: Instant) -> (key: Key, time: Instant)? {
        dropOvertaken()
        guard let first = heap.first, first.time <= now else { return nil }
        pop()
        times[first.key] = nil
        return (first.key, first.time)
    }

    private mutating func dropOvertaken() {
        while let first = heap.first, times[first.key] != first.time { pop() }
    }

    private mutating func rebuild() {
        heap.removeAll(keepingCapacity: true)
        for (key, time) in times { push(time, key) }
    }

    private mutating func push(_ time: Instant, _ key: Key) {
        heap.append(Entry(time: time, key: key))
        var place = heap.count - 1
        while place > 0, heap[place].time < heap[(place - 1) / 2].time {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var place = 0
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heap.count && heap[child].time < heap[least].time { least = child }
            if least == place { return }
            heap.swapAt(place, least)
            place = least
        }
    }
}
