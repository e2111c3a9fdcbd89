// The four functions of the control block, as C calls them.
// SPDX-License-Identifier: Apache-2.0

import CExtensionHost
import CISAPI

/// What stands in every control block. Nothing throws across; a failure is FALSE and a last error.
enum Callbacks {
    static let getServerVariable: @convention(c) (HCONN?, LPSTR?, LPVOID?, LPDWORD?) -> BOOL = {
        handle, name, buffer, size in
        perform(handle) { $0.getServerVariable($1, name, buffer, size) }
    }

    static let writeClient: @convention(c) (HCONN?, LPVOID?, LPDWORD?, DWORD) -> BOOL = {
        handle, buffer, size, _ in
        perform(handle) { $0.writeClient($1, buffer, size) }
    }

    static let readClient: @convention(c) (HCONN?, LPVOID?, LPDWORD?) -> BOOL = {
        handle, buffer, size in
        perform(handle) { $0.readClient($1, buffer, size) }
    }

    static let serverSupportFunction:
        @convention(c) (HCONN?, DWORD, LPVOID?, LPDWORD?, LPDWORD?) -> BOOL = {
            handle, code, buffer, size, type in
            guard code != DWORD(HSE_REQ_DONE_WITH_SESSION) else { return done(handle, buffer) }
            return perform(handle) { $0.serverSupport($1, code, buffer, size, type) }
        }

    private static func perform(_ handle: HCONN?, _ body: CallSlot.Callback) -> BOOL {
        guard let (slot, generation) = CallTable.shared.find(handle) else {
            return result(UInt32(ERROR_INVALID_PARAMETER))
        }
        return result(slot._withUnsafeGuaranteedRef { $0.perform(generation, body) })
    }

    private static func done(_ handle: HCONN?, _ buffer: LPVOID?) -> BOOL {
        guard let (slot, generation) = CallTable.shared.find(handle) else {
            return result(UInt32(ERROR_INVALID_PARAMETER))
        }
        let status = buffer.map { $0.loadUnaligned(as: UInt32.self) }
        // Only a failure tells something new: what else stands there, perhaps by accident, is success.
        let failed = status == UInt32(HSE_STATUS_ERROR)
        let ended = UInt32(failed ? HSE_STATUS_ERROR : HSE_STATUS_SUCCESS)
        return result(slot._withUnsafeGuaranteedRef { $0.done(generation, status: ended) })
    }

    /// Exactly TRUE or FALSE; success leaves the last error alone.
    private static func result(_ code: UInt32) -> BOOL {
        if code == UInt32(NO_ERROR) { return 1 }
        cextension_set_last_error(code)
        return 0
    }
}
