// The last moments of another process, as it left them.
// SPDX-License-Identifier: Apache-2.0

import CPlatform

/// What `FaultRecorder` has written in a process that has ended, or will. That process ran strangers' code:
/// each number is checked before it is used, and none is believed further than the words of a log.
package struct FaultPage: Sendable, Equatable {
    package struct Fault: Sendable, Equatable {
        package enum Kind: Sendable, Equatable {
            case signal(Int32, code: Int32, address: UInt64)
            case exit(code: Int32)
            case threadEnd
            case exception
        }
        package var kind: Kind
        /// Where the thread was: an address of its process.
        package var counter: UInt64
        /// The stack was at its end.
        package var isOverflow: Bool
        /// What the thread was in; nil when it was in nobody's code, or is unknown.
        package var activity: Activity?
        /// Return addresses, the innermost first.
        package var frames: [UInt64]
        /// Functions by name, of the counter and then of the frames; empty where no symbol tells.
        package var names: [String]

        package init(
            kind: Kind, counter: UInt64, isOverflow: Bool, activity: Activity?, frames: [UInt64],
            names: [String]
        ) {
            self.kind = kind
            self.counter = counter
            self.isOverflow = isOverflow
            self.activity = activity
            self.frames = frames
            self.names = names
        }
    }

    /// A run of code.
    package struct Module: Sendable, Equatable {
        package var addresses: Range<UInt64>
        package var base: UInt64
        /// Whose plug-in brought it; 0: nobody's.
        package var tag: UInt32
        package var name: String

        package init(addresses: Range<UInt64>, base: UInt64, tag: UInt32, name: String) {
            self.addresses = addresses
            self.base = base
            self.tag = tag
            self.name = name
        }
    }

    /// A thread that is, or was last, in a plug-in's code.
    package struct Activity: Sendable, Equatable {
        package var slot: Int
        package var tag: UInt32
        /// Nil: it has come back.
        package var function: FaultRecorder.Function?
        /// How often the thread has gone in, and when the last time.
        package var count: UInt64
        package var started: Instant
        package var text: String

        package init(
            slot: Int, tag: UInt32, function: FaultRecorder.Function?, count: UInt64,
            started: Instant, text: String
        ) {
            self.slot = slot
            self.tag = tag
            self.function = function
            self.count = count
            self.started = started
            self.text = text
        }
    }

    package var fault: Fault?
    package var modules: [Module] = []
    package var activities: [Activity] = []

    package init(
        fault: Fault? = nil, modules: [Module] = [], activities: [Activity] = []
    ) {
        self.fault = fault
        self.modules = modules
        self.activities = activities
    }

    /// A page for a new process.
    package static func makeFile() throws(SystemError) -> Descriptor {
        try Files.memory(named: "mortise-faults", size: Int(CPLATFORM_PAGE_SIZE))
    }

    /// Copies the page once, and reads the copy. An empty one is a process that has recorded nothing.
    package static func read(_ file: Int32) -> FaultPage {
        var bytes = [UInt8](repeating: 0, count: Int(CPLATFORM_PAGE_SIZE))
        _ = bytes.withUnsafeMutableBytes { try? Files.read(file, into: $0, at: 0) }
        return bytes.withUnsafeBytes { FaultPage($0) }
    }

    /// The tag of whose code says that it is not well, while the process lives; 0: nobody does.
    package static func unwellTag(_ file: Int32) -> UInt32 {
        var tag: UInt32 = 0
        _ = withUnsafeMutableBytes(of: &tag) {
            try? Files.read(file, into: $0, at: Int64(CPLATFORM_UNWELL_AT))
        }
        return tag
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        activities = Self.readActivities(bytes)
        modules = Self.readModules(bytes)
        fault = Self.readFault(bytes, activities)
    }

    // MARK: Reading

    private static func readActivities(_ bytes: UnsafeRawBufferPointer) -> [Activity] {
        let first = Int(CPLATFORM_SLOTS_AT)
        let size = MemoryLayout<cplatform_slot>.stride
        var found: [Activity] = []
        for slot in 0..<Int(CPLATFORM_SLOTS) {
            let place = first + slot * size
            func word(_ offset: Int) -> UInt32 {
                bytes.loadUnaligned(fromByteOffset: place + offset, as: UInt32.self)
            }
            func long(_ offset: Int) -> UInt64 {
                bytes.loadUnaligned(fromByteOffset: place + offset, as: UInt64.self)
            }
            let count = long(MemoryLayout<cplatform_slot>.offset(of: \.count)!)
            guard count > 0 else { continue }
            let active = word(MemoryLayout<cplatform_slot>.offset(of: \.active)!)
            let length = word(MemoryLayout<cplatform_slot>.offset(of: \.length)!)
            let start = long(MemoryLayout<cplatform_slot>.offset(of: \.started)!)
            let text = place + MemoryLayout<cplatform_slot>.offset(of: \.text)!
            let room = min(Int(length), Int(CPLATFORM_SLOT_TEXT))
            found.append(
                Activity(
                    slot: slot, tag: word(MemoryLayout<cplatform_slot>.offset(of: \.tag)!),
                    function: FaultRecorder.Function(rawValue: active), count: count,
                    started: Instant(nanoseconds: Int64(clamping: start)),
                    text: String(decoding: bytes[text..<text + room], as: UTF8.self)))
        }
        return found
    }

    private static func readModules(_ bytes: UnsafeRawBufferPointer) -> [Module] {
        let counted = bytes.loadUnaligned(
            fromByteOffset: Int(CPLATFORM_MODULE_COUNT_AT), as: UInt32.self)
        let first = Int(CPLATFORM_MODULES_AT)
        let size = MemoryLayout<cplatform_module>.stride
        return (0..<min(Int(counted), Int(CPLATFORM_MODULES))).compactMap { index in
            let place = first + index * size
            let module = bytes.loadUnaligned(fromByteOffset: place, as: cplatform_module.self)
            guard module.start < module.end else { return nil }
            let name = place + MemoryLayout<cplatform_module>.offset(of: \.name)!
            return Module(
                addresses: module.start..<module.end, base: module.base, tag: module.tag,
                name: text(bytes, name, Int(CPLATFORM_MODULE_NAME)))
        }
    }

    private static func readFault(
        _ bytes: UnsafeRawBufferPointer, _ activities: [Activity]
    ) -> Fault? {
        let start = 0
        let fault = bytes.loadUnaligned(fromByteOffset: start, as: cplatform_fault.self)
        let kind: Fault.Kind
        switch fault.kind {
        case UInt32(CPLATFORM_FAULT_SIGNAL.rawValue):
            kind = .signal(fault.number, code: fault.code, address: fault.address)
        case UInt32(CPLATFORM_FAULT_EXIT.rawValue): kind = .exit(code: fault.number)
        case UInt32(CPLATFORM_FAULT_THREAD_END.rawValue): kind = .threadEnd
        case UInt32(CPLATFORM_FAULT_THROW.rawValue): kind = .exception
        default: return nil
        }
        let frames = start + MemoryLayout<cplatform_fault>.offset(of: \.frames)!
        let names = start + MemoryLayout<cplatform_fault>.offset(of: \.names)!
        let count = min(Int(fault.frame_count), Int(CPLATFORM_FAULT_FRAMES))
        return Fault(
            kind: kind, counter: fault.counter, isOverflow: fault.overflow != 0,
            activity: activities.first { $0.slot == Int(fault.slot) },
            frames: (0..<count).map {
                bytes.loadUnaligned(fromByteOffset: frames + $0 * 8, as: UInt64.self)
            },
            names: (0..<Int(CPLATFORM_FAULT_NAMES)).map {
                text(bytes, names + $0 * Int(CPLATFORM_NAME_SIZE), Int(CPLATFORM_NAME_SIZE))
            })
    }

    private static func text(
        _ bytes: UnsafeRawBufferPointer, _ start: Int, _ room: Int
    ) -> String {
        String(decoding: bytes[start..<start + room].prefix { $0 != 0 }, as: UTF8.self)
    }
}
