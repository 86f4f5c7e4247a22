/// Where lseek(2) and record locks count from, `SEEK_*`.
public enum Whence: Int32, Sendable {
  case start = 0
  case current = 1
  case end = 2
  case data = 3
  case hole = 4
}

/// `RWF_*` of preadv2(2).
public struct TransferFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let highPriority = TransferFlags(rawValue: 1)
  public static let dataSync = TransferFlags(rawValue: 2)
  public static let sync = TransferFlags(rawValue: 4)
  public static let noWait = TransferFlags(rawValue: 8)
  public static let append = TransferFlags(rawValue: 0x10)
  public static let noAppend = TransferFlags(rawValue: 0x20)
}

/// `SPLICE_F_*` of splice(2).
public struct SpliceFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let move = SpliceFlags(rawValue: 1)
  public static let nonBlocking = SpliceFlags(rawValue: 2)
  public static let more = SpliceFlags(rawValue: 4)
  public static let gift = SpliceFlags(rawValue: 8)
  public static let all: SpliceFlags = [.move, .nonBlocking, .more, .gift]
}

/// `FALLOC_FL_*` of fallocate(2).
public struct AllocationMode: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let keepSize = AllocationMode(rawValue: 0x01)
  public static let punchHole = AllocationMode(rawValue: 0x02)
  public static let collapseRange = AllocationMode(rawValue: 0x08)
  public static let zeroRange = AllocationMode(rawValue: 0x10)
  public static let insertRange = AllocationMode(rawValue: 0x20)
  public static let unshareRange = AllocationMode(rawValue: 0x40)
}

/// `SYNC_FILE_RANGE_*` of sync_file_range(2).
public struct SyncRangeFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let waitBefore = SyncRangeFlags(rawValue: 1)
  public static let write = SyncRangeFlags(rawValue: 2)
  public static let waitAfter = SyncRangeFlags(rawValue: 4)
  public static let all: SyncRangeFlags = [.waitBefore, .write, .waitAfter]
}

/// `POSIX_FADV_*` of posix_fadvise(2).
public enum FileAdvice: Int32, Sendable {
  case normal = 0
  case random = 1
  case sequential = 2
  case willNeed = 3
  case dontNeed = 4
  case noReuse = 5
}

/// `LOCK_*` of flock(2).
public struct FlockOperation: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: Int32
  public init(rawValue: Int32) { self.rawValue = rawValue }
  public static let shared = FlockOperation(rawValue: 1)
  public static let exclusive = FlockOperation(rawValue: 2)
  public static let nonBlocking = FlockOperation(rawValue: 4)
  public static let unlock = FlockOperation(rawValue: 8)
}

/// `struct flock` of fcntl(2).
package struct RecordLock: BitwiseCopyable, Sendable {
  /// `F_RDLCK`, `F_WRLCK` or `F_UNLCK`.
  package var type: Int16 = 0
  package var whence: Int16 = 0
  private var padding: Int32 = 0
  package var start: Int64 = 0
  package var length: Int64 = 0
  package var processID: Int32 = 0
  private var padding2: Int32 = 0

  /// `F_RDLCK`.
  package static let read: Int16 = 0
  /// `F_WRLCK`.
  package static let write: Int16 = 1
  /// `F_UNLCK`.
  package static let unlocked: Int16 = 2
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
public struct FileSeals: OptionSet, Sendable, BitwiseCopyable {
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
}

/// `CLOSE_RANGE_*` of close_range(2).
public struct CloseRangeFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let unshare = CloseRangeFlags(rawValue: 2)
  public static let closeOnExec = CloseRangeFlags(rawValue: 4)
}

/// The descriptor flags of fcntl(2), `FD_*`.
public struct DescriptorFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let closeOnExec = DescriptorFlags(rawValue: 1)
}

/// `XATTR_*` of setxattr(2).
public struct ExtendedAttributeFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let create = ExtendedAttributeFlags(rawValue: 1)
  public static let replace = ExtendedAttributeFlags(rawValue: 2)
}
