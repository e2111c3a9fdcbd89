// The whole server, its real program over real sockets: one suite after the other.
// SPDX-License-Identifier: Apache-2.0

import Testing

/// Every suite of this target stands inside this one, so that no two servers compete for the machine.
@Suite("End to end", .serialized)
enum EndToEndTests {}

/// Handlers most suites use: an extension in each home, CGI scripts, files.
let plainSite = """
    extensions:
      hello:   { library: hello, thread-safe: true }
      echo:    { library: echo, thread-safe: true }
      counter: { library: counter, thread-safe: false, pool: { processes: 4 } }
    sites:
      - name: main
        root: www
        handlers:
          - { path: /hello,     extension: hello }
          - { path: /echo,      extension: echo }
          - { path: /counter,   extension: counter }
          - { path: /cgi-bin/*, cgi: true }
    """

/// `plainSite` with an extension of Tests/Misbehaving/faults at /faulty, and what its configuration says.
func faultySite(_ file: String, _ keys: String) throws -> String {
    let library = try Package.misbehaving("faults/\(file)")
    return plainSite.replacing(
        "extensions:", with: "extensions:\n  faulty: { library: \(library), \(keys) }"
    ).replacing("handlers:", with: "handlers:\n      - { path: /faulty, extension: faulty }")
}

let plainFiles = [
    "www/index.html": "home\n",
    "www/file.txt": "0123456789\n",
    // Gives back the request's body.
    "www/cgi-bin/cat":
        "#!/bin/sh\nprintf 'Content-Type: application/octet-stream\\r\\n\\r\\n'\nexec cat\n",
    "www/cgi-bin/env": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nexec env\n",
]
