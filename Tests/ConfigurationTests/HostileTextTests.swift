// Texts that are meant to break the reader.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Configuration

struct HostileTextTests {
    /// Ten lists of ten aliases each: 10^10 nodes.
    static let bomb = (1...10).reduce("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n") { text, level in
        text + "a\(level): &a\(level) ["
            + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ",") + "]\n"
    }

    static let texts = [
        bomb,
        bomb + "? *a10\n: x\n",
        String(repeating: "[", count: 100_000),
        String(repeating: "{a: ", count: 100_000),
        String(repeating: "- ", count: 100_000),
        (0..<900).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        "sites: " + String(repeating: "[", count: 900) + String(repeating: "]", count: 900),
        "sites: " + String(repeating: "{a: ", count: 900) + String(repeating: "}", count: 900),
        "? " + String(repeating: "{? ", count: 900) + String(repeating: "}", count: 900),
        String(repeating: "x", count: 2 << 20),
        "sites: &a [*a]", "sites: &a { <<: *a }", "a: *b",
        "sites: \u{0}", "\t- x", "sites:\n\t- x", "\u{FEFF}\u{FEFF}", "a\rb: c", "\u{2028}",
        "threads: { max: 99999999999999999999999999 }\nsites: [{ root: / }]",
        "threads: { max: -9223372036854775808 }\nsites: [{ root: / }]",
        "timeouts: { head: 1e400 }\nsites: [{ root: / }]",
        "timeouts: { head: nan }\nsites: [{ root: / }]",
        "limits: { body: 9223372036854775807TiB }\nsites: [{ root: / }]",
        "listen: 99999\nsites: [{ root: / }]", "listen: \"\\0\"\nsites: [{ root: / }]",
        "sites: \"\\uD800\"", "!!binary x: y", "--- a\n--- b", "%YAML 9.9\n---\na", "", "\n\n", "#",
        "~",
    ]

    @Test(arguments: texts.indices)
    func aHostileTextIsRefusedWithALineOfTheFile(number: Int) throws {
        let text = Self.texts[number]
        let lines = max(1, text.utf8.count { $0 == UInt8(ascii: "\n") } + 1)
        let errors = #expect(throws: ConfigurationErrors.self) { try read(text) }
        for error in errors?.all ?? [] {
            #expect((1...lines).contains(error.line) && error.column >= 1)
            #expect(error.found.unicodeScalars.allSatisfy { $0.value >= 0x20 })
        }
    }

    @Test(.timeLimit(.minutes(5)))
    func aFileOfManyPartsIsReadInTimeThatGrowsWithIt() throws {
        let extensions = (0..<8000).map { "  e\($0): { library: e }\n" }.joined()
        let handlers = (0..<8000).map { "  - { path: /\($0), extension: e\($0) }\n" }.joined()
        let good = "extensions:\n\(extensions)sites:\n- handlers:\n\(handlers)"
        #expect(try read(good).sites[0].handlers.count == 8000)
        #expect(
            complaints(about: good.replacing("extension: e", with: "extension: x")).count < 100_000)
        #expect(complaints(about: "listen: [" + (0..<99_999).map { "\($0)," }.joined() + "]") != "")
    }

    /// Changes a good file in a few places at a time: the reader answers with settings or with errors that
    /// have a line of the file.
    @Test(arguments: 1...4)
    func anyChangeOfAFileIsAnsweredBySettingsOrErrors(seed: UInt64) {
        var random = SplitMix(state: seed)
        let pieces = [
            "\t", "\u{0}", "*", "&a", "*a", "<<: ", "\"", "'", "[", "]", "{", "}", ":", "- ", "\n",
            "  ", "~",
            "-1", "99999999999999999999", "1e999", "ä", "\u{2028}", "|\n", ">", "!!x ", "? ", "#",
            "%", "@",
            "\r", ", ", "true", "null", "\\",
        ]
        let original = Array(SettingsTests.example.utf8)
        for _ in 0..<1500 {
            var bytes = original
            for _ in 0...random.below(4) {
                let position = random.below(bytes.count + 1)
                switch random.below(4) {
                case 0:
                    bytes.insert(contentsOf: pieces[random.below(pieces.count)].utf8, at: position)
                case 1:
                    bytes.removeSubrange(position..<min(bytes.count, position + random.below(12)))
                case 2: if position < bytes.count { bytes[position] = UInt8(random.below(256)) }
                default:
                    let start = random.below(bytes.count + 1)
                    let copy = bytes[start..<min(bytes.count, start + random.below(40))]
                    bytes.insert(contentsOf: copy, at: position)
                }
                if bytes.isEmpty { bytes = original }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let lines = text.utf8.count { $0 == UInt8(ascii: "\n") } + 1
            do {
                let settings = try read(text)
                #expect(!settings.sites.isEmpty && !settings.listeners.isEmpty)
            } catch {
                #expect(!error.all.isEmpty)
                #expect(
                    error.all.allSatisfy { (1...lines).contains($0.line) && $0.column >= 1 },
                    "\(text)")
            }
        }
    }

    /// The same numbers from the same seed (Steele et al., "Fast splittable pseudorandom number generators").
    private struct SplitMix {
        var state: UInt64

        mutating func below(_ bound: Int) -> Int {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
        }
    }
}
