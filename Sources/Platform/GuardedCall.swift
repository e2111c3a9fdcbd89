// Calls of functions that may do worse than return.
// SPDX-License-Identifier: Apache-2.0

import CPlatform

package enum GuardedCall {
    /// What became of a call.
    package enum End: Sendable, Equatable {
        case returned(UInt32)
        /// An exception that nobody had caught left the function.
        case threw
        /// The function wanted to end the process, with that code, or its thread.
        ///
        /// Neither has ended. What stood on the stack was not destroyed: locks it held stay locked, so the
        /// process had better be replaced soon.
        case wantedExit(code: Int32)
        case wantedThreadExit
    }

    /// Calls a C function with one argument.
    package static func run(
        _ function: @convention(c) (UnsafeMutableRawPointer?) -> UInt32,
        _ argument: UnsafeMutableRawPointer?
    ) -> End {
        var result: UInt32 = 0
        switch cplatform_call_guarded(function, argument, &result) {
        case Int32(CPLATFORM_RETURNED.rawValue): return .returned(result)
        case Int32(CPLATFORM_THREW.rawValue): return .threw
        case Int32(CPLATFORM_WANTED_EXIT.rawValue):
            return .wantedExit(code: Int32(bitPattern: result))
        default: return .wantedThreadExit
        }
    }
}
