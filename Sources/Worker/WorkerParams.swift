// A request's FCGI_PARAMS, by name.
// SPDX-License-Identifier: Apache-2.0

import Exchange

/// The name-value pairs of one request, in memory that the next request reuses.
struct WorkerParams {
    /// The client's head travels in them beside the CGI variables, so twice the largest head and more.
    static let largest = 512 * 1024
    private static let most = 2048

    /// Values that every request asks for.
    struct Known {
        var head: Range<Int>?
        var contentLength: Range<Int>?
        var pathInfo: Range<Int>?
    }

    private(set) var known = Known()
    var bytes: [UInt8] = []
    private(set) var pairs: [(name: Range<Int>, value: Range<Int>)] = []

    mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        pairs.removeAll(keepingCapacity: true)
        known = Known()
    }

    /// Takes the complete stream apart; false when it is malformed.
    mutating func index() -> Bool {
        var reader = FastCGIPairs()
        var pairs: [(name: Range<Int>, value: Range<Int>)] = []
        swap(&pairs, &self.pairs)
        var known = Known()
        defer {
            swap(&pairs, &self.pairs)
            self.known = known
        }
        return bytes.withUnsafeBufferPointer { bytes in
            do throws(FastCGIError) {
                while let pair = try reader.next(in: bytes.span) {
                    guard pairs.count < Self.most else { return false }
                    pairs.append(pair)
                    known.remember(pair, in: bytes.span)
                }
                return true
            } catch {
                return false
            }
        }
    }

    /// The value of a parameter; nil when it was not sent. Names are case-sensitive.
    func value(_ name: StaticString) -> Range<Int>? {
        let count = name.utf8CodeUnitCount
        let first = name.utf8Start.pointee
        return bytes.withUnsafeBufferPointer { bytes in
            pairs.withUnsafeBufferPointer { pairs in
                for pair in pairs
                where pair.name.count == count && bytes[pair.name.lowerBound] == first
                    && equals(bytes.span, pair.name.lowerBound, name)
                {
                    return pair.value
                }
                return nil
            }
        }
    }

    /// The value of a parameter whose name is given as bytes, upper and lower case alike.
    func value(ofAnyCase name: Span<UInt8>) -> Range<Int>? {
        let all = bytes.span
        for pair in pairs where same(all.extracting(pair.name), name) { return pair.value }
        return nil
    }

    /// The value of the parameter whose name stands at that range.
    func value(at name: Range<Int>) -> Range<Int>? {
        let all = bytes.span
        for pair in pairs where same(all.extracting(pair.name), all.extracting(name)) {
            return pair.value
        }
        return nil
    }

    func append(_ name: StaticString, to destination: inout [UInt8]) -> Bool {
        guard let value = value(name) else { return false }
        append(value, to: &destination)
        return true
    }

    func append(_ range: Range<Int>, to destination: inout [UInt8]) {
        bytes.withUnsafeBufferPointer {
            destination.append(contentsOf: UnsafeBufferPointer(rebasing: $0[range]))
        }
    }
}

extension WorkerParams.Known {
    /// The first parameter of a name counts.
    mutating func remember(_ pair: (name: Range<Int>, value: Range<Int>), in bytes: Span<UInt8>) {
        let start = pair.name.lowerBound
        switch pair.name.count {
        case 9 where pathInfo == nil && equals(bytes, start, "PATH_INFO"): pathInfo = pair.value
        case 12 where head == nil && equals(bytes, start, "MORTISE_HEAD"): head = pair.value
        case 14 where contentLength == nil && equals(bytes, start, "CONTENT_LENGTH"):
            contentLength = pair.value
        default: break
        }
    }
}

/// Whether two runs of bytes are the same text, upper and lower case alike (ASCII).
func same(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in left.indices where lowercased(left[index]) != lowercased(right[index]) {
        return false
    }
    return true
}
