import Apus
import ArgumentParser

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
    var options = RunOptions(command: command)
    options.root = root
    options.overlay = overlay
    options.volumes = volume
    options.workingDirectory = workdir
    options.user = user
    options.environment = env
    options.usesCallerEnvironment = envHost
    options.hostName = hostname
    options.memory = memory
    options.cpus = cpus
    options.platform = platform
    options.isTrusted = trusted
    options.trace = trace
    options.statistics = stats
    throw ExitCode(try options.run())
  }
}

extension SandboxConfiguration.Overlay: ExpressibleByArgument {}
extension SandboxConfiguration.PlatformChoice: ExpressibleByArgument {}
