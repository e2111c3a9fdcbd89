// The functions of the control block, under the call's lock. Results are ERROR_ numbers.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
internal import Exchange
import Platform

extension Call {
    mutating func getServerVariable(_ name: LPSTR?, _ buffer: LPVOID?, _ size: LPDWORD?) -> UInt32 {
        guard let name, let size, let exchange else { return UInt32(ERROR_INVALID_PARAMETER) }
        guard buffer != nil || size.pointee == 0 else { return UInt32(ERROR_INVALID_PARAMETER) }
        let text = Text.bytes(UnsafePointer(name), most: 4096)
        scratch.removeAll(keepingCapacity: true)
        let result =
            Text.hasUnicodePrefix(text)
            ? appendWide(UnsafeBufferPointer(rebasing: text[8...]), exchange)
            : append(text, exchange)
        switch result {
        case .unknown: return UInt32(ERROR_INVALID_INDEX)
        case .unavailable: return UInt32(ERROR_NO_DATA)
        case .found: break
        }
        guard let needed = DWORD(exactly: scratch.count) else { return UInt32(ERROR_INVALID_DATA) }
        let room = size.pointee
        size.pointee = needed
        guard let buffer, room >= needed else { return UInt32(ERROR_INSUFFICIENT_BUFFER) }
        scratch.withUnsafeBytes { buffer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        return UInt32(NO_ERROR)
    }

    /// The variable and its NUL.
    private mutating func append(
        _ name: UnsafeBufferPointer<UInt8>, _ exchange: any ExtensionExchange
    ) -> VariableResult {
        let result = Variables.append(
            name.span, request: exchange.request, metaVariables: exchange,
            bodyLength: exchange.bodyLength,
            to: &scratch)
        scratch.append(0)
        return result
    }

    /// UNICODE_x: the variable x and its NUL in UTF-16.
    private mutating func appendWide(
        _ name: UnsafeBufferPointer<UInt8>, _ exchange: any ExtensionExchange
    ) -> VariableResult {
        let result = append(name, exchange)
        guard result == .found else { return result }
        let text = String(decoding: scratch, as: UTF8.self)
        scratch.removeAll(keepingCapacity: true)
        for unit in text.utf16 {
            scratch.append(UInt8(truncatingIfNeeded: unit))
            scratch.append(UInt8(truncatingIfNeeded: unit >> 8))
        }
        return .found
    }

    mutating func writeClient(_ buffer: LPVOID?, _ size: LPDWORD?) -> UInt32 {
        guard let size else { return UInt32(ERROR_INVALID_PARAMETER) }
        let count = Int(size.pointee)
        if count == 0 { return UInt32(NO_ERROR) }
        guard let buffer, isPlausible(buffer, count) else { return UInt32(ERROR_INVALID_PARAMETER) }
        let code = write(UnsafeRawBufferPointer(start: buffer, count: count))
        if code != UInt32(NO_ERROR) { size.pointee = 0 }
        return code
    }

    mutating func readClient(_ buffer: LPVOID?, _ size: LPDWORD?) -> UInt32 {
        guard let size, let exchange else { return UInt32(ERROR_INVALID_PARAMETER) }
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
        _ code: DWORD, _ buffer: LPVOID?, _ size: LPDWORD?, _ type: LPDWORD?
    ) -> UInt32 {
        guard let exchange else { return UInt32(ERROR_INVALID_PARAMETER) }
        switch Int32(truncatingIfNeeded: code) {
        case HSE_REQ_SEND_RESPONSE_HEADER:
            return sendHeader(
                status: Text.bytes(buffer, most: Text.longestLine),
                block: Text.bytes(UnsafeMutableRawPointer(type), most: Text.longest), closes: false)
        case HSE_REQ_SEND_RESPONSE_HEADER_EX:
            guard let buffer else { return UInt32(ERROR_INVALID_PARAMETER) }
            let info = buffer.loadUnaligned(as: HSE_SEND_HEADER_EX_INFO.self)
            return sendHeader(
                status: Text.bytes(info.pszStatus, count: info.cchStatus),
                block: Text.bytes(info.pszHeader, count: info.cchHeader),
                closes: info.fKeepConn == 0)
        case HSE_REQ_SEND_URL_REDIRECT_RESP:
            let length = size.map { Int($0.pointee) } ?? 0
            let most = length > 0 ? min(length, Text.longestLine) : Text.longestLine
            guard let url = Text.bytes(buffer, most: most), !url.isEmpty else {
                return UInt32(ERROR_INVALID_PARAMETER)
            }
            return redirect(to: url)
        case HSE_REQ_MAP_URL_TO_PATH:
            return mapURL(buffer, size, exchange)
        case HSE_APPEND_LOG_PARAMETER:
            guard let text = Text.bytes(buffer, most: 4096) else {
                return UInt32(ERROR_INVALID_PARAMETER)
            }
            exchange.appendLog(UnsafeRawBufferPointer(text))
            return UInt32(NO_ERROR)
        case HSE_REQ_IS_KEEP_CONN:
            return answer(buffer, exchange.keepsConnection ? 1 : 0)
        case HSE_REQ_IS_CONNECTED:
            return answer(buffer, exchange.isConnected ? 1 : 0)
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

    /// The path below the site's root, in place of the URL. The size counts the NUL.
    private mutating func mapURL(
        _ buffer: LPVOID?, _ size: LPDWORD?, _ exchange: any ExtensionExchange
    ) -> UInt32 {
        guard let size, let url = Text.bytes(buffer, most: Text.longestLine), let buffer else {
            return UInt32(ERROR_INVALID_PARAMETER)
        }
        scratch.removeAll(keepingCapacity: true)
        guard exchange.append(.documentRoot, to: &scratch) else {
            return UInt32(ERROR_FILE_NOT_FOUND)
        }
        let end = url.firstIndex { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") } ?? url.count
        guard PathDecoding.decode(url.span.extracting(0..<end), into: &path) == nil else {
            return UInt32(ERROR_FILE_NOT_FOUND)
        }
        scratch.append(contentsOf: path)
        scratch.append(0)
        let room = Int(size.pointee)
        size.pointee = DWORD(scratch.count)
        guard room >= scratch.count else { return UInt32(ERROR_INSUFFICIENT_BUFFER) }
        scratch.withUnsafeBytes { buffer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        return UInt32(NO_ERROR)
    }
}

/// C strings from an extension, never followed further than a bound.
enum Text {
    static let longestLine = 64 * 1024
    static let longest = 16 << 20

    static func bytes(_ start: UnsafePointer<CChar>, most: Int) -> UnsafeBufferPointer<UInt8> {
        let bytes = UnsafeRawPointer(start).assumingMemoryBound(to: UInt8.self)
        var count = 0
        while count < most && bytes[count] != 0 { count += 1 }
        return UnsafeBufferPointer(start: bytes, count: count)
    }

    static func bytes(_ start: UnsafeMutableRawPointer?, most: Int) -> UnsafeBufferPointer<UInt8>? {
        start.map { bytes(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self), most: most) }
    }

    /// A string with its length: it ends at its NUL or at the length, and 0 means that it was not counted.
    static func bytes(_ start: LPCSTR?, count: DWORD) -> UnsafeBufferPointer<UInt8>? {
        start.map { bytes($0, most: count == 0 ? longest : min(Int(count), longest)) }
    }

    static func hasUnicodePrefix(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        equalsIgnoringCase(name.span, 0, "unicode_")
    }
}
