// Extensions written in a test, compiled when it runs.
// SPDX-License-Identifier: Apache-2.0

import Glibc
package import Platform

/// A shared object built from C source in a folder of its own, which goes with this object.
package final class CompiledExtension {
    package struct Failure: Error {
        package let command: [String]
        /// As waitpid(2) has it.
        package let status: Int32
    }

    /// What nearly every extension begins with.
    package static let preamble = """
        #include <httpext.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *version) {
            version->dwExtensionVersion = HSE_VERSION;
            strcpy(version->lpszExtensionDesc, "a test");
            return TRUE;
        }
        static void say(EXTENSION_CONTROL_BLOCK *ecb, const char *text) {
            DWORD size = (DWORD)strlen(text);
            ecb->WriteClient(ecb->ConnID, (LPVOID)text, &size, HSE_IO_SYNC);
        }
        static BOOL head(EXTENSION_CONTROL_BLOCK *ecb, const char *status, const char *lines) {
            return ecb->ServerSupportFunction(ecb->ConnID, HSE_REQ_SEND_RESPONSE_HEADER, (LPVOID)status, NULL,
                                              (LPDWORD)lines);
        }

        """

    /// Where httpext.h is.
    package static let headers: String = {
        let file = #filePath
        let tests = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        return tests.joined(separator: "/") + "/../Sources/CISAPI/include"
    }()

    /// The words of `CC`: a program built with a sanitizer wants its extensions built so.
    private static let compiler = (Environment.value(of: "CC") ?? "cc").split(separator: " ")
        .map(String.init)

    package let folder: PrivateFolder
    package let path: String

    /// Compiles `source`, after the preamble unless told otherwise.
    package init(_ source: String, preamble: String = CompiledExtension.preamble) throws {
        folder = try PrivateFolder(prefix: "mortise-test-", in: ["/tmp"])
        path = folder.path + "/extension.so"
        let input = folder.path + "/extension.c"
        try Self.write(Array((preamble + source).utf8), to: input)
        try Self.run(
            Self.compiler + [
                "-shared", "-fPIC", "-pthread", "-Wall", "-Werror", "-Wno-unused-function",
                "-I\(Self.headers)", input, "-o", path,
            ])
    }

    deinit { folder.remove() }

    /// Runs a compiler, or another program of the path, and waits for its end.
    ///
    /// By posix_spawn(3), which the thread sanitizer understands.
    package static func run(_ command: [String]) throws {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, command[0], nil, nil, arguments, environ)
        guard code == 0 else { throw SystemError("posix_spawnp", code: code) }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {}
        guard status == 0 else { throw Failure(command: command, status: status) }
    }

    package static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try Files.open(path, [.writeOnly, .create, .truncate])
        try bytes.withUnsafeBytes { try Files.writeAll(file.number, $0) }
    }
}
