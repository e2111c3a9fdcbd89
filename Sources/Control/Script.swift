// A CGI script to be started, as one block of C strings.
// SPDX-License-Identifier: Apache-2.0

/// Program, arguments, environment and folder: written once in the host, handed to execve(2) as they are.
package struct Script: Sendable, Equatable {
    /// The program's path, its folder, the arguments, then each "NAME=value": all ended by NUL.
    package private(set) var block: [UInt8]
    package let argumentCount: Int
    package private(set) var variableCount = 0
    /// As what it runs: a place in the configuration's list of them, which the supervisor has too.
    package var confinement = 0

    /// A script without environment; the program's name is the first argument.
    package init(program: String, arguments: [String], folder: String) {
        block = []
        block.reserveCapacity(2048)
        argumentCount = arguments.count
        append(program)
        append(folder)
        for argument in arguments { append(argument) }
    }

    package init(program: String, arguments: [String], environment: [[UInt8]], folder: String) {
        self.init(program: program, arguments: arguments, folder: folder)
        for variable in environment {
            block.append(contentsOf: variable)
            endVariable()
        }
    }

    /// Adds "NAME=value" to the environment.
    package mutating func appendVariable(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        name.withUnsafeBufferPointer { block.append(contentsOf: $0) }
        block.append(UInt8(ascii: "="))
        value.withUnsafeBufferPointer { block.append(contentsOf: $0) }
        endVariable()
    }

    package mutating func appendVariable(_ name: String, _ value: String) {
        appendVariable(name.utf8Span.span, value.utf8Span.span)
    }

    private mutating func endVariable() {
        block.append(0)
        variableCount += 1
    }

    private mutating func append(_ string: String) {
        block.append(contentsOf: string.utf8)
        block.append(0)
    }
}

extension Script {
    func append(to writer: inout MessageWriter) {
        writer.append(UInt32(clamping: argumentCount))
        writer.append(UInt32(clamping: variableCount))
        writer.append(UInt32(clamping: confinement))
        writer.append(rest: block)
    }

    init(from reader: inout MessageReader) throws(ControlError) {
        argumentCount = try reader.count(ofSize: 1)
        variableCount = try reader.count(ofSize: 1)
        let place: UInt32 = try reader.number()
        confinement = Int(place)
        block = reader.rest()
        // A NUL more would be one string cut in two, a NUL less a string without an end.
        var ends = 0
        block.withUnsafeBufferPointer { for byte in $0 { ends &+= byte == 0 ? 1 : 0 } }
        guard block.last == 0, ends == 2 + argumentCount + variableCount else { throw .malformed }
    }
}

/// The parts, for whoever wants to look at them one by one.
extension Script {
    private var strings: [[UInt8]] {
        block.dropLast().split(separator: 0, omittingEmptySubsequences: false).map { Array($0) }
    }

    package var program: String { String(decoding: strings[0], as: UTF8.self) }
    package var folder: String { String(decoding: strings[1], as: UTF8.self) }
    package var arguments: [String] {
        strings[2..<(2 + argumentCount)].map { String(decoding: $0, as: UTF8.self) }
    }
    /// "NAME=value".
    package var environment: [[UInt8]] { Array(strings[(2 + argumentCount)...]) }
}
