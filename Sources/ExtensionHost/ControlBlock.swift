// What stays the same in every control block.
// SPDX-License-Identifier: Apache-2.0

import CISAPI

enum ControlBlock {
    nonisolated(unsafe) static let template: EXTENSION_CONTROL_BLOCK = {
        // because it is never changed once it is made.
        var block = EXTENSION_CONTROL_BLOCK()
        block.cbSize = DWORD(MemoryLayout<EXTENSION_CONTROL_BLOCK>.size)
        block.dwVersion = DWORD(HSE_VERSION_MAJOR) << 16 | DWORD(HSE_VERSION_MINOR)
        block.dwHttpStatusCode = 200
        block.GetServerVariable = Callbacks.getServerVariable
        block.WriteClient = Callbacks.writeClient
        block.ReadClient = Callbacks.readClient
        block.ServerSupportFunction = Callbacks.serverSupportFunction
        return block
    }()

    static let logDataOffset = MemoryLayout<EXTENSION_CONTROL_BLOCK>.offset(of: \.lpszLogData)!
}
