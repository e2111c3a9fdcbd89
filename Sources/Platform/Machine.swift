// A machine's number in an ELF header (e_machine) that this process can load.
// SPDX-License-Identifier: Apache-2.0

/// A machine's number in an ELF header (e_machine) that this process can load.
package enum Machine {
    #if arch(x86_64)
        package static let number: UInt16 = 62
        package static let name = "x86-64"
    #elseif arch(arm64)
        package static let number: UInt16 = 183
        package static let name = "aarch64"
    #endif
}
