// Why a client has no response.
// SPDX-License-Identifier: Apache-2.0

package enum ClientError: Error, Equatable {
    /// connect(2) failed: errno.
    case refused(Int32)
    /// The connection ended before the first byte of a response.
    case closedBeforeResponse
    case resetBeforeResponse
    /// The connection ended within a response.
    case truncated
    /// What arrived is no HTTP/1 response.
    case notHTTP(String)
    case timedOut
    case system(call: String, code: Int32)
}
