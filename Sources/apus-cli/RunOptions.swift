import Apus
import SystemPackage

/// The options of `apus run` as they were written, and what they mean.
struct RunOptions {
  var root = "/"
  var overlay = SandboxConfiguration.Overlay.memory
  var volumes: [String] = []
  var workingDirectory: String?
  var user = "0:0"
  var environment: [String] = []
  var usesCallerEnvironment = false
  var hostName = "apus"
  var memory: String?
  var cpus: Int?
  var platform = SandboxConfiguration.PlatformChoice.automatic
  var isTrusted = false
  /// A file, or `Options.standardError`.
  var trace: String?
  var statistics: String?
  var command: [String]

  init(command: [String]) { self.command = command }

  /// Runs the command and returns the status to exit with.
  func run() throws -> Int32 {
    let sandbox = try Sandbox(try makeConfiguration())
    defer { report(sandbox) }
    return try sandbox.run().shellStatus
  }

  private func report(_ sandbox: Sandbox) {
    guard let statistics, let counts = sandbox.statistics else { return }
    if statistics == Options.standardError {
      StandardError.write(counts.table)
      return
    }
    do {
      let file = try RunOptions.create(statistics)
      try file.closeAfter { _ = try file.writeAll(counts.json.utf8) }
    } catch { StandardError.write("apus: \(statistics): \(error)\n") }
  }

  // MARK: Options to configuration

  private func makeConfiguration() throws -> SandboxConfiguration {
    guard let name = command.first else {
      throw SandboxError("no command", remedy: "usage: apus run [OPTIONS] [--] COMMAND [ARGUMENTS…]")
    }
    var configuration = SandboxConfiguration(command: name, arguments: Array(command.dropFirst()))
    configuration.root = root
    configuration.overlay = overlay
    configuration.volumes = try volumes.map(RunOptions.parse(volume:))
    configuration.workingDirectory = workingDirectory
    configuration.user = try parseUser()
    configuration.environment = try makeEnvironment(configuration.user)
    configuration.hostName = hostName
    if let memory {
      guard let size = Options.size(memory) else {
        throw SandboxError("--memory \(memory): not a size", remedy: "write a number with K, M or G, such as 512M")
      }
      configuration.memory = size
    }
    if let cpus { configuration.cpus = cpus }
    configuration.platform = platform
    configuration.isTrusted = isTrusted
    configuration.measuresTimes = statistics != nil
    configuration.forwardsSignals = true
    configuration.logger = StandardError.logger
    if let trace {
      configuration.trace = trace == Options.standardError ? .standardError : try RunOptions.create(trace)
    }
    return configuration
  }

  private static func create(_ path: String) throws -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: FilePermissions(rawValue: 0o644))
    } catch { throw SandboxError("\(path): \(error)") }
  }

  private static func parse(volume: String) throws -> SandboxConfiguration.Volume {
    var parts = volume.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    var isReadOnly = false
    if parts.count == 3, parts[2] == "ro" || parts[2] == "rw" { isReadOnly = parts.removeLast() == "ro" }
    guard parts.count == 2, !parts[0].isEmpty, parts[1].hasPrefix("/") else {
      throw SandboxError("--volume \(volume): not HOST:GUEST[:ro] with an absolute path in the guest")
    }
    return SandboxConfiguration.Volume(hostPath: parts[0], guestPath: parts[1], isReadOnly: isReadOnly)
  }

  private func parseUser() throws -> SandboxConfiguration.User {
    let parts = user.split(separator: ":", omittingEmptySubsequences: false)
    // (uid_t) -1 means "no user".
    guard parts.count <= 2, let uid = UInt32(parts[0]), let gid = UInt32(parts.last ?? ""), uid != .max, gid != .max
    else { throw SandboxError("--user \(user): not UID[:GID] in numbers") }
    return SandboxConfiguration.User(uid: uid, gid: gid)
  }

  /// The caller's environment or the default one, with each `--env` in place of what it names.
  private func makeEnvironment(_ user: SandboxConfiguration.User) throws -> [String] {
    let caller = SandboxConfiguration.callerEnvironment
    var variables = usesCallerEnvironment ? caller : SandboxConfiguration.defaultEnvironment(user: user)
    for option in environment {
      let name = option.prefix { $0 != "=" }
      guard !name.isEmpty else { throw SandboxError("--env \(option): no name") }
      variables.removeAll { $0.hasPrefix("\(name)=") }
      if name.count < option.count {
        variables.append(option)
      } else if let value = caller.first(where: { $0.hasPrefix("\(name)=") }) {
        variables.append(value)
      }
    }
    return variables
  }
}
