/// Where lseek(2) and record locks count from, `SEEK_*`.
public enum Whence: Int32, NamedConstants, Sendable {
  case start = 0
  case current = 1
  case end = 2
  case data = 3
  case hole = 4

  public static let names: [ConstantName] = [
    .init("SEEK_SET", start), .init("SEEK_CUR", current), .init("SEEK_END", end), .init("SEEK_DATA", data),
    .init("SEEK_HOLE", hole),
  ]
}

/// `RWF_*` of preadv2(2).
public struct TransferFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let highPriority = TransferFlags(rawValue: 1)
  public static let dataSync = TransferFlags(rawValue: 2)
  public static let sync = TransferFlags(rawValue: 4)
  public static let noWait = TransferFlags(rawValue: 8)
  public static let append = TransferFlags(rawValue: 0x10)
  public static let noAppend = TransferFlags(rawValue: 0x20)
  public static let all: TransferFlags = [.highPriority, .dataSync, .sync, .noWait, .append, .noAppend]

  public static let names: [ConstantName] = [
    .init("RWF_HIPRI", highPriority), .init("RWF_DSYNC", dataSync), .init("RWF_SYNC", sync),
    .init("RWF_NOWAIT", noWait), .init("RWF_APPEND", append), .init("RWF_NOAPPEND", noAppend),
  ]
}

/// `SPLICE_F_*` of splice(2).
public struct SpliceFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let move = SpliceFlags(rawValue: 1)
  public static let nonBlocking = SpliceFlags(rawValue: 2)
  public static let more = SpliceFlags(rawValue: 4)
  public static let gift = SpliceFlags(rawValue: 8)
  public static let all: SpliceFlags = [.move, .nonBlocking, .more, .gift]

  public static let names: [ConstantName] = [
    .init("SPLICE_F_MOVE", move), .init("SPLICE_F_NONBLOCK", nonBlocking), .init("SPLICE_F_MORE", more),
    .init("SPLICE_F_GIFT", gift),
  ]
}

/// `FALLOC_FL_*` of fallocate(2).
public struct AllocationMode: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let keepSize = AllocationMode(rawValue: 0x01)
  public static let punchHole = AllocationMode(rawValue: 0x02)
  public static let collapseRange = AllocationMode(rawValue: 0x08)
  public static let zeroRange = AllocationMode(rawValue: 0x10)
  public static let insertRange = AllocationMode(rawValue: 0x20)
  public static let unshareRange = AllocationMode(rawValue: 0x40)
  /// What `punchHole` has to be combined with.
  public static let hole: AllocationMode = [.punchHole, .keepSize]

  public static let names: [ConstantName] = [
    .init("FALLOC_FL_KEEP_SIZE", keepSize), .init("FALLOC_FL_PUNCH_HOLE", punchHole),
    .init("FALLOC_FL_COLLAPSE_RANGE", collapseRange), .init("FALLOC_FL_ZERO_RANGE", zeroRange),
    .init("FALLOC_FL_INSERT_RANGE", insertRange), .init("FALLOC_FL_UNSHARE_RANGE", unshareRange),
  ]
}

/// `SYNC_FILE_RANGE_*` of sync_file_range(2).
public struct SyncRangeFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let waitBefore = SyncRangeFlags(rawValue: 1)
  public static let write = SyncRangeFlags(rawValue: 2)
  public static let waitAfter = SyncRangeFlags(rawValue: 4)
  public static let all: SyncRangeFlags = [.waitBefore, .write, .waitAfter]

  public static let names: [ConstantName] = [
    .init("SYNC_FILE_RANGE_WAIT_BEFORE", waitBefore), .init("SYNC_FILE_RANGE_WRITE", write),
    .init("SYNC_FILE_RANGE_WAIT_AFTER", waitAfter),
  ]
}

/// `POSIX_FADV_*` of posix_fadvise(2).
public enum FileAdvice: Int32, NamedConstants, Sendable {
  case normal = 0
  case random = 1
  case sequential = 2
  case willNeed = 3
  case dontNeed = 4
  case noReuse = 5

  public static let names: [ConstantName] = [
    .init("POSIX_FADV_NORMAL", normal), .init("POSIX_FADV_RANDOM", random),
    .init("POSIX_FADV_SEQUENTIAL", sequential), .init("POSIX_FADV_WILLNEED", willNeed),
    .init("POSIX_FADV_DONTNEED", dontNeed), .init("POSIX_FADV_NOREUSE", noReuse),
  ]
}

/// `LOCK_*` of flock(2).
public struct FlockOperation: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static let shared = FlockOperation(rawValue: 1)
  public static let exclusive = FlockOperation(rawValue: 2)
  public static let nonBlocking = FlockOperation(rawValue: 4)
  public static let unlock = FlockOperation(rawValue: 8)
  public static let mandatory = FlockOperation(rawValue: 32)

  public static let names: [ConstantName] = [
    .init("LOCK_SH", shared), .init("LOCK_EX", exclusive), .init("LOCK_UN", unlock), .init("LOCK_NB", nonBlocking),
    .init("LOCK_MAND", mandatory),
  ]
}

/// `struct flock` of fcntl(2).
package struct RecordLock: BitwiseCopyable, Sendable {
  /// A `Kind`, or what else a guest wrote there.
  package var type: Int16 = 0
  /// A `Whence`, likewise.
  package var whence: Int16 = 0
  private var padding: Int32 = 0
  package var start: Int64 = 0
  package var length: Int64 = 0
  package var processID = ProcessID.zero
  private var padding2: Int32 = 0
  package init() {}

  package enum Kind: Int16, NamedConstants, Sendable {
    case read = 0
    case write = 1
    case unlocked = 2

    package static let names: [ConstantName] = [
      .init("F_RDLCK", read), .init("F_WRLCK", write), .init("F_UNLCK", unlocked),
    ]
  }
}

/// `MFD_*` of memfd_create(2).
public struct MemoryFileFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let closeOnExec = MemoryFileFlags(rawValue: 0x01)
  public static let allowSealing = MemoryFileFlags(rawValue: 0x02)
  public static let hugeTLB = MemoryFileFlags(rawValue: 0x04)
  public static let noExecuteSeal = MemoryFileFlags(rawValue: 0x08)
  public static let execute = MemoryFileFlags(rawValue: 0x10)

  public static let names: [ConstantName] = [
    .init("MFD_CLOEXEC", closeOnExec), .init("MFD_ALLOW_SEALING", allowSealing), .init("MFD_HUGETLB", hugeTLB),
    .init("MFD_NOEXEC_SEAL", noExecuteSeal), .init("MFD_EXEC", execute),
  ]
}

/// `F_SEAL_*` of fcntl(2).
public struct FileSeals: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let seal = FileSeals(rawValue: 0x01)
  public static let shrink = FileSeals(rawValue: 0x02)
  public static let grow = FileSeals(rawValue: 0x04)
  public static let write = FileSeals(rawValue: 0x08)
  public static let futureWrite = FileSeals(rawValue: 0x10)
  public static let execute = FileSeals(rawValue: 0x20)
  public static let anyWrite: FileSeals = [.write, .futureWrite]
  public static let all: FileSeals = [.seal, .shrink, .grow, .write, .futureWrite, .execute]

  public static let names: [ConstantName] = [
    .init("F_SEAL_SEAL", seal), .init("F_SEAL_SHRINK", shrink), .init("F_SEAL_GROW", grow),
    .init("F_SEAL_WRITE", write), .init("F_SEAL_FUTURE_WRITE", futureWrite), .init("F_SEAL_EXEC", execute),
  ]
}

/// `CLOSE_RANGE_*` of close_range(2).
public struct CloseRangeFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let unshare = CloseRangeFlags(rawValue: 2)
  public static let closeOnExec = CloseRangeFlags(rawValue: 4)

  public static let names: [ConstantName] = [
    .init("CLOSE_RANGE_UNSHARE", unshare), .init("CLOSE_RANGE_CLOEXEC", closeOnExec),
  ]
}

/// The descriptor flags of fcntl(2), `FD_*`.
public struct DescriptorFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let closeOnExec = DescriptorFlags(rawValue: 1)

  public static let names: [ConstantName] = [.init("FD_CLOEXEC", closeOnExec)]
}

/// `XATTR_*` of setxattr(2).
public struct ExtendedAttributeFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let create = ExtendedAttributeFlags(rawValue: 1)
  public static let replace = ExtendedAttributeFlags(rawValue: 2)

  public static let names: [ConstantName] = [.init("XATTR_CREATE", create), .init("XATTR_REPLACE", replace)]
}
