// A pointer that every thread has for itself.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Thread-specific data (man 3 pthread_key_create). Made once, for the life of the process: keys are few.
package struct ThreadPointer: Sendable {
    /// What the end of a thread does with its pointer, unless that is nil.
    package typealias Ending = @convention(c) (UnsafeMutableRawPointer?) -> Void

    private let key: pthread_key_t

    package init(_ whenThreadEnds: @escaping Ending) {
        var key = pthread_key_t()
        let code = pthread_key_create(&key, whenThreadEnds)
        precondition(code == 0, "the process has used up its keys for thread-specific data")
        self.key = key
    }

    /// The calling thread's pointer; nil until it sets one.
    package var value: UnsafeMutableRawPointer? {
        get { pthread_getspecific(key) }
        nonmutating set { pthread_setspecific(key, newValue) }
    }
}
