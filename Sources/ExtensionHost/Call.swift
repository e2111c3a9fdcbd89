// One call of an extension: the functions of its control block.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
internal import Exchange
import Platform

/// What a call needs besides its exchange while it lasts; the memory is reused by later calls. Whoever has
/// the call's turn has it all. The results of the functions are ERROR_ numbers.
///
/// Rationale: the exchange is an argument of each function, and not kept here, because an argument is not
/// counted (swift_retain) by whoever uses it.
struct Call {
    private var response = ExtensionResponse()
    private var text = ServerText()
    private var preload = Preload()
    /// Whose call it is.
    private var tag: UInt32 = 0

    /// Fills in what the control block says of the request.
    mutating func begin(
        _ exchange: any ExtensionExchange, _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>,
        _ strings: inout ReusedMemory, _ tag: UInt32
    ) {
        response.reset()
        self.tag = tag
        let nothing = text.fill(block, exchange, &strings, tag)
        preload.fill(block, exchange, nothing: nothing)
    }

    /// The extension has ended the exchange, or has let its time pass: brings the answer to an end.
    mutating func finish(
        _ ending: CallLife.Ending, _ exchange: any ExtensionExchange,
        _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>
    ) {
        switch ending {
        case .ended(let status):
            copyLogFields(block, to: exchange)
            finish(status, exchange)
        case .overdue:
            exchange.fail(
                status: 504, reason: "the extension did not end the request in time")
        }
    }

    private mutating func finish(_ status: UInt32, _ exchange: any ExtensionExchange) {
        switch Int32(truncatingIfNeeded: status) {
        case 0, HSE_STATUS_SUCCESS, HSE_STATUS_SUCCESS_AND_KEEP_CONN, HSE_STATUS_PENDING:
            if let fault = response.finish(exchange) { exchange.fail(status: 500, reason: fault) }
        case HSE_STATUS_ERROR:
            exchange.fail(status: 500, reason: "the extension returned HSE_STATUS_ERROR")
        case CallFault.status:
            exchange.fail(
                status: 500, reason: "the extension did worse than return: see the line about it")
        default:
            exchange.fail(
                status: 500, reason: "the extension returned the unknown status \(status)")
        }
    }

    /// What the extension left in the control block for the access log.
    private func copyLogFields(
        _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>, to exchange: any ExtensionExchange
    ) {
        let status = block.pointee.dwHttpStatusCode
        if status != 200 && (100...999).contains(status) { exchange.noteStatus(Int(status)) }
        let room = UnsafeRawBufferPointer(
            start: UnsafeRawPointer(block) + ControlBlock.logDataOffset,
            count: Int(HSE_LOG_BUFFER_LEN))
        let text = UnsafeRawBufferPointer(rebasing: room.prefix { $0 != 0 })
        if !text.isEmpty { exchange.appendLog(text) }
    }

    mutating func getServerVariable(
        _ exchange: any ExtensionExchange, _ name: LPSTR?, _ buffer: LPVOID?, _ size: LPDWORD?
    ) -> UInt32 {
        guard let name, let size else { return UInt32(ERROR_INVALID_PARAMETER) }
        guard buffer != nil || size.pointee == 0 else { return UInt32(ERROR_INVALID_PARAMETER) }
        switch text.read(variable: CText.bytes(UnsafePointer(name), most: 4096), exchange) {
        case .unknown: return UInt32(ERROR_INVALID_INDEX)
        case .unavailable: return UInt32(ERROR_NO_DATA)
        case .found: return text.copy(to: buffer, size)
        }
    }

    mutating func writeClient(
        _ exchange: any ExtensionExchange, _ buffer: LPVOID?, _ size: LPDWORD?
    ) -> UInt32 {
        guard let size else { return UInt32(ERROR_INVALID_PARAMETER) }
        let count = Int(size.pointee)
        if count == 0 { return UInt32(NO_ERROR) }
        guard let buffer, isPlausible(buffer, count) else { return UInt32(ERROR_INVALID_PARAMETER) }
        let code = response.write(UnsafeRawBufferPointer(start: buffer, count: count), exchange)
        if code != UInt32(NO_ERROR) { size.pointee = 0 }
        return code
    }

    mutating func readClient(
        _ exchange: any ExtensionExchange, _ buffer: LPVOID?, _ size: LPDWORD?
    ) -> UInt32 {
        guard let size else { return UInt32(ERROR_INVALID_PARAMETER) }
        let room = Int(size.pointee)
        if room == 0 { return UInt32(NO_ERROR) }
        guard let buffer else { return UInt32(ERROR_INVALID_PARAMETER) }
        let count = exchange.readBody(into: .init(start: buffer, count: room))
        size.pointee = DWORD(max(0, count))
        return count < 0 ? UInt32(ERROR_READ_FAULT) : UInt32(NO_ERROR)
    }

    /// A length that was negative, or that leads out of mapped memory, is not followed.
    private func isPlausible(_ buffer: LPVOID, _ count: Int) -> Bool {
        if count <= 1 << 20 { return true }
        return count <= Int(Int32.max) && MappedMemory.contains(buffer, count: count)
    }

    mutating func serverSupport(
        _ exchange: any ExtensionExchange, _ code: DWORD, _ buffer: LPVOID?, _ size: LPDWORD?,
        _ type: LPDWORD?
    ) -> UInt32 {
        switch Int32(truncatingIfNeeded: code) {
        case HSE_REQ_SEND_RESPONSE_HEADER:
            return response.sendHeader(
                status: CText.bytes(buffer, most: CText.longestLine),
                block: CText.bytes(UnsafeMutableRawPointer(type), most: CText.longest),
                closes: false, exchange)
        case HSE_REQ_SEND_RESPONSE_HEADER_EX:
            guard let buffer else { return UInt32(ERROR_INVALID_PARAMETER) }
            let info = buffer.loadUnaligned(as: HSE_SEND_HEADER_EX_INFO.self)
            return response.sendHeader(
                status: CText.bytes(info.pszStatus, count: info.cchStatus),
                block: CText.bytes(info.pszHeader, count: info.cchHeader),
                closes: info.fKeepConn == 0, exchange)
        case HSE_REQ_SEND_URL_REDIRECT_RESP:
            let length = size.map { Int($0.pointee) } ?? 0
            let most = length > 0 ? min(length, CText.longestLine) : CText.longestLine
            guard let url = CText.bytes(buffer, most: most), !url.isEmpty else {
                return UInt32(ERROR_INVALID_PARAMETER)
            }
            return response.redirect(to: url, exchange)
        case HSE_REQ_MAP_URL_TO_PATH:
            guard let size, let buffer, let url = CText.bytes(buffer, most: CText.longestLine)
            else {
                return UInt32(ERROR_INVALID_PARAMETER)
            }
            guard text.map(url, exchange) else { return UInt32(ERROR_FILE_NOT_FOUND) }
            return text.copy(to: buffer, size)
        case HSE_APPEND_LOG_PARAMETER:
            guard let text = CText.bytes(buffer, most: 4096) else {
                return UInt32(ERROR_INVALID_PARAMETER)
            }
            exchange.appendLog(UnsafeRawBufferPointer(text))
            return UInt32(NO_ERROR)
        case HSE_REQ_IS_KEEP_CONN:
            return answer(buffer, exchange.keepsConnection ? 1 : 0)
        case HSE_REQ_IS_CONNECTED:
            return answer(buffer, exchange.isConnected ? 1 : 0)
        case HSE_REQ_REPORT_UNHEALTHY:
            UnhealthyReport.make(
                CText.bytes(buffer, most: UnhealthyReport.longest), exchange.request.line, tag)
            return UInt32(NO_ERROR)
        case HSE_REQ_IS_IN_PROCESS:
            return answer(
                buffer,
                UInt32(exchange.isInProcess ? HSE_APP_FLAG_IN_PROCESS : HSE_APP_FLAG_POOLED_OOP))
        default:
            return UInt32(ERROR_INVALID_PARAMETER)
        }
    }

    private func answer(_ buffer: LPVOID?, _ value: UInt32) -> UInt32 {
        guard let buffer else { return UInt32(ERROR_INVALID_PARAMETER) }
        buffer.storeBytes(of: value, as: UInt32.self)
        return UInt32(NO_ERROR)
    }
}
