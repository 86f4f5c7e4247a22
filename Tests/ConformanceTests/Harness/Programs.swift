import Foundation

/// Where the programs under test are.
enum Programs {
  /// Directory of the test bundle and, beside it, of every executable of the package.
  static let directory: String = {
    let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(fileURLWithPath: own).deletingLastPathComponent().path
    // Where the bundle is loaded by another program, its path is among the arguments.
    let candidates = [beside] + CommandLine.arguments.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0 + "/guest-files") } ?? beside
  }()

  /// The `apus` executable: `APUS_EXECUTABLE`, or the one that was built with the tests.
  static let apus = ProcessInfo.processInfo.environment["APUS_EXECUTABLE"] ?? directory + "/apus"

  static func guest(_ name: String) -> String { "\(directory)/guest-\(name)" }

  /// True if the host has this program in the directories that the tests use.
  static func exists(_ name: String) -> Bool { path(name) != nil }

  static func path(_ name: String) -> String? {
    if name.hasPrefix("/") { return FileManager.default.isExecutableFile(atPath: name) ? name : nil }
    return searchPath.split(separator: ":").map { "\($0)/\(name)" }.first(where: FileManager.default.isExecutableFile)
  }

  /// True if the host lets a line of sh(1) succeed.
  static func succeeds(_ line: String) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", line]
    process.environment = environment
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  /// A program may have mounts of its own on this host.
  static let mayMount = succeeds("unshare -m true")

  static let searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

  /// What every program runs with, natively and inside Apus.
  static let environment = [
    "PATH": searchPath, "HOME": "/", "TERM": "dumb", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC",
  ]
}
