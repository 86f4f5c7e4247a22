import FileSystem
import LinuxABI
import Memory

/// The machine and its administration: uname(2), sysinfo(2), getrandom(2), and what only the owner of a host may do.
extension Syscalls {
  static let systemTable: [SyscallEntry] =
    [
      .init(.uname, uname, [.utsname]),
      .init(.sethostname, sethostname, [.string, .uint]),
      .init(.setdomainname, setdomainname, [.string, .uint]),
      .init(.sysinfo, sysinfo, [.sysinfo]),
      .init(.getrandom, getrandom, [.resultBytes, .uint, .flags(randomFlags)]),
      .init(.getcpu, getcpu, [.pointer, .pointer, .pointer]),
      .init(.personality, personality, [.hex]),
      .init(.set_tid_address, setTIDAddress, [.pointer]),
      .init(.arch_prctl, archPrctl, [.archPrctl, .pointer]),
      .init(.unshare, unshare, [.cloneFlags]),
      .init(.setns, refuse, [.fd, .cloneFlags]),
      .init(.syslog, refuse, [.int, .pointer, .int]),
      .init(.reboot, refuse, [.hex, .hex, .hex, .pointer]),
      .init(.swapon, refuse, [.path, .hex]),
      .init(.swapoff, refuse, [.path]),
      .init(.acct, refuse, [.path]),
      .init(.vhangup, refuse, []),
      .init(.iopl, refuse, [.int]),
      .init(.ioperm, refuse, [.hex, .uint, .int]),
      .init(.init_module, refuse, [.pointer, .uint, .string]),
      .init(.finit_module, refuse, [.fd, .string, .hex]),
      .init(.delete_module, refuse, [.string, .hex]),
      .init(.kexec_load, refuse, [.pointer, .uint, .pointer, .hex]),
    ] + resourceTable + schedulerTable + capabilityTable + prctlTable

  private static let randomFlags: [ArgumentKind.FlagName] = [
    .init("GRND_NONBLOCK", 1), .init("GRND_RANDOM", 2), .init("GRND_INSECURE", 4),
  ]

  /// Calls that would change the host, or that Apus gives no guest: refused as to a process without the capability.
  static func refuse(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { throw .notPermitted }

  /// uname(2).
  static func uname(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let kernel = task.kernel
    let machine = task.attributes.personality.domain == Personality.linux32 ? "i686" : "x86_64"
    let fields = [
      "Linux", kernel.hostName, kernel.configuration.release, kernel.configuration.version, machine, kernel.domainName,
    ]
    let bytes = fields.flatMap { field in
      let text = Array(field.utf8.prefix(64))
      return text + [UInt8](repeating: 0, count: 65 - text.count)
    }
    try task.memory.write(a[0], bytes)
    return 0
  }

  private static func name(_ task: Task, _ a: SyscallArguments) throws(Errno) -> String {
    guard task.credentials.has(.sysAdmin) else { throw .notPermitted }
    guard a.int(1) >= 0, a.int(1) <= 64 else { throw .invalidArgument }
    return String(decoding: try task.memory.read(a[0], count: Int(a.int(1))).prefix { $0 != 0 }, as: UTF8.self)
  }

  /// sethostname(2).
  static func sethostname(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    task.kernel.hostName = try name(task, a)
    return 0
  }

  /// setdomainname(2).
  static func setdomainname(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    task.kernel.domainName = try name(task, a)
    return 0
  }

  /// sysinfo(2): the sandbox's memory and tasks; load averages are zero.
  static func sysinfo(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let kernel = task.kernel
    let memory = kernel.physicalMemory
    var words = [UInt64](repeating: 0, count: 14)
    words[0] = (kernel.monotonicTime &- kernel.startTime) / 1_000_000_000
    words[4] = memory.limit
    words[5] = memory.limit - min(memory.usedBytes, memory.limit)
    words[10] = UInt64(min(kernel.tasks.count, 65535))
    // `mem_unit` is a 32-bit field after two words of high memory; the structure is 112 bytes.
    words[13] = 1
    try task.memory.writeArray(a[0], words)
    return 0
  }

  /// getrandom(2).
  static func getrandom(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = RandomFlags(rawValue: a.uint(2))
    guard flags.isSubset(of: .all), !flags.isSuperset(of: [.random, .insecure]) else { throw .invalidArgument }
    let count = Int(min(a[1], 32 << 20))
    if count == 0 { return 0 }
    var buffer = try task.memory.buffer(a[0], count: count, for: .write)
    while buffer.remaining > 0 {
      let part = task.services.randomBytes(count: min(buffer.remaining, 64 << 10))
      guard buffer.write(part) > 0 else { break }
    }
    return buffer.transferred
  }

  /// getcpu(2). There is one memory node.
  static func getcpu(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    if a[0] != 0 { try task.memory.writeValue(a[0], UInt32(task.cpu.index)) }
    if a[1] != 0 { try task.memory.writeValue(a[1], UInt32(0)) }
    return 0
  }

  /// personality(2): `PER_LINUX32` changes what uname(2) says, `STICKY_TIMEOUTS` select(2); the rest is kept and told back.
  static func personality(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let old = task.attributes.personality
    if a.uint(0) != Personality.query { task.attributes.personality = Personality(rawValue: a.uint(0)) }
    return Int(old.rawValue)
  }

  /// set_tid_address(2).
  static func setTIDAddress(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    task.clearChildTID = a[0]
    return Int(task.id)
  }

  /// unshare(2): what tasks share with each other can be unshared; there are no namespaces.
  static func unshare(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = CloneFlags(rawValue: a[0])
    let known: CloneFlags = [.fs, .files, .thread, .vm, .signalHandlers, .sysVSemaphores]
    guard flags.isSubset(of: known.union(.namespaces)) else { throw .invalidArgument }
    guard flags.isDisjoint(with: .namespaces) else { throw .notPermitted }
    if !flags.isDisjoint(with: [.thread, .vm, .signalHandlers]), task.memory.sharers > 1 { throw .invalidArgument }
    if flags.contains(.fs) { task.fs = task.fs.copy() }
    if flags.contains(.files) { task.unshareFiles() }
    return 0
  }

  /// arch_prctl(2). There are no shadow stacks (CET), and no state components that have to be asked for (AMX).
  static func archPrctl(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    switch ArchPrctlCode(rawValue: a.int(0)) {
    case .setGS:
      guard a[1] < Layout.userEnd else { throw .notPermitted }
      task.thread.registers.gsBase = a[1]
    case .setFS:
      guard a[1] < Layout.userEnd else { throw .notPermitted }
      task.thread.registers.fsBase = a[1]
    case .getFS: try task.memory.writeValue(a[1], task.thread.registers.fsBase)
    case .getGS: try task.memory.writeValue(a[1], task.thread.registers.gsBase)
    case .getCPUID: return 1
    case .setCPUID:
      // Faulting on the cpuid instruction is not supported; turning it on is what the guest has.
      guard a[1] != 0 else { throw .operationNotSupportedByDevice }
    case .getSupportedFeatures, .getPermittedFeatures: try task.memory.writeValue(a[1], extendedFeatures(of: task))
    case .requestPermittedFeature:
      guard a[1] < 64 else { throw .invalidArgument }
      guard try extendedFeatures(of: task) & (1 << a[1]) != 0 else { throw .notSupported }
    case nil: throw .invalidArgument
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
