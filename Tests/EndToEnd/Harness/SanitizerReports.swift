// What sanitizers have found in the programs under test.
// SPDX-License-Identifier: Apache-2.0

import Foundation

enum SanitizerReports {
    /// Where they are; nil where nothing is built with a sanitizer.
    static let folder = ProcessInfo.processInfo.environment["MORTISE_TEST_REPORTS"]

    /// What any program has reported since the last call.
    ///
    /// `Tests/sanitize` says where the reports are. It fails if there is any: this tells which test it was.
    static func takeAll() -> String {
        let files = FileManager.default
        guard let folder, let names = try? files.contentsOfDirectory(atPath: folder) else {
            return ""
        }
        var reports = ""
        for name in names where name.hasPrefix("report.") {
            let taken = "\(folder)/taken-\(name)"
            rename("\(folder)/\(name)", taken)
            reports += String(decoding: files.contents(atPath: taken) ?? Data(), as: UTF8.self)
        }
        return reports
    }
}
