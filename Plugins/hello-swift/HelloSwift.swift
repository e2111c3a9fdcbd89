// The hello extension in Swift: the entry points of httpext.h as functions with C names.
// SPDX-License-Identifier: Apache-2.0

public import CISAPI

/// Called once, right after loading; 0 (FALSE) when the extension cannot work here.
@c(GetExtensionVersion)
public func extensionVersion(_ version: UnsafeMutablePointer<HSE_VERSION_INFO>) -> BOOL {
    version.pointee.dwExtensionVersion = 0x0008_0000
    withUnsafeMutableBytes(of: &version.pointee.lpszExtensionDesc) { room in
        room.copyBytes(from: "Hello in Swift".utf8)
    }
    return 1
}

/// No state is shared between calls.
@c(GetExtensionThreadSafety)
public func extensionThreadSafety() -> DWORD { DWORD(HSE_THREAD_SAFE) }

/// Called for each request, on many threads at once.
@c(HttpExtensionProc)
public func answer(_ ecb: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>) -> DWORD {
    guard sendHead(ecb), sendBody(ecb, "Hello, world\n") else { return DWORD(HSE_STATUS_ERROR) }
    return DWORD(HSE_STATUS_SUCCESS)
}

private func sendHead(_ ecb: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>) -> Bool {
    let status: StaticString = "200 OK"
    let header: StaticString = "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\n"
    var head = HSE_SEND_HEADER_EX_INFO()
    head.pszStatus = UnsafeRawPointer(status.utf8Start).assumingMemoryBound(to: CChar.self)
    head.cchStatus = DWORD(status.utf8CodeUnitCount)
    head.pszHeader = UnsafeRawPointer(header.utf8Start).assumingMemoryBound(to: CChar.self)
    head.cchHeader = DWORD(header.utf8CodeUnitCount)
    head.fKeepConn = 1
    return ecb.pointee.ServerSupportFunction(
        ecb.pointee.ConnID, DWORD(HSE_REQ_SEND_RESPONSE_HEADER_EX), &head, nil, nil) != 0
}

private func sendBody(_ ecb: UnsafeMutablePointer<EXTENSION_CONTROL_BLOCK>, _ text: StaticString)
    -> Bool
{
    var count = DWORD(text.utf8CodeUnitCount)
    let bytes = UnsafeMutableRawPointer(mutating: text.utf8Start)
    return ecb.pointee.WriteClient(ecb.pointee.ConnID, bytes, &count, DWORD(HSE_IO_SYNC)) != 0
}
