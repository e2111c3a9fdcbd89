// One started script, from the request for it to its end. Any thread may ask and tell.
// SPDX-License-Identifier: Apache-2.0

import Synchronization
package import Control

/// One started script, from the request for it to its end. Any thread may ask and tell.
package final class ScriptRun: Sendable {
    package enum State: Sendable, Equatable {
        /// Being started, running, or exited with code 0.
        case started
        /// It could not be started; errno.
        case failed(code: Int32)
        case ended(ProcessEnd)
    }

    package let id: UInt64
    private let current = Mutex(State.started)
    private let onEnd: @Sendable (UInt64, Bool) -> Void

    /// `onEnd` tells the starter of the request's end, and whether the output had ended before it.
    package init(id: UInt64, onEnd: @escaping @Sendable (UInt64, Bool) -> Void) {
        self.id = id
        self.onEnd = onEnd
    }

    package var state: State { current.withLock { $0 } }

    /// What the starter has learnt. An end is the last word.
    package func set(_ state: State) {
        current.withLock {
            switch $0 {
            case .started: $0 = state
            case .failed, .ended: break
            }
        }
    }

    /// The request is over; unless its output has ended, whatever is left of the script shall end too.
    package func end(outputHasEnded: Bool) { onEnd(id, outputHasEnded) }
}
