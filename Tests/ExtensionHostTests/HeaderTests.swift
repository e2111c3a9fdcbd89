// The headers as an extension's author includes them.
// SPDX-License-Identifier: Apache-2.0

import ExtensionHost
import Platform
import TestExtensions
import Testing

struct HeaderTests {
    private static let layout = CompiledExtension.headers + "/../layout.c"

    @Test(
        arguments: [
            ["cc", "-std=gnu11"], ["cc", "-std=c99"], ["clang", "-std=gnu11"],
            ["c++", "-std=c++11", "-x", "c++"],
            ["clang++", "-std=c++17", "-x", "c++"],
        ])
    func layoutsHoldInEveryLanguage(compiler: [String]) throws {
        // Any C and C++ compiler will do; clang is tried where there is one.
        guard ProgramSearch.find(compiler[0]) != nil else { return }
        try CompiledExtension.run(
            compiler + [
                "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I\(CompiledExtension.headers)",
                Self.layout,
            ])
    }

    @Test func everySpellingOfAHeaderIsFound() throws {
        let names = [
            "windows.h", "Windows.h", "winbase.h", "windef.h", "winnt.h", "winerror.h", "httpext.h",
            "HttpExt.h", "Httpext.h", "tchar.h", "SDKDDKVer.h", "process.h",
        ]
        let source = names.map { "#include <\($0)>\n" }.joined() + CompiledExtension.preamble
        _ = try CompiledExtension(
            source + "DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) { return 1; }",
            preamble: "")
    }

    @Test func secureStringFunctionsCopyWhatFitsAndNothingElse() throws {
        let extensionUnderTest = try LoadedExtension.make(
            """
            DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *ecb) {
                char a[4] = "xyz", b[8], line[200];
                int fits = strcpy_s(a, 4, "abc"), cut = strcpy_s(b, 3, "abc");
                int truncated = strncpy_s(b, 4, "abcdef", _TRUNCATE);
                int appended = strcat_s(a, 4, "d");
                int printed = sprintf_s(line, 4, "%d", 12345);
                int length = _snprintf(line, sizeof line, "%d %d %d %s %d %d", fits, cut, truncated, b, appended,
                                       printed);
                line[length] = 0;
                head(ecb, NULL, "\\r\\n");
                say(ecb, line);
                return HSE_STATUS_SUCCESS;
            }
            """)
        #expect(extensionUnderTest.answer().text == "0 34 80 abc 34 -1")
    }
}
