// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.strictMemorySafety(), .swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

/// Functions with the same code, of which generics make many, are there once, and what only a debugger reads is left
/// out: a third of the size. Symbols stay, for profiles and backtraces.
let staticExecutable: [LinkerSetting] = [
  .unsafeFlags(["-static-executable", "-use-ld=lld"]),
  .unsafeFlags(["-Xlinker", "--icf=all", "-Xlinker", "--strip-debug"], .when(configuration: .release)),
]

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
  name: "apus",
  products: [
    .executable(name: "apus", targets: ["apus"]),
    .library(name: "Apus", targets: ["Apus"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
  ],
  targets: [
    .target(name: "CStub"),
    .target(name: "LinuxABI", dependencies: [system], swiftSettings: strict),
    .target(name: "Host", dependencies: ["CStub", "LinuxABI", system], swiftSettings: strict),
    .target(name: "Platform", dependencies: ["Host", "CStub", deque], swiftSettings: strict),
    .target(name: "Memory", dependencies: ["Platform", "Host"], swiftSettings: strict),
    .target(
      name: "FileSystem", dependencies: ["Memory", "Host", "Platform", "LinuxABI", deque], swiftSettings: strict),
    .target(name: "Network", dependencies: ["FileSystem", "Memory", "Host", "LinuxABI", deque], swiftSettings: strict),
    .target(
      name: "Kernel", dependencies: ["Network", "FileSystem", "Memory", "Platform", "LinuxABI", deque, heap],
      swiftSettings: strict),
    .target(name: "Machine", dependencies: ["Kernel", "Host"], swiftSettings: strict),
    .target(name: "Apus", dependencies: ["Machine", "Network", logging, system], swiftSettings: strict),
    .testTarget(name: "LinuxABITests", dependencies: ["LinuxABI"], swiftSettings: strict),
    .testTarget(name: "PlatformTests", dependencies: ["Platform", "Host", "CStub"], swiftSettings: strict),
    .executableTarget(
      name: "apus", dependencies: ["Apus", logging, system], path: "Sources/apus-cli", swiftSettings: strict,
      linkerSettings: staticExecutable),
    .testTarget(name: "FileSystemTests", dependencies: ["FileSystem", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "NetworkTests", dependencies: ["Network", "TestSupport"], swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["Kernel", "FileSystem", "Memory", "Platform", "LinuxABI"],
      path: "Tests/Support/TestSupport", swiftSettings: strict),
    .testTarget(name: "KernelTests", dependencies: ["Kernel", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "MachineTests", dependencies: ["Machine", "Host", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "MemoryTests", dependencies: ["Memory", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "ApusTests", dependencies: ["Apus", system]),
  ]
)

// Tests and benchmarks.

/// Pure C programs: static, without the Swift runtime that the driver would link in.
let staticProgram: [LinkerSetting] = [
  .unsafeFlags([
    "-nostartfiles", "-static-stdlib", "-Xclang-linker", "-static", "-Xclang-linker",
    "-Wno-unused-command-line-argument", "-Xlinker", "--gc-sections",
  ])
]

/// A C program that the conformance tests run natively and inside Apus.
func guest(_ name: String, path: String) -> Target {
  .executableTarget(
    name: "guest-" + name, dependencies: ["GuestSupport"], path: "Tests/Guests/" + path, linkerSettings: staticProgram)
}

/// A C program that attacks one invariant of the seccomp platform's strict mode.
func hostileGuest(_ name: String, path: String) -> Target {
  .executableTarget(
    name: "guest-hostile-" + name, dependencies: ["GuestSupport", "HostileSupport"],
    path: "Tests/Guests/Hostile/" + path, linkerSettings: staticProgram)
}

package.targets += [
  .target(name: "GuestSupport", path: "Tests/Guests/Support"),
  guest("files", path: "Files"),
  guest("memory", path: "Memory"),
  guest("mounts", path: "Mounts"),
  guest("processes", path: "Processes"),
  guest("signals", path: "Signals"),
  guest("threads", path: "Threads"),
  guest("time", path: "Time"),
  guest("polling", path: "Polling"),
  guest("descriptors", path: "Descriptors"),
  guest("reuse", path: "Reuse"),
  guest("hot-calls", path: "HotCalls"),
  guest("sockets", path: "Sockets"),
  guest("inet-sockets", path: "InetSockets"),
  guest("unix-sockets", path: "UnixSockets"),
  guest("credentials", path: "Credentials"),
  guest("floating-point", path: "FloatingPoint"),
  guest("limits", path: "Limits"),
  guest("lacking-host", path: "LackingHost"),
  .target(name: "HostileSupport", dependencies: ["GuestSupport", "CStub"], path: "Tests/Guests/Hostile/Support"),
  hostileGuest("arguments", path: "Arguments"),
  hostileGuest("boundary", path: "Boundary"),
  hostileGuest("filling", path: "Filling"),
  hostileGuest("hiding", path: "Hiding"),
  hostileGuest("hoarding", path: "Hoarding"),
  hostileGuest("identity", path: "Identity"),
  hostileGuest("jump", path: "Jump"),
  hostileGuest("sigreturn", path: "Sigreturn"),
  hostileGuest("context", path: "Context"),
  hostileGuest("entries", path: "Entries"),
  hostileGuest("control", path: "Control"),
  hostileGuest("claims", path: "Claims"),
  hostileGuest("preemption", path: "Preemption"),
  hostileGuest("signals", path: "Signals"),
  hostileGuest("tenants", path: "Tenants"),
  hostileGuest("untraced", path: "Untraced"),
  hostileGuest("victim", path: "Victim"),
  hostileGuest("wakeups", path: "Wakeups"),
  hostileGuest("watch", path: "Watch"),
  hostileGuest("words", path: "Words"),
  .executableTarget(
    name: "confined", dependencies: ["Host", "CStub", "LinuxABI"], path: "Tests/Confined", swiftSettings: strict),
  .testTarget(name: "HostTests", dependencies: ["Host"], swiftSettings: strict),
  .testTarget(name: "ConformanceTests", swiftSettings: strict),
  .executableTarget(name: "benchmark-program", path: "Benchmarks/Program", linkerSettings: staticProgram),
  .executableTarget(
    name: "fuzz-calls", dependencies: ["GuestSupport"], path: "Tests/Fuzz/Program", linkerSettings: staticProgram),
  .executableTarget(
    name: "apus-fuzz", dependencies: [arguments], path: "Tests/Fuzz/Runner", swiftSettings: strict),
  .executableTarget(
    name: "apus-benchmark", dependencies: ["Host", arguments], path: "Benchmarks/Runner", swiftSettings: strict),
]
