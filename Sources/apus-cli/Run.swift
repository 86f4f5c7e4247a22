import Apus
import ArgumentParser
import SystemPackage

/// `apus run`: runs a command in a sandbox.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a command in a sandbox.",
    usage: "apus run [OPTIONS] [--] COMMAND [ARGUMENTS…]",
    discussion: """
      The command sees the host's files; what it changes stays in memory and is gone when it ends. It runs as uid 0 of \
      the sandbox and may do nothing on the host that the caller may not.
      """)

  @Option(help: ArgumentHelp("Host directory that becomes /.", valueName: "dir"))
  var root = "/"
  @Option(help: ArgumentHelp("Changes to files: kept in memory, or none (read-only).", valueName: "memory|none"))
  var overlay = SandboxConfiguration.Overlay.memory
  @Option(
    name: [.long, .customShort("v")],
    help: ArgumentHelp("Host directory or file to use for real. Repeatable.", valueName: "host:guest[:ro]"))
  var volume: [String] = []
  @Option(name: [.long, .customShort("w")], help: ArgumentHelp("Directory to start in.", valueName: "dir"))
  var workdir: String?
  @Option(
    name: [.long, .customShort("u")],
    help: ArgumentHelp(
      "User and group of the command; the group is the user's number if left out.", valueName: "uid[:gid]"))
  var user = "0:0"
  @Option(
    name: [.long, .customShort("e")],
    help: ArgumentHelp("Environment variable; without a value, the caller's. Repeatable.", valueName: "name[=value]"))
  var env: [String] = []
  @Flag(help: "Give the command the caller's whole environment.")
  var envHost = false
  @Option(help: ArgumentHelp("Host name that the sandbox shows.", valueName: "name"))
  var hostname = "apus"
  @Option(
    name: [.long, .customShort("m")],
    help: ArgumentHelp("Memory of the sandbox, such as 512M (default: half of the host's).", valueName: "size"))
  var memory: String?
  @Option(help: ArgumentHelp("Number of virtual CPUs (default: all that apus may use).", valueName: "n"))
  var cpus: Int?
  @Option(help: ArgumentHelp("How guest code is run.", valueName: "auto|seccomp|ptrace"))
  var platform = SandboxConfiguration.PlatformChoice.automatic
  @Flag(help: "The command is trusted not to attack apus: faster page faults, weaker containment between guests.")
  var trusted = false
  @Option(help: ArgumentHelp("Show every system call, on stderr or (--trace=FILE) in a file.", valueName: "file"))
  var trace: String?
  @Option(
    help: ArgumentHelp("Show counters at the end, on stderr or (--stats=FILE) as JSON in a file.", valueName: "file"))
  var stats: String?
  @Argument(parsing: .postTerminator, help: ArgumentHelp("The command and its arguments.", valueName: "command"))
  var command: [String] = []

  func run() throws {
    let sandbox = try Sandbox(try makeConfiguration())
    let status: ExitStatus
    do {
      status = try sandbox.run()
    } catch {
      report(sandbox)
      throw error
    }
    report(sandbox)
    throw ExitCode(status.shellStatus)
  }

  private func report(_ sandbox: Sandbox) {
    guard let stats, let statistics = sandbox.statistics else { return }
    if stats == Options.standardError {
      StandardError.write(statistics.table)
      return
    }
    do {
      let file = try Run.create(stats)
      try file.closeAfter { _ = try file.writeAll(statistics.json.utf8) }
    } catch { StandardError.write("apus: \(stats): \(error)\n") }
  }

  // MARK: Options to configuration

  private func makeConfiguration() throws -> SandboxConfiguration {
    guard let name = command.first else {
      throw SandboxError("no command", remedy: "usage: apus run [OPTIONS] [--] COMMAND [ARGUMENTS…]")
    }
    var configuration = SandboxConfiguration(command: name, arguments: Array(command.dropFirst()))
    configuration.root = root
    configuration.overlay = overlay
    configuration.volumes = try volume.map(Run.parse(volume:))
    configuration.workingDirectory = workdir
    configuration.user = try parseUser()
    configuration.environment = try makeEnvironment(configuration.user)
    configuration.hostName = hostname
    if let memory {
      guard let size = Options.size(memory) else {
        throw SandboxError("--memory \(memory): not a size", remedy: "write a number with K, M or G, such as 512M")
      }
      configuration.memory = size
    }
    if let cpus { configuration.cpus = cpus }
    configuration.platform = platform
    configuration.isTrusted = trusted
    configuration.measuresTimes = stats != nil
    configuration.forwardsSignals = true
    configuration.logger = StandardError.logger
    if let trace {
      configuration.trace = trace == Options.standardError ? .standardError : try Run.create(trace)
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
    var variables = envHost ? caller : SandboxConfiguration.defaultEnvironment(user: user)
    for option in env {
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

extension SandboxConfiguration.Overlay: ExpressibleByArgument {}
extension SandboxConfiguration.PlatformChoice: ExpressibleByArgument {}
