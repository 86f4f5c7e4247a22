import Foundation

/// Something that runs programs: the host itself, Apus in one of its modes, or a peer.
struct Contestant: Sendable {
  enum Kind: Sendable, Equatable {
    case native
    case apus(options: [String])
    case userModeLinux(seccomp: Bool)
    case gVisor(platform: String)
  }

  let name: String
  let kind: Kind
  /// The program that runs others; nil for the host itself.
  let executable: String?

  var isApus: Bool { if case .apus = kind { true } else { false } }
  var isPeer: Bool { !isApus && kind != .native }

  static func all(apus: String, peers: String?) -> [Contestant] {
    var result = [
      Contestant(name: "native", kind: .native, executable: nil),
      Contestant(name: "apus strict", kind: .apus(options: ["--platform", "seccomp"]), executable: apus),
      Contestant(name: "apus trusted", kind: .apus(options: ["--platform", "seccomp", "--trusted"]), executable: apus),
      Contestant(name: "apus ptrace", kind: .apus(options: ["--platform", "ptrace"]), executable: apus),
    ]
    guard let peers else { return result }
    if case let uml = peers + "/uml", FileManager.default.isExecutableFile(atPath: uml) {
      result.append(Contestant(name: "uml seccomp", kind: .userModeLinux(seccomp: true), executable: uml))
      result.append(Contestant(name: "uml ptrace", kind: .userModeLinux(seccomp: false), executable: uml))
    }
    if case let runsc = peers + "/runsc", FileManager.default.isExecutableFile(atPath: runsc) {
      result.append(Contestant(name: "gvisor systrap", kind: .gVisor(platform: "systrap"), executable: runsc))
      result.append(Contestant(name: "gvisor ptrace", kind: .gVisor(platform: "ptrace"), executable: runsc))
    }
    return result
  }

  /// Runs a program inside the contestant and returns what that took from outside, start-up included.
  func run(_ command: [String]) throws -> ChildProcess {
    guard let executable else { return try ChildProcess.run(command) }
    switch kind {
    case .native: return try ChildProcess.run(command)
    case .apus(let options): return try ChildProcess.run([executable, "run"] + options + ["--"] + command)
    case .gVisor(let platform):
      return try ChildProcess.run([executable, "--platform=\(platform)", "--network=none", "do"] + command)
    case .userModeLinux(let seccomp):
      let start = try InitScript(command)
      defer { start.remove() }
      return try ChildProcess.run([
        executable, "seccomp=\(seccomp ? "on" : "off")", "mem=1G", "rootfstype=hostfs", "rootflags=/", "rw",
        "init=\(start.path)", "con=null", "con0=fd:0,fd:1", "quiet",
      ])
    }
  }
}

/// User-mode Linux runs a whole system: its init is a script that runs the command and turns the machine off.
private struct InitScript {
  let path: String

  init(_ command: [String]) throws {
    path = FileManager.default.temporaryDirectory.path + "/apus-benchmark-\(UUID().uuidString)"
    let words = command.map { "'" + $0.replacingOccurrences(of: "'", with: "'\\''") + "'" }
    let script = """
      #!/bin/sh
      mount -t proc proc /proc
      export PATH=/usr/local/bin:/usr/bin:/bin HOME=/
      \(words.joined(separator: " "))
      echo o > /proc/sysrq-trigger
      sleep 5
      """
    try script.write(toFile: path, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
