/// `F_*` commands of fcntl(2).
public enum FcntlCommand: Int32, NamedConstants, Sendable {
  case duplicate = 0
  case getDescriptorFlags = 1
  case setDescriptorFlags = 2
  case getStatusFlags = 3
  case setStatusFlags = 4
  case getLock = 5
  case setLock = 6
  case setLockWait = 7
  case setOwner = 8
  case getOwner = 9
  case setSignal = 10
  case getSignal = 11
  case setOwnerExtended = 15
  case getOwnerExtended = 16
  case getDescriptionLock = 36
  case setDescriptionLock = 37
  case setDescriptionLockWait = 38
  case setLease = 1024
  case getLease = 1025
  case notify = 1026
  case duplicateQuery = 1027
  case duplicateCloseOnExec = 1030
  case setPipeSize = 1031
  case getPipeSize = 1032
  case addSeals = 1033
  case getSeals = 1034

  public static let names: [ConstantName] = [
    .init("F_DUPFD", duplicate), .init("F_GETFD", getDescriptorFlags), .init("F_SETFD", setDescriptorFlags),
    .init("F_GETFL", getStatusFlags), .init("F_SETFL", setStatusFlags), .init("F_GETLK", getLock),
    .init("F_SETLK", setLock), .init("F_SETLKW", setLockWait), .init("F_SETOWN", setOwner),
    .init("F_GETOWN", getOwner), .init("F_SETSIG", setSignal), .init("F_GETSIG", getSignal),
    .init("F_SETOWN_EX", setOwnerExtended), .init("F_GETOWN_EX", getOwnerExtended),
    .init("F_OFD_GETLK", getDescriptionLock), .init("F_OFD_SETLK", setDescriptionLock),
    .init("F_OFD_SETLKW", setDescriptionLockWait), .init("F_SETLEASE", setLease), .init("F_GETLEASE", getLease),
    .init("F_NOTIFY", notify), .init("F_DUPFD_QUERY", duplicateQuery),
    .init("F_DUPFD_CLOEXEC", duplicateCloseOnExec), .init("F_SETPIPE_SZ", setPipeSize),
    .init("F_GETPIPE_SZ", getPipeSize), .init("F_ADD_SEALS", addSeals), .init("F_GET_SEALS", getSeals),
  ]
}

/// `struct f_owner_ex` of fcntl(2): who is signalled about a descriptor.
package struct DescriptorOwner: BitwiseCopyable, Sendable {
  /// A `Kind`, or what else a guest wrote there.
  package var type: Int32
  package var id: ProcessID
  package init(_ kind: Kind, id: ProcessID) {
    type = kind.rawValue
    self.id = id
  }

  package static let none = DescriptorOwner(.process, id: .zero)

  /// The argument of `F_SETOWN`: a process group is a negative number. Nil for the lowest, which names none.
  package init?(number: Int32) {
    guard number != .min else { return nil }
    self.init(number < 0 ? .processGroup : .process, id: ProcessID(rawValue: abs(number)))
  }

  /// The result of `F_GETOWN`.
  package var number: Int32 { type == Kind.processGroup.rawValue ? 0 &- id.rawValue : id.rawValue }

  package enum Kind: Int32, NamedConstants, Sendable {
    case thread = 0
    case process = 1
    case processGroup = 2

    package static let names: [ConstantName] = [
      .init("F_OWNER_TID", thread), .init("F_OWNER_PID", process), .init("F_OWNER_PGRP", processGroup),
    ]
  }
}

/// Requests of ioctl(2) (ioctl_tty(2), ioctl_list(2)).
public enum Ioctl {
  /// `FICLONE`, `FICLONERANGE`, `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS` of files.
  public static let clone: UInt32 = 0x4004_9409
  public static let cloneRange: UInt32 = 0x4020_940D
  public static let getFlags: UInt32 = 0x8008_6601
  public static let setFlags: UInt32 = 0x4008_6602
  public static let tcGets: UInt32 = 0x5401
  public static let tcSets: UInt32 = 0x5402
  public static let tcSetsWait: UInt32 = 0x5403
  public static let tcSetsFlush: UInt32 = 0x5404
  public static let tcGetA: UInt32 = 0x5405
  public static let tcSetA: UInt32 = 0x5406
  public static let tcSetAWait: UInt32 = 0x5407
  public static let tcSetAFlush: UInt32 = 0x5408
  public static let tcSendBreak: UInt32 = 0x5409
  public static let tcFlow: UInt32 = 0x540A
  public static let tcFlush: UInt32 = 0x540B
  public static let setControllingTerminal: UInt32 = 0x540E
  public static let getProcessGroup: UInt32 = 0x540F
  public static let setProcessGroup: UInt32 = 0x5410
  public static let outputQueue: UInt32 = 0x5411
  public static let getWindowSize: UInt32 = 0x5413
  public static let setWindowSize: UInt32 = 0x5414
  /// Bytes that can be read now (`TIOCINQ` is the same).
  public static let readable: UInt32 = 0x541B
  public static let nonBlocking: UInt32 = 0x5421
  public static let noControllingTerminal: UInt32 = 0x5422
  public static let getSession: UInt32 = 0x5429
  public static let noCloseOnExec: UInt32 = 0x5450
  public static let closeOnExec: UInt32 = 0x5451
  public static let async: UInt32 = 0x5452
  public static let fileSize: UInt32 = 0x5460
  public static let tcGets2: UInt32 = 0x802C_542A
  public static let tcSets2: UInt32 = 0x402C_542B
  public static let tcSets2Wait: UInt32 = 0x402C_542C
  public static let tcSets2Flush: UInt32 = 0x402C_542D
  // Sockets (socket(7)): `FIOSETOWN`, `SIOCSPGRP`, `FIOGETOWN`, `SIOCGPGRP`, `SIOCATMARK`, `SIOCGSTAMP`, `SIOCGSTAMPNS`.
  public static let setOwner: UInt32 = 0x8901
  public static let setOwnerGroup: UInt32 = 0x8902
  public static let getOwner: UInt32 = 0x8903
  public static let getOwnerGroup: UInt32 = 0x8904
  public static let atMark: UInt32 = 0x8905
  public static let lastTimestamp: UInt32 = 0x8906
  public static let lastTimestampNanoseconds: UInt32 = 0x8907
  /// `SIOCUNIXFILE` of <linux/un.h>.
  public static let unixFile: UInt32 = 0x89E0
  /// `SIOCOUTQNSD` of tcp(7): what of `SIOCOUTQ` was not sent yet.
  public static let outputQueueUnsent: UInt32 = 0x894B
  /// `RNDGETENTCNT` of random(4).
  public static let entropyCount: UInt32 = 0x8004_5200
}

/// The second argument of ioctl(2): one of the requests above, or any other.
public struct IoctlRequest: NamedNumber, Hashable, BitwiseCopyable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  private static func named(_ name: StaticString, _ request: UInt32) -> ConstantName {
    ConstantName(name, IoctlRequest(rawValue: request))
  }
  public static let names = ofFiles + InterfaceRequest.names
  private static let ofFiles: [ConstantName] = [
    named("TCGETS", Ioctl.tcGets),
    named("TCSETS", Ioctl.tcSets),
    named("TCSETSW", Ioctl.tcSetsWait),
    named("TCSETSF", Ioctl.tcSetsFlush),
    named("TCSBRK", Ioctl.tcSendBreak),
    named("TCXONC", Ioctl.tcFlow),
    named("TCFLSH", Ioctl.tcFlush),
    named("TIOCEXCL", 0x540c),
    named("TIOCSCTTY", Ioctl.setControllingTerminal),
    named("TIOCGPGRP", Ioctl.getProcessGroup),
    named("TIOCSPGRP", Ioctl.setProcessGroup),
    named("TIOCOUTQ", Ioctl.outputQueue),
    named("TIOCGWINSZ", Ioctl.getWindowSize),
    named("TIOCSWINSZ", Ioctl.setWindowSize),
    named("FIONREAD", Ioctl.readable),
    named("TIOCNOTTY", Ioctl.noControllingTerminal),
    named("FIONBIO", Ioctl.nonBlocking),
    named("TIOCGSID", Ioctl.getSession),
    named("TIOCGPTN", 0x80045430),
    named("FIONCLEX", Ioctl.noCloseOnExec),
    named("FIOCLEX", Ioctl.closeOnExec),
    named("FIOASYNC", Ioctl.async),
    named("FIOSETOWN", Ioctl.setOwner),
    named("SIOCSPGRP", Ioctl.setOwnerGroup),
    named("FIOGETOWN", Ioctl.getOwner),
    named("SIOCGPGRP", Ioctl.getOwnerGroup),
    named("SIOCATMARK", Ioctl.atMark),
    named("SIOCGSTAMP", Ioctl.lastTimestamp),
    named("SIOCGSTAMPNS", Ioctl.lastTimestampNanoseconds),
    named("SIOCUNIXFILE", Ioctl.unixFile),
    named("SIOCOUTQNSD", Ioctl.outputQueueUnsent),
    named("FICLONE", 0x40049409),
    named("BLKGETSIZE64", 0x80081272),
    named("RNDGETENTCNT", Ioctl.entropyCount),
  ]
}

/// `struct iovec` of readv(2).
package struct IOVector: BitwiseCopyable, Sendable {
  package var base: UInt64
  package var count: UInt64
  package init(base: UInt64, count: UInt64) {
    self.base = base
    self.count = count
  }
}
