import Apus
import SystemPackage

/// `apus run`: runs a command in a sandbox.
extension RunOptions {
  /// Runs the command and returns the status to exit with.
  func run(_ streams: [FileDescriptor?]) throws(SandboxError) -> Int32 {
    if showsHelp {
      print(RunOptions.help)
      return 0
    }
    let sandbox = try Sandbox(try makeConfiguration(streams))
    // Opened before the sandbox binds this process to what it needs; so mistakes are noticed before the command runs.
    var statisticsFile: FileDescriptor?
    if case .file(let path)? = statistics { statisticsFile = try RunOptions.create(path) }
    defer { report(sandbox, statisticsFile) }
    return try sandbox.run().shellStatus
  }

  /// Shows the counters that `--stats` asks for.
  private func report(_ sandbox: Sandbox, _ file: FileDescriptor?) {
    guard let statistics, let counts = sandbox.statistics else { return }
    switch statistics {
    case .standardError: StandardError.write(counts.table)
    case .file(let path):
      do {
        try file?.closeAfter { _ = try file?.writeAll(counts.json.utf8) }
      } catch { StandardError.write("apus: \(path): \(error)\n") }
    }
  }

  private func makeConfiguration(_ streams: [FileDescriptor?]) throws(SandboxError) -> SandboxConfiguration {
    guard let name = command.first else { throw SandboxError("no command", remedy: RunOptions.usage) }
    var configuration = SandboxConfiguration(
      command: name, arguments: Array(command.dropFirst()), environment: makeEnvironment())
    configuration.standardStreams = streams
    configuration.root = root
    configuration.overlay = overlay
    configuration.volumes = volumes
    configuration.network = network
    configuration.workingDirectory = workingDirectory
    configuration.user = user
    configuration.hostName = hostName
    if let memory { configuration.memory = memory }
    if let cpus { configuration.cpus = cpus }
    configuration.platform = platform
    configuration.isTrusted = isTrusted
    configuration.randomizesAddresses = randomizesAddresses
    configuration.rewritesText = rewritesText
    configuration.measuresTimes = statistics != nil
    configuration.forwardsSignals = true
    configuration.confinesProcess = true
    configuration.logger = StandardError.logger
    switch trace {
    case nil: break
    case .standardError?: configuration.trace = .standardError
    case .file(let path)?: configuration.trace = try RunOptions.create(path)
    }
    return configuration
  }

  private static func create(_ path: String) throws(SandboxError) -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec],
        permissions: FilePermissions(rawValue: 0o644))
    } catch { throw SandboxError("\(path): \(error)") }
  }

  /// The caller's environment or the default one, with each `--env` in place of what it names.
  private func makeEnvironment() -> [String] {
    let caller = SandboxConfiguration.callerEnvironment
    var variables = usesCallerEnvironment ? caller : SandboxConfiguration.defaultEnvironment(user: user, root: root)
    for option in environment {
      let name = option.prefix { $0 != "=" }
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
