import LinuxABI

/// What Apus may ask of the host while guests run: one line for each host call, with the arguments that it may have.
///
/// `Confinement` makes a seccomp filter of it that binds Apus itself. A call with no line here, or with other arguments,
/// is answered with `EPERM`: an error that callers handle, where ending the process could end a correct run. A test
/// compares the table with the calls in `Host`, so a new one needs its line.
struct HostCallRule: Sendable {
  let call: SyscallNumber
  /// What has to be true of the arguments, all of it. Several lines for one call are alternatives.
  let conditions: [Condition]
  /// The platform that makes the call; nil: both.
  var platform: ConfinedPlatform?

  /// What has to be true of an argument, the first being 0.
  enum Condition: Sendable {
    /// Its low word, without some bits, is one of these.
    case isOne(Int, of: [UInt32], ignoring: UInt32 = 0)
    /// Its low word lies in one of these, which are in ascending order and end below 2³² - 1.
    case isWithin(Int, [ClosedRange<UInt32>])
    /// It has none of these bits.
    case hasNone(Int, of: UInt32)
    /// It has all of these bits.
    case hasAll(Int, of: UInt32)
    /// All 64 bits are zero.
    case isNull(Int)
    /// It is a descriptor that Apus holds, and not the working directory.
    case isHeld(Int)
  }

  private init(_ call: SyscallNumber, _ conditions: Condition..., platform: ConfinedPlatform? = nil) {
    self.call = call
    self.conditions = conditions
    self.platform = platform
  }

  /// The calls of `Host` while guests run, those made most first.
  static func whileGuestsRun(
    process: Int32, preemptSignal: Signal, network: ConfinedNetwork = .none,
    connectsSockets: Bool = false
  ) -> [HostCallRule] {
    always(process: process, preemptSignal: preemptSignal) + sockets(network) + (connectsSockets ? unixSockets : [])
  }

  /// The calls on UNIX sockets of the host that lie in volumes.
  private static var unixSockets: [HostCallRule] {
    let flags = ([.closeOnExec, .nonBlocking] as SocketFlags).rawValue
    let types = [SocketType.stream, .datagram, .sequencedPacket].map { UInt32(bitPattern: $0.rawValue) | flags }
    return [
      .init(.socket, .isOne(0, of: [UInt32(AddressFamily.unix.rawValue)]), .isOne(1, of: types)), .init(.connect),
      .init(.shutdown),
      .init(
        .getsockopt, .isOne(1, of: [UInt32(bitPattern: SocketLevel.socket.rawValue)]),
        .isOne(2, of: [UInt32(bitPattern: SocketOption.peerCredentials.number)])),
    ]
  }

  /// The calls on sockets of the host that carry those of guests. Without a network there are none.
  private static func sockets(_ network: ConfinedNetwork) -> [HostCallRule] {
    guard network != .none else { return [] }
    let flags = ([.closeOnExec, .nonBlocking] as SocketFlags).rawValue
    // Connections that come in at ports that were bound before guests run.
    var rules: [HostCallRule] = [
      .init(.accept4, .isNull(1), .isNull(2), .isOne(3, of: [flags])), .init(.recvmsg), .init(.shutdown),
      .init(.getsockname), .init(.getpeername), .init(.getsockopt),
      .init(.ioctl, .isOne(1, of: [Ioctl.atMark])),
    ]
    if network == .published {
      for option in [SocketOption.tcpNoDelay, .linger] + HostSocketOptions.ofConnections.map(\.option) {
        let (level, number) = (UInt32(bitPattern: option.level.rawValue), UInt32(bitPattern: option.number))
        rules.append(.init(.setsockopt, .isOne(1, of: [level]), .isOne(2, of: [number])))
      }
      return rules
    }
    let families = [AddressFamily.inet, .inet6].map { UInt32($0.rawValue) }
    let types = [SocketType.stream, .datagram, .raw].map { UInt32(bitPattern: $0.rawValue) | flags }
    rules += [
      .init(.socket, .isOne(0, of: families), .isOne(1, of: types)), .init(.connect), .init(.bind), .init(.listen),
    ]
    let levels = Dictionary(grouping: HostSocketOptions.settableNumbers) { $0.level.rawValue }
    rules += levels.sorted { $0.key < $1.key }.map { level, rows in
      let numbers = rows.map { UInt32(bitPattern: $0.numbers.lowerBound)...UInt32(bitPattern: $0.numbers.upperBound) }
      return .init(.setsockopt, .isOne(1, of: [UInt32(bitPattern: level)]), .isWithin(2, numbers))
    }
    return rules
  }

  private static func always(process: Int32, preemptSignal: Signal) -> [HostCallRule] {
    let harmless = [Signal.null, .kill, preemptSignal].map { UInt32($0.rawValue) }
    // To this thread itself: job control, and abort(3).
    let own = [Signal.tstp, .stop, .abrt].map { UInt32($0.rawValue) }
    return [
      // The locks are Swift's Mutex. Private or shared, on any clock.
      .init(.futex, .isOne(1, of: futexOperations.map(\.rawValue), ignoring: FutexFlags.all.rawValue)),

      // Open files.
      .init(.read), .init(.write), .init(.readv), .init(.writev), .init(.pread64), .init(.pwrite64), .init(.preadv),
      .init(.pwritev), .init(.preadv2), .init(.pwritev2), .init(.lseek), .init(.close), .init(.fstat), .init(.fstatfs),
      .init(.ftruncate), .init(.fallocate), .init(.fsync), .init(.fdatasync), .init(.fchown), .init(.getdents64),
      .init(.flock), .init(.poll),
      // Nothing on the host becomes set-user-ID.
      .init(.fchmod, .hasNone(1, of: FileMode.setUserID)),
      .init(.fcntl, .isOne(1, of: fcntlCommands.map { UInt32($0.rawValue) })),
      .init(
        .ioctl,
        .isOne(
          1,
          of: [
            Ioctl.tcGets, Ioctl.tcSets, Ioctl.tcSetsWait, Ioctl.tcSetsFlush, Ioctl.tcGetA, Ioctl.tcSetA,
            Ioctl.tcSetAWait, Ioctl.tcSetAFlush, Ioctl.tcGets2, Ioctl.tcSets2, Ioctl.tcSets2Wait, Ioctl.tcSets2Flush,
            Ioctl.getWindowSize, Ioctl.setWindowSize, Ioctl.outputQueue, Ioctl.readable, Ioctl.tcSendBreak,
            Ioctl.tcFlow, Ioctl.tcFlush,
          ])),

      // Paths, below descriptors that Apus holds.
      .init(.openat, .isHeld(0), .hasNone(3, of: FileMode.setUserID | FileMode.setGroupID)),
      .init(.openat2, .isHeld(0)), .init(.newfstatat, .isHeld(0)), .init(.statx, .isHeld(0)),
      .init(.readlinkat, .isHeld(0)), .init(.fchmodat, .isHeld(0), .hasNone(2, of: FileMode.setUserID)),
      .init(.fchmodat2, .isHeld(0), .hasNone(2, of: FileMode.setUserID)), .init(.fchownat, .isHeld(0)),
      .init(.utimensat, .isHeld(0)), .init(.mkdirat, .isHeld(0)), .init(.unlinkat, .isHeld(0)),
      .init(.symlinkat, .isHeld(1)), .init(.linkat, .isHeld(0), .isHeld(2)),
      .init(.renameat2, .isHeld(0), .isHeld(2)),
      .init(
        .mknodat, .isHeld(0),
        .isOne(
          2, of: [FileMode.Kind.fifo, .socket, .regular].map(\.rawValue),
          ignoring: FileMode.permissionMask & ~FileMode.setUserID)),

      // Waiting.
      .init(.epoll_pwait2), .init(.epoll_ctl), .init(.nanosleep), .init(.clock_nanosleep), .init(.restart_syscall),

      // Memory that can't be executed.
      .init(.mmap, .hasNone(2, of: MemoryProtection.execute.rawValue)),
      .init(.mprotect, .hasNone(2, of: MemoryProtection.execute.rawValue)), .init(.munmap), .init(.mremap),
      .init(.madvise), .init(.mincore), .init(.brk),

      // The host processes of guests: orders to the zygote, their death and preemption.
      .init(.sendmsg), .init(.pidfd_open), .init(.waitid), .init(.kill, .isOne(1, of: harmless)),
      .init(.tgkill, .isOne(2, of: harmless)), .init(.tgkill, .isOne(0, of: [UInt32(process)]), .isOne(2, of: own)),
      .init(.ptrace, platform: .ptrace), .init(.wait4, platform: .ptrace),

      // The caller's streams.
      .init(.recvfrom, .isNull(4)), .init(.sendto, .isNull(4)),

      // Processors and clocks.
      .init(.sched_getaffinity), .init(.sched_setaffinity), .init(.sched_yield), .init(.getcpu), .init(.clock_gettime),
      .init(.clock_getres), .init(.gettimeofday),

      // This process: its ids, its signals, its threads.
      .init(.getpid), .init(.gettid), .init(.getrandom), .init(.sysinfo), .init(.umask),
      .init(.prlimit64, .isOne(0, of: [0]), .isNull(2)), .init(.rt_sigprocmask), .init(.rt_sigtimedwait),
      .init(.rt_sigaction), .init(.rt_sigreturn), .init(.set_robust_list), .init(.rseq), .init(.exit),
      .init(.exit_group),
      // Threads alone. The flags of clone3(2) can't be seen; libc falls back to clone(2).
      .init(.clone, .hasAll(0, of: UInt32(([.vm, .thread] as CloneFlags).rawValue))),
    ]
  }

  private static let futexOperations: [FutexOperation] = [
    .wait, .wake, .waitBitset, .wakeBitset, .lock, .unlock, .tryLock, .lockMonotonic,
  ]
  private static let fcntlCommands: [FcntlCommand] = [
    .getDescriptorFlags, .getStatusFlags, .setStatusFlags, .duplicateCloseOnExec, .getDescriptionLock,
    .setDescriptionLock,
  ]

  /// The calls of `Host` that are made only before guests run.
  static let beforeGuestsRun: Set<SyscallNumber> = [
    .memfd_create, .pipe2, .socketpair, .epoll_create1, .eventfd2, .signalfd4, .getcwd, .getrlimit, .seccomp, .prctl,
    .landlock_create_ruleset, .landlock_add_rule, .landlock_restrict_self,
  ]
}

/// What of sockets guests need of the host.
package enum ConfinedNetwork: Sendable {
  case none
  /// Ports of the host lead to guests.
  case published
  /// Guests reach destinations outside.
  case outward
}

/// The platforms as far as they need different calls.
package enum ConfinedPlatform: Sendable { case seccomp, ptrace }
