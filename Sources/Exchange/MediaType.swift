// What kind of document a file is, by the end of its name.
// SPDX-License-Identifier: Apache-2.0

/// Content-Type values by file suffix (RFC 9110 §8.3.1).
///
/// Text carries `charset=utf-8`. What is unknown, or has no suffix, is `application/octet-stream`: a
/// browser saves it instead of guessing.
package enum MediaType {
    package static let unknown: StaticString = "application/octet-stream"

    /// The type of the last suffix of a path, upper and lower case alike; allocates nothing.
    package static func of(path: Span<UInt8>) -> StaticString {
        var key: UInt128 = 0
        var index = path.count
        while index > 0 {
            index -= 1
            let byte = path[index]
            if byte == UInt8(ascii: ".") { return types[key] ?? unknown }
            let shift = 8 * (path.count - 1 - index)
            if byte == UInt8(ascii: "/") || byte == 0 || shift >= 128 { return unknown }
            key |= UInt128(lowercased(byte)) << UInt128(shift)
        }
        return unknown
    }

    /// By suffix, packed as in `of(path:)`: the last byte is the lowest.
    private static let types: [UInt128: StaticString] = {
        var types: [UInt128: StaticString] = [:]
        for (suffixes, type) in table {
            for suffix in suffixes.split(separator: " ") {
                types[suffix.utf8.reduce(0) { $0 << 8 | UInt128($1) }] = type
            }
        }
        return types
    }()

    private static let table: [(suffixes: String, type: StaticString)] = [
        // Text.
        ("html htm shtml", "text/html; charset=utf-8"),
        ("css", "text/css; charset=utf-8"),
        ("js mjs", "text/javascript; charset=utf-8"),
        ("txt text log conf", "text/plain; charset=utf-8"),
        ("md markdown", "text/markdown; charset=utf-8"),
        ("csv", "text/csv; charset=utf-8"),
        ("ics", "text/calendar; charset=utf-8"),
        ("vcf", "text/vcard; charset=utf-8"),
        ("vtt", "text/vtt; charset=utf-8"),
        ("appcache", "text/cache-manifest; charset=utf-8"),
        // Data; JSON is UTF-8 by RFC 8259 §8.1, XML names its own encoding.
        ("json map", "application/json"),
        ("jsonld", "application/ld+json"),
        ("webmanifest", "application/manifest+json"),
        ("geojson", "application/geo+json"),
        ("xml xsd xsl", "application/xml"),
        ("xhtml xht", "application/xhtml+xml"),
        ("atom", "application/atom+xml"),
        ("rss", "application/rss+xml"),
        ("wasm", "application/wasm"),
        ("pdf", "application/pdf"),
        ("ps eps ai", "application/postscript"),
        ("rtf", "application/rtf"),
        ("epub", "application/epub+zip"),
        ("yaml yml", "application/yaml"),
        // Images.
        ("png", "image/png"),
        ("jpg jpeg jfif", "image/jpeg"),
        ("gif", "image/gif"),
        ("webp", "image/webp"),
        ("avif", "image/avif"),
        ("svg svgz", "image/svg+xml"),
        ("ico cur", "image/x-icon"),
        ("bmp", "image/bmp"),
        ("tif tiff", "image/tiff"),
        ("heic", "image/heic"),
        ("jxl", "image/jxl"),
        ("apng", "image/apng"),
        // Sound and film.
        ("mp3", "audio/mpeg"),
        ("m4a", "audio/mp4"),
        ("oga ogg opus", "audio/ogg"),
        ("wav", "audio/wav"),
        ("flac", "audio/flac"),
        ("aac", "audio/aac"),
        ("mid midi", "audio/midi"),
        ("weba", "audio/webm"),
        ("mp4 m4v", "video/mp4"),
        ("webm", "video/webm"),
        ("ogv", "video/ogg"),
        ("mov qt", "video/quicktime"),
        ("mpeg mpg", "video/mpeg"),
        ("avi", "video/x-msvideo"),
        ("mkv", "video/matroska"),
        ("ts", "video/mp2t"),
        ("m3u8", "application/vnd.apple.mpegurl"),
        ("mpd", "application/dash+xml"),
        // Fonts.
        ("woff", "font/woff"),
        ("woff2", "font/woff2"),
        ("ttf", "font/ttf"),
        ("otf", "font/otf"),
        ("ttc", "font/collection"),
        ("eot", "application/vnd.ms-fontobject"),
        // Archives.
        ("zip", "application/zip"),
        ("gz tgz", "application/gzip"),
        ("bz2", "application/x-bzip2"),
        ("xz", "application/x-xz"),
        ("zst", "application/zstd"),
        ("tar", "application/x-tar"),
        ("7z", "application/x-7z-compressed"),
        ("rar", "application/vnd.rar"),
        ("jar war", "application/java-archive"),
        ("deb", "application/vnd.debian.binary-package"),
        // Office.
        ("doc", "application/msword"),
        ("xls", "application/vnd.ms-excel"),
        ("ppt", "application/vnd.ms-powerpoint"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
        ("odt", "application/vnd.oasis.opendocument.text"),
        ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
        ("odp", "application/vnd.oasis.opendocument.presentation"),
    ]
}
