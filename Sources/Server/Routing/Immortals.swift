// Objects that live as long as the process, found by their index.
// SPDX-License-Identifier: Apache-2.0

/// Objects that live as long as the process, by their index: reading one counts no reference, which all
/// threads would contend for.
struct Immortals<Object: AnyObject & Sendable>: @unchecked Sendable {
    // because the memory is written once, here, and never freed
    private let objects: UnsafeMutablePointer<Unmanaged<Object>>
    let count: Int

    init(_ objects: [Object]) {
        count = objects.count
        self.objects = .allocate(capacity: max(1, objects.count))
        for (index, object) in objects.enumerated() {
            (self.objects + index).initialize(to: .passRetained(object))
        }
    }

    subscript(_ index: Int) -> Unmanaged<Object> {
        precondition(index >= 0 && index < count, "an index of something that was configured")
        return objects[index]
    }
}
