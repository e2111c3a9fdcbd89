// Text that the server has for an extension: the control block's strings, variables, mapped paths.
// SPDX-License-Identifier: Apache-2.0

import CISAPI
internal import Exchange
import Platform

/// Memory in which such a text is put together before the extension gets its copy.
struct ServerText {
    private var bytes: [UInt8] = []
    private var path: [UInt8] = []

    /// Puts the strings of the control block into `memory`; gives back an empty string of the block's own.
    mutating func fill(
        _ block: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>, _ exchange: any ExtensionExchange,
        _ memory: inout ReusedMemory, _ tag: UInt32
    ) -> UnsafeMutableRawPointer {
        let request = exchange.request
        enter(tag, request)
        bytes.removeAll(keepingCapacity: true)
        let method = append(request.methodName, of: request)
        let query = append(request.query, of: request)
        let pathInfo = append(.pathInfo, exchange)
        let translated = append(.pathTranslated, exchange)
        let contentType = append(request.value(of: "content-type") ?? .none, of: request)
        let empty = bytes.count
        bytes.append(0)
        let room = memory.room(bytes.count)
        bytes.withUnsafeBytes { room.copyMemory(from: $0) }
        memory.use(bytes.count)
        let start = room.baseAddress!
        let strings = start.assumingMemoryBound(to: CChar.self)
        block.pointee.lpszMethod = strings + method
        block.pointee.lpszQueryString = strings + query
        block.pointee.lpszPathInfo = strings + pathInfo
        block.pointee.lpszPathTranslated = strings + translated
        block.pointee.lpszContentType = strings + contentType
        return start + empty
    }

    /// Whoever reads the record of a fault learns of the request line up to the query, which may hold secrets.
    @inline(__always)
    private func enter(_ tag: UInt32, _ request: Request) {
        request.bytes.withUnsafeBytes { bytes in
            let line = bytes[..<min(bytes.count, request.rawPath.range.upperBound)]
            FaultRecorder.enter(tag, .call, UnsafeRawBufferPointer(rebasing: line))
        }
    }

    private mutating func append(_ slice: Request.Slice, of request: Request) -> Int {
        let start = bytes.count
        request.append(slice, to: &bytes)
        bytes.append(0)
        return start
    }

    private mutating func append(
        _ variable: MetaVariable, _ exchange: any ExtensionExchange
    ) -> Int {
        let start = bytes.count
        _ = exchange.append(variable, to: &bytes)
        bytes.append(0)
        return start
    }

    /// The variable and its NUL; UNICODE_x is the variable x and its NUL in UTF-16.
    mutating func read(
        variable name: UnsafeBufferPointer<UInt8>, _ exchange: any ExtensionExchange
    ) -> VariableResult {
        bytes.removeAll(keepingCapacity: true)
        guard CText.hasUnicodePrefix(name) else { return append(name, exchange) }
        let result = append(UnsafeBufferPointer(rebasing: name[8...]), exchange)
        guard result == .found else { return result }
        let text = String(decoding: bytes, as: UTF8.self)
        bytes.removeAll(keepingCapacity: true)
        for unit in text.utf16 {
            bytes.append(UInt8(truncatingIfNeeded: unit))
            bytes.append(UInt8(truncatingIfNeeded: unit >> 8))
        }
        return .found
    }

    private mutating func append(
        _ name: UnsafeBufferPointer<UInt8>, _ exchange: any ExtensionExchange
    ) -> VariableResult {
        let result = Variables.append(
            name.span, request: exchange.request, metaVariables: exchange,
            bodyLength: exchange.bodyLength, to: &bytes)
        bytes.append(0)
        return result
    }

    /// The path below the site's root that a URL leads to, and its NUL. False: there is none.
    mutating func map(
        _ url: UnsafeBufferPointer<UInt8>, _ exchange: any ExtensionExchange
    ) -> Bool {
        bytes.removeAll(keepingCapacity: true)
        guard exchange.append(.documentRoot, to: &bytes) else { return false }
        let end = url.firstIndex { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") } ?? url.count
        guard PathDecoding.decode(url.span.extracting(0..<end), into: &path) == nil else {
            return false
        }
        bytes.append(contentsOf: path)
        bytes.append(0)
        return true
    }

    /// Copies the text to the extension. The size is in: the buffer's room; out: the text's, NUL included.
    func copy(to buffer: LPVOID?, _ size: LPDWORD) -> UInt32 {
        guard let needed = DWORD(exactly: bytes.count) else { return UInt32(ERROR_INVALID_DATA) }
        let room = size.pointee
        size.pointee = needed
        guard let buffer, room >= needed else { return UInt32(ERROR_INSUFFICIENT_BUFFER) }
        bytes.withUnsafeBytes { buffer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        return UInt32(NO_ERROR)
    }
}
