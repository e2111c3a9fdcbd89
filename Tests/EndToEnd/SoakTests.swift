// The hostile hour in small, for half a minute: `Tests/Benchmarks/soak hostile` as a test.
// SPDX-License-Identifier: Apache-2.0

import Testing

extension EndToEndTests {
    @Suite("Hostile half minute", .serialized, .timeLimit(.minutes(10)))
    struct SoakTests {
        /// Beside clients that read nothing, send a byte a second, half-close or reset, calls that never end,
        /// kills and reloads: no request of a client that behaves is wrong but those in flight in what was
        /// killed, and descriptors, threads and memory come back. How long answers took is told, not tested.
        @Test func clientsThatBehaveAreServedWhateverOthersDo() throws {
            try requirePHP()
            // A sanitizer keeps what the program has given back.
            let memory = SanitizerReports.folder == nil ? "32" : "1024"
            let soak = SpawnedProcessRun(
                "/usr/bin/env",
                [
                    "python3", Package.folder + "/Tests/Benchmarks/soak", "hostile", "--seconds",
                    "30",
                    "--any-latency", "--more-memory", memory, "--products", Package.products,
                ])
            #expect(soak.run(seconds: 500) == .exited(0), "\(soak.output)\(soak.errors)")
            print(soak.output)
        }
    }
}
