// The input of a script whose request has no body.
// SPDX-License-Identifier: Apache-2.0

import Platform
import Synchronization

/// The input of a script whose request has no body: /dev/null, opened once for all.
enum EmptyInput {
    private static let shared = Mutex<Int32?>(nil)

    static func number() throws(SystemError) -> Int32 {
        if let number = shared.withLock({ $0 }) { return number }
        let opened = try Files.open("/dev/null", .readOnly).take()
        return shared.withLock { number in
            if let number {
                closeDescriptor(opened)
                return number
            }
            number = opened
            return opened
        }
    }
}
