import Apus
import Foundation
import SystemPackage
import Testing

/// Runs a command in a sandbox and collects what it writes.
struct Guest {
  let status: Apus.ExitStatus
  let output: String
  let errors: String

  /// A small sandbox with closed streams and an environment that does not depend on the caller's.
  static func configuration(_ command: String, _ arguments: [String]) -> SandboxConfiguration {
    var configuration = SandboxConfiguration(command: command, arguments: arguments)
    configuration.environment = ["PATH=/usr/bin:/bin", "LANG=C", "HOME=/root", "TERM=dumb"]
    configuration.memory = 512 << 20
    configuration.standardStreams = [nil, nil, nil]
    return configuration
  }

  static func run(
    _ command: String, _ arguments: [String], input: String = "",
    change: (inout SandboxConfiguration) -> Void = { _ in }
  ) throws -> Guest {
    let directory = try TemporaryDirectory()
    try directory.write("input", input)
    let streams = try [
      FileDescriptor.open("\(directory.path)/input", .readOnly),
      FileDescriptor.open(
        "\(directory.path)/output", .writeOnly, options: [.create, .append], permissions: .ownerReadWrite),
      FileDescriptor.open(
        "\(directory.path)/errors", .writeOnly, options: [.create, .append], permissions: .ownerReadWrite),
    ]
    defer { for stream in streams { try? stream.close() } }
    var configuration = configuration(command, arguments)
    configuration.standardStreams = streams
    change(&configuration)
    let status = try Sandbox(configuration).run()
    return Guest(status: status, output: try directory.read("output"), errors: try directory.read("errors"))
  }
}

/// A host directory for one test.
final class TemporaryDirectory {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "apus-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
    path = url.path
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String, isExecutable: Bool = false) throws {
    try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
    if isExecutable {
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(path)/\(name)")
    }
  }
  func read(_ name: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: "\(path)/\(name)")), as: UTF8.self)
  }
  func contains(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
}

/// What this process holds on the host.
struct Footprint {
  let descriptors: Int
  let threads: Int
  let children: Int

  init() throws {
    let manager = FileManager.default
    descriptors = try manager.contentsOfDirectory(atPath: "/proc/self/fd").count
    let tasks = try manager.contentsOfDirectory(atPath: "/proc/self/task")
    threads = tasks.count
    children = tasks.reduce(0) { count, task in
      let list = (try? String(contentsOfFile: "/proc/self/task/\(task)/children", encoding: .utf8)) ?? ""
      return count + list.split(separator: " ").count
    }
  }

  /// Threads that have ended may be listed for a moment.
  init(settlingWithin expected: Footprint) throws {
    var now = try Footprint()
    for _ in 0..<1000 where !now.isWithin(expected) {
      Thread.sleep(forTimeInterval: 0.02)
      now = try Footprint()
    }
    self = now
  }

  /// There is no more of anything than another time, when something may have been about to go.
  func isWithin(_ other: Footprint) -> Bool {
    descriptors <= other.descriptors && threads <= other.threads && children <= other.children
  }
}
