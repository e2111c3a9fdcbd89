// swift-tools-version: 6.2
// The rooms of Mortise and the arrows between them: a target may use only what it names here.
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // Exclusivity is checked in debug builds, where the tests run; a check per access is too dear here.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

/// One folder under Plugins/, built as `libNAME.so` beside the program.
func extensionTarget(_ name: String, folder: String? = nil, libraries: [String] = []) -> Target {
    .target(
        name: name, path: "Plugins/\(folder ?? name)", sources: nil, publicHeadersPath: ".",
        cSettings: [
            .headerSearchPath("../../Sources/CISAPI/include"),
            .unsafeFlags(["-fvisibility=hidden"]),
        ],
        linkerSettings: libraries.map { .linkedLibrary($0) })
}

/// What a program that loads extensions offers them: functions of winbase.h, and those of the C library that
/// would end its process or a thread of it (Sources/CPlatform/guard.cpp).
let exportsForExtensions: [LinkerSetting] = [
    .unsafeFlags(
        [
            "GetLastError", "SetLastError", "exit", "_exit", "_Exit", "quick_exit", "pthread_exit",
            "thrd_exit",
        ].flatMap { ["-Xlinker", "--export-dynamic-symbol=\($0)"] })
]

let package = Package(
    name: "mortise",
    products: [
        .executable(name: "mortise", targets: ["mortise"]),
        .library(name: "hello", type: .dynamic, targets: ["hello"]),
        .library(name: "hello-swift", type: .dynamic, targets: ["HelloSwift"]),
        .library(name: "echo", type: .dynamic, targets: ["echo"]),
        .library(name: "counter", type: .dynamic, targets: ["counter"]),
        .library(name: "upload", type: .dynamic, targets: ["upload"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // What an extension author reads.
        .target(name: "CISAPI"),

        // What knows nothing of HTTP.
        .target(name: "CPlatform"),
        .target(name: "Platform", dependencies: ["CPlatform"], swiftSettings: strict),

        // Bytes and values.
        .target(name: "Exchange", swiftSettings: strict),
        .target(name: "Configuration", dependencies: ["Yams"], swiftSettings: strict),

        // What supervisor and host say to each other.
        .target(name: "Control", dependencies: ["Platform"], swiftSettings: strict),

        // What touches an extension's memory.
        .target(name: "CExtensionHost", dependencies: ["CISAPI"]),
        .target(
            name: "ExtensionHost",
            dependencies: ["CISAPI", "CExtensionHost", "Exchange", "Platform"],
            swiftSettings: strict),

        // The host.
        .target(
            name: "Handlers",
            dependencies: ["ExtensionHost", "Exchange", "Platform", "Configuration", "Control"],
            swiftSettings: strict),
        .target(
            name: "Server",
            dependencies: [
                "Handlers", "ExtensionHost", "Exchange", "Platform", "Configuration", "Control",
            ],
            swiftSettings: strict),

        // The worker of an isolated pool.
        .target(
            name: "Worker", dependencies: ["ExtensionHost", "Exchange", "Platform"],
            swiftSettings: strict),

        // The supervisor.
        .target(
            name: "Supervision", dependencies: ["Configuration", "Control", "Platform"],
            swiftSettings: strict),

        .executableTarget(
            name: "mortise",
            dependencies: [
                "Server", "Supervision", "Worker", "Handlers", "ExtensionHost", "Configuration",
                "Control", "Exchange", "Platform",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict,
            linkerSettings: exportsForExtensions),

        // Extensions shipped with the server.
        extensionTarget("hello"),
        .target(name: "HelloSwift", dependencies: ["CISAPI"], path: "Plugins/hello-swift"),
        extensionTarget("echo", libraries: ["crypto"]),
        extensionTarget("counter"),
        extensionTarget("upload", libraries: ["crypto"]),

        // What tests of several rooms need: the reader of responses, folders, numbers.
        .target(
            name: "TestSupport", dependencies: ["Platform"], path: "Tests/Support",
            swiftSettings: strict),

        // Tests, a target beside each room, and the whole program over real sockets.
        .testTarget(
            name: "PlatformTests", dependencies: ["TestSupport", "Platform"], swiftSettings: strict),
        .testTarget(
            name: "ExchangeTests", dependencies: ["TestSupport", "Exchange"], swiftSettings: strict),
        .testTarget(
            name: "ConfigurationTests", dependencies: ["Configuration"], swiftSettings: strict),
        .testTarget(
            name: "ControlTests", dependencies: ["TestSupport", "Control", "Platform"],
            swiftSettings: strict),
        .testTarget(
            name: "HandlersTests",
            dependencies: [
                "TestSupport", "Handlers", "ExtensionHost", "Exchange", "Configuration", "Control",
                "Platform",
            ],
            swiftSettings: strict),
        // A supervisor, host and worker that do as a test tells them; runs beside the tests.
        .executableTarget(
            name: "SupervisionProbe",
            dependencies: ["Supervision", "Control", "Configuration", "Platform"],
            path: "Tests/SupervisionProbe", swiftSettings: strict),
        // Compiles the extensions that tests need.
        .target(
            name: "TestExtensions", dependencies: ["Platform"], path: "Tests/TestExtensions",
            swiftSettings: strict),
        .testTarget(
            name: "ExtensionHostTests",
            dependencies: ["ExtensionHost", "TestExtensions", "Exchange", "Platform"],
            swiftSettings: strict, linkerSettings: exportsForExtensions),
        .testTarget(
            name: "WorkerTests",
            dependencies: ["Worker", "ExtensionHost", "TestExtensions", "Exchange", "Platform"],
            swiftSettings: strict, linkerSettings: exportsForExtensions),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "Handlers", "ExtensionHost", "TestExtensions", "TestSupport", "Exchange",
                "Configuration", "Platform",
            ],
            swiftSettings: strict, linkerSettings: exportsForExtensions),
        .testTarget(
            name: "SupervisionTests",
            dependencies: [
                "SupervisionProbe", "TestSupport", "Supervision", "Control", "Configuration",
                "Platform",
            ],
            swiftSettings: strict),
        // Runs the built program; what it does is not linked here.
        .testTarget(
            name: "EndToEndTests", dependencies: ["TestSupport"], path: "Tests/EndToEnd",
            swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu11
)
