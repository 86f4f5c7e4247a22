import FileSystem
import LinuxABI
import Memory

/// The machine and its administration: uname(2), sysinfo(2), getrandom(2), and what only the owner of a host may do.
extension Syscalls {
  static let systemTable: [SyscallEntry] =
    [
      .init(.uname, uname),
      .init(.sethostname, sethostname),
      .init(.setdomainname, setdomainname),
      .init(.sysinfo, sysinfo, .partial("load averages are zero")),
      .init(.getrandom, getrandom),
      .init(.getcpu, getcpu),
      .init(
        .personality, personality,
        .partial("only PER_LINUX32, ADDR_NO_RANDOMIZE and STICKY_TIMEOUTS have an effect")),
      .init(.set_tid_address, setTIDAddress),
      .init(.arch_prctl, archPrctl, .partial("no shadow stacks, no AMX, no faulting of cpuid")),
      .init(.unshare, unshare, .partial("no namespaces")),
      refusal(.setns, [FileDescriptorNumber.self, CloneFlags.self], because: "there are no namespaces"),
      refusal(.syslog, [Int32.self, GuestAddress.self, Int32.self], because: "the kernel's log is the host's"),
      refusal(
        .reboot, [Hexadecimal<UInt32>.self, Hexadecimal<UInt32>.self, Hexadecimal<UInt32>.self, GuestAddress.self]),
      refusal(.swapon, [GuestPath.self, Hexadecimal<UInt32>.self]),
      refusal(.swapoff, [GuestPath.self]),
      refusal(.acct, [GuestPath.self]),
      refusal(.vhangup, []),
      refusal(.iopl, [Int32.self]),
      refusal(.ioperm, [Hexadecimal<UInt64>.self, UInt64.self, Int32.self]),
      refusal(.init_module, [GuestAddress.self, UInt64.self, GuestString.self]),
      refusal(.finit_module, [FileDescriptorNumber.self, GuestString.self, Hexadecimal<UInt32>.self]),
      refusal(.delete_module, [GuestString.self, Hexadecimal<UInt32>.self]),
      refusal(.kexec_load, [GuestAddress.self, UInt64.self, GuestAddress.self, Hexadecimal<UInt64>.self]),
    ] + resourceTable + schedulerTable + capabilityTable + prctlTable

  /// A call that would change the host, or that Apus gives no guest: refused as to a process without the capability.
  private static func refusal(
    _ number: SyscallNumber, _ parameters: @autoclosure @escaping @Sendable () -> [any SyscallArgument.Type],
    because reason: StaticString = "the machine belongs to the host"
  ) -> SyscallEntry {
    .init(number, .notPermitted, because: reason, parameters())
  }

  /// uname(2).
  static func uname(_ task: Task, _ result: OutPointer<SystemName>) throws(Errno) -> Int {
    let kernel = task.kernel
    let machine = task.attributes.personality.domain == Personality.linux32 ? "i686" : "x86_64"
    var name = SystemName()
    name.system = SystemName.field("Linux")
    name.node = SystemName.field(kernel.hostName)
    name.release = SystemName.field(kernel.configuration.release)
    name.version = SystemName.field(kernel.configuration.version)
    name.machine = SystemName.field(machine)
    name.domain = SystemName.field(kernel.domainName)
    try task.store(name, to: result)
    return 0
  }

  private static func newName(_ task: Task, _ name: GuestString, _ length: Int32) throws(Errno) -> String {
    guard task.credentials.has(.sysAdmin) else { throw .notPermitted }
    guard length >= 0, length <= 64 else { throw .invalidArgument }
    let bytes = try task.memory.read(name.address, count: Int(length))
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// sethostname(2).
  static func sethostname(_ task: Task, _ name: GuestString, _ length: Int32) throws(Errno) -> Int {
    task.kernel.hostName = try newName(task, name, length)
    return 0
  }

  /// setdomainname(2).
  static func setdomainname(_ task: Task, _ name: GuestString, _ length: Int32) throws(Errno) -> Int {
    task.kernel.domainName = try newName(task, name, length)
    return 0
  }

  /// sysinfo(2): the sandbox's memory and tasks; load averages are zero.
  static func sysinfo(_ task: Task, _ result: OutPointer<SystemInformation>) throws(Errno) -> Int {
    let kernel = task.kernel
    let memory = kernel.physicalMemory
    var information = SystemInformation()
    information.uptime = Int64(clamping: (kernel.monotonicTime - kernel.startTime) / .second)
    information.totalMemory = memory.limit
    information.freeMemory = memory.limit - min(memory.usedBytes, memory.limit)
    information.processes = UInt16(clamping: kernel.tasks.count)
    try task.store(information, to: result)
    return 0
  }

  /// getrandom(2).
  static func getrandom(
    _ task: Task, _ target: OutBuffer, _ size: UInt64, _ flags: RandomFlags
  ) throws(Errno) -> Int {
    guard flags.isSubset(of: .all), !flags.isSuperset(of: [.random, .insecure]) else { throw .invalidArgument }
    let count = Int(min(size, 32 << 20))
    if count == 0 { return 0 }
    var buffer = try task.memory.buffer(target.address, count: count, for: .write)
    while buffer.remaining > 0 {
      let part = task.services.randomBytes(count: min(buffer.remaining, 64 << 10))
      guard buffer.write(part) > 0 else { break }
    }
    return buffer.transferred
  }

  /// getcpu(2). There is one memory node.
  static func getcpu(
    _ task: Task, _ cpu: OutPointer<UInt32>, _ node: OutPointer<UInt32>, _ cache: GuestAddress
  ) throws(Errno) -> Int {
    if !cpu.isNull { try task.store(task.scheduling.shownCPU, to: cpu) }
    if !node.isNull { try task.store(0, to: node) }
    return 0
  }

  /// personality(2): `PER_LINUX32` changes what uname(2) says, `STICKY_TIMEOUTS` select(2), `ADDR_NO_RANDOMIZE`
  /// execve(2); the rest is kept and told back.
  static func personality(_ task: Task, _ new: Hexadecimal<UInt32>) throws(Errno) -> Int {
    let old = task.attributes.personality
    if new.value != Personality.query { task.attributes.personality = Personality(rawValue: new.value) }
    return Int(old.rawValue)
  }

  /// set_tid_address(2).
  static func setTIDAddress(_ task: Task, _ address: GuestAddress) throws(Errno) -> Int {
    task.clearChildTID = address
    return Int(task.id.rawValue)
  }

  /// unshare(2): what tasks share with each other can be unshared; there are no namespaces.
  static func unshare(_ task: Task, _ flags: CloneFlags) throws(Errno) -> Int {
    let known: CloneFlags = [.fs, .files, .thread, .vm, .signalHandlers, .sysVSemaphores]
    guard flags.isSubset(of: known.union(.namespaces)) else { throw .invalidArgument }
    guard flags.isDisjoint(with: .namespaces) else { throw .notPermitted }
    if !flags.isDisjoint(with: [.thread, .vm, .signalHandlers]), task.memory.sharers > 1 { throw .invalidArgument }
    if flags.contains(.fs) { task.fs = task.fs.copy() }
    if flags.contains(.files) { try task.unshareFiles() }
    return 0
  }

  /// arch_prctl(2). There are no shadow stacks (CET), and no state components that have to be asked for (AMX).
  static func archPrctl(_ task: Task, _ code: Constant<ArchPrctlCode>, _ value: GuestAddress) throws(Errno) -> Int {
    switch code.value {
    case .setGS:
      guard value.isUserAddress else { throw .notPermitted }
      // Calls without a signal find their context by it.
      if !value.isNull { task.memory.restoreText() }
      task.thread.changeRegisters { $0.gsBase = value.rawValue }
    case .setFS:
      guard value.isUserAddress else { throw .notPermitted }
      task.thread.changeRegisters { $0.fsBase = value.rawValue }
    case .getFS: try task.memory.writeValue(value, task.thread.registers.fsBase)
    case .getGS: try task.memory.writeValue(value, task.thread.registers.gsBase)
    case .getCPUID: return 1
    case .setCPUID:
      // Faulting on the cpuid instruction is not supported; turning the instruction on changes nothing.
      guard !value.isNull else { throw .operationNotSupportedByDevice }
    case .getSupportedFeatures, .getPermittedFeatures:
      try task.memory.writeValue(value, extendedFeatures(of: task))
    case .requestPermittedFeature:
      guard value.rawValue < 64 else { throw .invalidArgument }
      guard try extendedFeatures(of: task) & (1 << value.rawValue) != 0 else { throw .notSupported }
    case .shadowStackStatus, .enableShadowStack, .disableShadowStack, .controlFlowStatus, nil: throw .invalidArgument
    }
    return 0
  }

  /// The state components that the extended state holds, without AMX's.
  private static func extendedFeatures(of task: Task) throws(Errno) -> UInt64 {
    let area = task.thread.extendedState()
    // `sw_reserved.xfeatures` of `struct _fpstate`.
    guard area.count >= 480 else { return 3 }
    let features = area[472..<480].reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    return features & ~(3 << 17)
  }
}
