// Paths decoded once, and the spellings that are refused.
// SPDX-License-Identifier: Apache-2.0

import Testing
import TestSupport

@testable import Exchange

@Suite struct PathDecodingTests {
    private func decode(_ raw: String) -> String? {
        var path: [UInt8] = []
        let bytes = Array(raw.utf8)
        guard PathDecoding.decode(bytes.span, into: &path) == nil else { return nil }
        return String(decoding: path, as: UTF8.self)
    }

    @Test(arguments: [
        ("/", "/"), ("", "/"), ("/a", "/a"), ("/a/", "/a/"), ("//a//b//", "/a/b/"),
        ("/./a/.", "/a/"),
        ("/a/..", "/"), ("/a/../", "/"), ("/a/b/../c", "/a/c"), ("/a/b/..", "/a/"),
        ("/...", "/..."),
        ("/.a", "/.a"), ("/a/%2e%2e/b", "/b"), ("/%2E", "/"), ("/a%20b", "/a b"), ("/%41", "/A"),
        ("/a//../b", "/b"), ("/a/.//../b", "/b"), ("/%c3%a4", "/ä"), ("/a;b", "/a;b"),
        ("/a+b", "/a+b"),
    ])
    func aPathHasOneForm(raw: String, path: String) { #expect(decode(raw) == path) }

    @Test(arguments: [("/%252e%252e/x", "/%2e%2e/x"), ("/%25%32%65", "/%2e"), ("/%252f", "/%2f")])
    func escapesAreDecodedOnce(raw: String, path: String) { #expect(decode(raw) == path) }

    @Test(arguments: [
        "/..", "/../a", "/a/../..", "/%2e%2e/", "/.%2e", "/a/../../b", "/./..", "//..",
    ])
    func aPathAboveTheRootIsRefused(raw: String) { #expect(decode(raw) == nil) }

    @Test(arguments: [
        "/a%2fb", "/%2F", "/a%5cb", "/a\\b", "/a%00", "/a%00.php", "/%0d%0a", "/%1f", "/%7f", "/%",
        "/%4",
        "/%4g", "/%g4", "/%u2215", "/%-1", "/%+1", "/% 1", "/a%", "/..%2f",
    ])
    func whatReadersDisagreeOnIsRefused(raw: String) { #expect(decode(raw) == nil) }

    /// The overlong form stays the bytes it is: no reader behind takes it for a dot or a slash.
    @Test func overlongBytesAreNotDecodedFurther() {
        var path: [UInt8] = []
        let raw = Array("/%c0%ae%c0%ae/%c0%af".utf8)
        #expect(PathDecoding.decode(raw.span, into: &path) == nil)
        #expect(path == [0x2f, 0xc0, 0xae, 0xc0, 0xae, 0x2f, 0xc0, 0xaf])
    }

    @Test func noPathLeavesTheRoot() {
        var random = SeededNumbers(seed: 7)
        let parts = [
            "/", ".", "..", "%2e", "%2E.", "a", "//", "%", "%2f", "b%41", "%5c", "%00", "\\",
        ]
        for _ in 0..<20_000 {
            let raw =
                "/" + (0..<random.below(12)).map { _ in parts[random.below(parts.count)] }.joined()
            guard let path = decode(raw) else { continue }
            #expect(path.hasPrefix("/"))
            let segments = path.split(separator: "/", omittingEmptySubsequences: false)
            #expect(!segments.contains("..") && !segments.contains("."), "\(raw)")
            #expect(!path.contains("//"), "\(raw)")
        }
    }
}
