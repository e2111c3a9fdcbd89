// The Debian package: made of this build, installed, used and removed.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension EndToEndTests {
    @Suite("Package", .serialized, .timeLimit(.minutes(10)))
    struct PackageTests {
        /// The optimized build, and a Debian of its own, are for by hand: examples/deployment/README.md.
        @Test func thePackageWorksInAFreshRootAndLeavesNothingBehind() throws {
            let site = try SiteFolder()
            defer { site.remove() }
            let build = SpawnedProcessRun(
                "\(Package.folder)/examples/deployment/debian/build",
                ["--products", Package.products, site.path])
            let built = build.run(seconds: 300 * patienceFactor)
            try #require(built == .exited(0), "\(build.errors)")
            let package = build.output.split(separator: "\n").last.map(String.init)
            let trial = SpawnedProcessRun(
                "\(Package.folder)/Tests/package", [try #require(package)])
            let tried = trial.run(seconds: 300 * patienceFactor)
            #expect(tried == .exited(0), "\(trial.output)\n\(trial.errors)")
            #expect(trial.output.hasSuffix("package: good\n"))
        }
    }
}
