// Whose standard error a line of the log comes from.
// SPDX-License-Identifier: Apache-2.0

/// Who writes to a standard error.
enum ErrorSpeaker {
    /// The process of a pool, if it is known.
    case worker(pid: Int32?)
    /// The file of a script.
    case script([UInt8])
}
