// The target Apus: the library. A configuration in, a result and statistics out; it puts the layers together.
//
// It uses all targets below, and is the only one that others may import. What must hold: every error says what is
// wrong and what can be done; nothing is left when `Sandbox.run` returns; every public declaration is documented.

import FileSystem
import Host
import Kernel
import LinuxABI
import Machine
import Memory
import Network
import Platform

/// A sandbox: one program and its descendants under a kernel of their own.
///
/// Nothing is started before `run()`, and nothing is left when it returns: no process, no thread, no open descriptor.
/// A process may run several sandboxes, one after the other or at a time.
public final class Sandbox {
  /// What the sandbox runs and shows.
  public let configuration: SandboxConfiguration
  /// What happened in the last run.
  public private(set) var statistics: SandboxStatistics?

  /// - Throws: `SandboxError` for a configuration that no host can run.
  public init(_ configuration: SandboxConfiguration) throws(SandboxError) {
    try configuration.validate()
    self.configuration = configuration
  }

  /// Runs the program and waits until it ends; whatever it started ends with it.
  /// - Throws: `SandboxError` where the program could not be started.
  public func run() throws(SandboxError) -> ExitStatus {
    let begin = Host.monotonicTime
    var configuration = configuration
    // Before anything is opened: no descriptor of Apus may get the number of a stream that is closed.
    configuration.standardStreams = configuration.standardStreams.map { $0.flatMap { Host.isOpen($0) ? $0 : nil } }
    _ = try SandboxConfiguration.callerStreams()
    let descriptors = Host.raiseDescriptorLimit()
    guard descriptors >= Sandbox.leastDescriptors else {
      throw SandboxError(
        "\(descriptors) open files are too few", remedy: "raise `ulimit -n` to \(Sandbox.leastDescriptors) or more")
    }
    let signals = BlockedSignals(forwarded: configuration.forwardsSignals)
    defer { signals.restore() }
    let terminal = SavedTerminal(configuration.standardStreams)
    defer { terminal?.restore() }

    let physicalMemory = try Sandbox.makeMemory(configuration.memory)
    // The host processes of guests, too, are made from here on.
    var network = NetworkSetup(configuration.network)
    defer { network.close() }
    if configuration.confinesProcess { try ProcessConfinement.limitFiles(configuration) }
    let platform = try Sandbox.startPlatform(configuration, physicalMemory.descriptor)
    defer { platform.shutdown() }
    let machine = try Sandbox.makeMachine(
      configuration, platform, physicalMemory, &network, descriptors: Int(clamping: descriptors))
    if configuration.confinesProcess {
      try ProcessConfinement.filterCalls(platform, configuration)
    }
    let workers = try attempt("cannot start a thread", remedy: "check `ulimit -u`") { () throws(Errno) in
      try MachineThreads(machine, cpus: configuration.cpus)
    }
    machine.serveInterrupts()
    workers.join()
    return try finish(machine, platform, elapsed: Host.monotonicTime &- begin)
  }

  /// With fewer, a pipeline of three commands does not run.
  private static let leastDescriptors: UInt64 = 64

  private static func makeMemory(_ size: UInt64) throws(SandboxError) -> sending PhysicalMemory {
    do throws(Errno) {
      return try PhysicalMemory(size: size)
    } catch {
      // Guest memory is a file without a name.
      let remedy = error == .fileTooLarge ? "run it without a limit of file sizes (`ulimit -f`)" : nil
      throw SandboxError("cannot make \(size >> 20) MiB of guest memory: \(error)", remedy: remedy)
    }
  }

  private static func startPlatform(
    _ configuration: SandboxConfiguration, _ physicalMemory: FileDescriptor
  ) throws(SandboxError) -> any Platform {
    func start(_ kind: PlatformKind) throws(PlatformError) -> any Platform {
      try makePlatform(
        PlatformConfiguration(kind: kind, trusted: configuration.isTrusted, physicalMemory: physicalMemory))
    }
    do throws(PlatformError) {
      switch configuration.platform {
      case .seccomp: return try start(.seccomp)
      case .ptrace: return try start(.ptrace)
      case .automatic: return try start(HostChecks.likelyPlatform)
      }
    } catch {
      // A host may refuse seccomp filters without telling before.
      let missing = SandboxError(error)
      if configuration.platform == .automatic {
        if let other = try? start(.ptrace) { return other }
        guard HostChecks.likelyPlatform == .ptrace else { throw missing }
        throw SandboxError(
          "this host does not let apus use seccomp filters, and without them: \(missing.message)",
          remedy: "leave the container or sandbox that forbids seccomp(2), or see `apus doctor`")
      }
      throw missing
    }
  }

  /// Makes the kernel with its mounts and its first process; nothing runs yet.
  private static func makeMachine(
    _ configuration: SandboxConfiguration, _ platform: any Platform, _ physicalMemory: sending PhysicalMemory,
    _ network: inout NetworkSetup, descriptors: Int
  ) throws(SandboxError) -> Machine {
    try network.listen()
    let services = try attempt("cannot set up event handling") {
      () throws(Errno) in
      try HostServices(cpus: configuration.cpus, platform: platform, physicalMemory: physicalMemory)
    }
    let context = FileSystemContext(services: services)
    let streams = try StandardStreams(configuration.standardStreams, services: services)
    context.devices.console = streams.terminal
    var tree = MountTree(context: context)
    try tree.mount(configuration)
    if let text = network.resolverConfiguration { tree.mountResolverConfiguration(text, configuration) }

    tree.addHostName(configuration.hostName, configuration)

    var settings = KernelConfiguration()
    settings.hostName = configuration.hostName
    network.configure(&settings)
    settings.cpus = configuration.hostCPUs
    settings.randomizesAddresses = configuration.randomizesAddresses
    settings.rewritesText = configuration.rewritesText
    settings.measuresTimes = configuration.measuresTimes
    let kernel = Kernel(configuration: settings, services: services, vfs: tree.vfs)
    if let logger = configuration.logger { kernel.report = { logger.warning("\($0)") } }
    if let trace = configuration.trace { kernel.trace(to: TraceWriter { _ = try? trace.writeAll($0.utf8) }) }
    if configuration.connectsSockets { network.allowHostSockets() }
    try network.connect(kernel.network, descriptors: descriptors) { [unowned kernel] text in
      kernel.report?(text)
      kernel.noteInTrace(text)
    }
    if configuration.forwardsSignals {
      try attempt("cannot receive signals") { () throws(Errno) in try services.attachHostSignals() }
    }

    try tree.mountProcesses(of: kernel)
    let credentials = Credentials(uid: configuration.user.uid, gid: configuration.user.gid)
    let fs = TaskFileSystem(
      root: tree.vfs.root, workingDirectory: try tree.workingDirectory(configuration, credentials), umask: Host.umask)
    let path = try CommandLookup(vfs: tree.vfs, fs: fs, credentials: credentials)
      .find(configuration.command, environment: configuration.environment)
    let first = FirstProcess(
      path: path, arguments: [configuration.command] + configuration.arguments, environment: configuration.environment,
      files: streams.table, fs: fs, credentials: credentials)
    try attempt("cannot start the first process") { () throws(Errno) in try kernel.start(first) }
    return Machine(Machine.Core(kernel: kernel, services: services))
  }

  /// Collects what is told of the run.
  private func finish(
    _ machine: Machine, _ platform: any Platform, elapsed: UInt64
  ) throws(SandboxError) -> ExitStatus {
    let (result, startError, statistics) = machine.withKernel { kernel in
      (kernel.result, kernel.startError, SandboxStatistics(kernel, elapsed: elapsed))
    }
    self.statistics = statistics
    machine.withKernel { $0.shutdown() }
    if let startError { throw CommandLookup.error(startError, command: configuration.command) }
    guard let result else { throw SandboxError("the sandbox ended without a result") }
    return ExitStatus(result)
  }
}
