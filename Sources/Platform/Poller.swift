// Readiness of many descriptors: one epoll instance.
// SPDX-License-Identifier: Apache-2.0

import CPlatform
import Glibc

/// An epoll instance (man 7 epoll). Any thread may wait, add and remove.
package struct Poller: ~Copyable, Sendable {
    package struct Events: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let readable = Events(rawValue: 0x001)
        package static let writable = Events(rawValue: 0x004)
        package static let peerClosed = Events(rawValue: 0x2000)
        package static let hangUp = Events(rawValue: 0x010)
        package static let error = Events(rawValue: 0x008)
        /// One event per change, not one per look.
        package static let edge = Events(rawValue: 1 << 31)
        /// Of several epoll instances on one listener, few wake (man 2 epoll_ctl).
        package static let exclusive = Events(rawValue: 1 << 28)
    }

    package let descriptor: Descriptor

    package init() throws(SystemError) {
        descriptor = Descriptor(
            owning: try retrying("epoll_create1") { cplatform_epoll_create() })
    }

    package func add(_ number: Int32, _ events: Events, token: UInt64) throws(SystemError) {
        try control(.add, number, events, token)
    }

    /// Changes the events; readiness that holds now is reported again.
    package func rearm(_ number: Int32, _ events: Events, token: UInt64) throws(SystemError) {
        try control(.modify, number, events, token)
    }

    package func remove(_ number: Int32) throws(SystemError) {
        try control(.delete, number, [], 0)
    }

    /// One event, or nil after the time-out. -1 waits for ever.
    package func wait(milliseconds: Int32) -> (token: UInt64, events: Events)? {
        var events: UInt32 = 0
        var token: UInt64 = 0
        while true {
            let count = cplatform_epoll_wait_one(descriptor.number, milliseconds, &events, &token)
            if count == 1 { return (token, Events(rawValue: events)) }
            if count == 0 { return nil }
            if errno != EINTR {
                fatalError("epoll_wait: errno \(errno): the epoll descriptor is broken")
            }
        }
    }

    /// An event: the token it was asked for with, and what happened.
    package struct Event: Sendable {
        package var token: UInt64
        package var events: Events
        package init(token: UInt64, events: Events) {
            self.token = token
            self.events = events
        }
    }

    /// As many events as there are now and at most so many, at least one; 0 after the time-out.
    package func wait(into room: borrowing EventRoom, most: Int, milliseconds: Int32) -> Int {
        while true {
            let count = cplatform_epoll_wait(
                descriptor.number, milliseconds, room.words, Int32(min(most, room.capacity)))
            if count >= 0 { return Int(count) }
            if errno != EINTR {
                fatalError("epoll_wait: errno \(errno): the epoll descriptor is broken")
            }
        }
    }

    private enum Operation: Int32 { case add = 1, delete, modify }

    private func control(
        _ operation: Operation, _ number: Int32, _ events: Events, _ token: UInt64
    ) throws(SystemError) {
        _ = try retrying("epoll_ctl") {
            cplatform_epoll_control(
                descriptor.number, operation.rawValue, number, events.rawValue, token)
        }
    }
}
