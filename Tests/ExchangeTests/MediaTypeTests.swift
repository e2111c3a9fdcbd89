// Types by suffix.
// SPDX-License-Identifier: Apache-2.0

import Exchange
import Testing

@Suite struct MediaTypeTests {
    @Test(arguments: [
        ("/index.html", "text/html; charset=utf-8"), ("/A.HTML", "text/html; charset=utf-8"),
        ("/a.tar.gz", "application/gzip"), ("/a.json", "application/json"),
        ("/a.js", "text/javascript; charset=utf-8"),
        ("/a.webmanifest", "application/manifest+json"), ("/a.svg", "image/svg+xml"),
        ("/a.7z", "application/x-7z-compressed"), ("/README", "application/octet-stream"),
        ("/v1.html/README", "application/octet-stream"), ("/a.", "application/octet-stream"),
        ("/a.html.", "application/octet-stream"), ("/", "application/octet-stream"),
        ("", "application/octet-stream"), ("/a.\u{0}html", "application/octet-stream"),
        ("/a." + String(repeating: "x", count: 100) + "html", "application/octet-stream"),
    ])
    func aSuffixNamesAType(path: String, type: String) {
        let bytes = Array(path.utf8)
        let found = MediaType.of(path: bytes.span)
        #expect(found.description == type)
    }
}
