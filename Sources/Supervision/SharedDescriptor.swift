// A descriptor with as many owners as there are letters that carry it.
// SPDX-License-Identifier: Apache-2.0

import Platform

/// A descriptor with as many owners as there are letters that carry it.
final class SharedDescriptor {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}
