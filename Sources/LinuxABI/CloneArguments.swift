/// `CLONE_*` of clone(2).
public struct CloneFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let vm = CloneFlags(rawValue: 0x100)
  public static let fs = CloneFlags(rawValue: 0x200)
  public static let files = CloneFlags(rawValue: 0x400)
  public static let signalHandlers = CloneFlags(rawValue: 0x800)
  public static let pidfd = CloneFlags(rawValue: 0x1000)
  public static let ptrace = CloneFlags(rawValue: 0x2000)
  public static let vfork = CloneFlags(rawValue: 0x4000)
  public static let parent = CloneFlags(rawValue: 0x8000)
  public static let thread = CloneFlags(rawValue: 0x1_0000)
  public static let newNamespace = CloneFlags(rawValue: 0x2_0000)
  public static let sysVSemaphores = CloneFlags(rawValue: 0x4_0000)
  public static let setTLS = CloneFlags(rawValue: 0x8_0000)
  public static let parentSetTID = CloneFlags(rawValue: 0x10_0000)
  public static let childClearTID = CloneFlags(rawValue: 0x20_0000)
  public static let detached = CloneFlags(rawValue: 0x40_0000)
  public static let untraced = CloneFlags(rawValue: 0x80_0000)
  public static let childSetTID = CloneFlags(rawValue: 0x100_0000)
  public static let newCgroup = CloneFlags(rawValue: 0x200_0000)
  public static let newUTS = CloneFlags(rawValue: 0x400_0000)
  public static let newIPC = CloneFlags(rawValue: 0x800_0000)
  public static let newUser = CloneFlags(rawValue: 0x1000_0000)
  public static let newPID = CloneFlags(rawValue: 0x2000_0000)
  public static let newNetwork = CloneFlags(rawValue: 0x4000_0000)
  public static let io = CloneFlags(rawValue: 0x8000_0000)
  public static let clearSignalHandlers = CloneFlags(rawValue: 0x1_0000_0000)
  public static let intoCgroup = CloneFlags(rawValue: 0x2_0000_0000)
  /// `CSIGNAL`: what of the legacy call's flags is the exit signal.
  public static let signalMask: UInt64 = 0xff
  /// What clone3(2) knows: all flags but the exit signal, which has a field of its own there, and the one that was given up.
  public static let ofClone3 = CloneFlags(
    rawValue: (0xffff_ffff & ~signalMask | newTime.rawValue | 0x3_0000_0000) & ~detached.rawValue)
  public static let newTime = CloneFlags(rawValue: 0x80)
  public static let namespaces: CloneFlags = [
    .newNamespace, .newCgroup, .newUTS, .newIPC, .newUser, .newPID, .newNetwork, .newTime,
  ]

  public static let names: [ConstantName] = [
    .init("CLONE_VM", vm), .init("CLONE_FS", fs), .init("CLONE_FILES", files),
    .init("CLONE_SIGHAND", signalHandlers), .init("CLONE_PIDFD", pidfd), .init("CLONE_PTRACE", ptrace),
    .init("CLONE_VFORK", vfork), .init("CLONE_PARENT", parent), .init("CLONE_THREAD", thread),
    .init("CLONE_NEWNS", newNamespace), .init("CLONE_SYSVSEM", sysVSemaphores), .init("CLONE_SETTLS", setTLS),
    .init("CLONE_PARENT_SETTID", parentSetTID), .init("CLONE_CHILD_CLEARTID", childClearTID),
    .init("CLONE_DETACHED", detached), .init("CLONE_UNTRACED", untraced), .init("CLONE_CHILD_SETTID", childSetTID),
    .init("CLONE_NEWCGROUP", newCgroup), .init("CLONE_NEWUTS", newUTS), .init("CLONE_NEWIPC", newIPC),
    .init("CLONE_NEWUSER", newUser), .init("CLONE_NEWPID", newPID), .init("CLONE_NEWNET", newNetwork),
    .init("CLONE_NEWTIME", newTime), .init("CLONE_IO", io), .init("CLONE_CLEAR_SIGHAND", clearSignalHandlers),
    .init("CLONE_INTO_CGROUP", intoCgroup),
  ]
}

/// `struct clone_args` of clone3(2).
package struct CloneArguments: BitwiseCopyable, Sendable {
  package var flags: UInt64 = 0
  package var pidfd: UInt64 = 0
  package var childTID: UInt64 = 0
  package var parentTID: UInt64 = 0
  package var exitSignal: UInt64 = 0
  package var stack: UInt64 = 0
  package var stackSize: UInt64 = 0
  package var tls: UInt64 = 0
  package var setTID: UInt64 = 0
  package var setTIDSize: UInt64 = 0
  package var cgroup: UInt64 = 0
  package init() {}
}
