/// `PROT_*` of mmap(2).
public struct MemoryProtection: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let read = MemoryProtection(rawValue: 1)
  public static let write = MemoryProtection(rawValue: 2)
  public static let execute = MemoryProtection(rawValue: 4)
  public static let growsDown = MemoryProtection(rawValue: 0x0100_0000)
  public static let growsUp = MemoryProtection(rawValue: 0x0200_0000)
}

/// `MAP_*` of mmap(2).
public struct MapFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let shared = MapFlags(rawValue: 0x01)
  public static let `private` = MapFlags(rawValue: 0x02)
  public static let sharedValidate = MapFlags(rawValue: 0x03)
  public static let fixed = MapFlags(rawValue: 0x10)
  public static let anonymous = MapFlags(rawValue: 0x20)
  public static let low32 = MapFlags(rawValue: 0x40)
  public static let growsDown = MapFlags(rawValue: 0x0100)
  public static let denyWrite = MapFlags(rawValue: 0x0800)
  public static let executable = MapFlags(rawValue: 0x1000)
  public static let locked = MapFlags(rawValue: 0x2000)
  public static let noReserve = MapFlags(rawValue: 0x4000)
  public static let populate = MapFlags(rawValue: 0x8000)
  public static let nonBlock = MapFlags(rawValue: 0x1_0000)
  public static let stack = MapFlags(rawValue: 0x2_0000)
  public static let hugeTLB = MapFlags(rawValue: 0x4_0000)
  public static let fixedNoReplace = MapFlags(rawValue: 0x10_0000)
}

/// `MREMAP_*` of mremap(2).
public struct RemapFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let mayMove = RemapFlags(rawValue: 1)
  public static let fixed = RemapFlags(rawValue: 2)
  public static let dontUnmap = RemapFlags(rawValue: 4)
}

/// `MADV_*` of madvise(2).
public enum MemoryAdvice: Int32, Sendable {
  case normal = 0
  case random = 1
  case sequential = 2
  case willNeed = 3
  case dontNeed = 4
  case free = 8
  case remove = 9
  case dontFork = 10
  case doFork = 11
  case mergeable = 12
  case unmergeable = 13
  case hugePage = 14
  case noHugePage = 15
  case dontDump = 16
  case doDump = 17
  case wipeOnFork = 18
  case keepOnFork = 19
  case cold = 20
  case pageOut = 21
  case populateRead = 22
  case populateWrite = 23
  case dontNeedLocked = 24
  case collapse = 25
}

/// `MS_*` of msync(2).
public struct MemorySyncFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let async = MemorySyncFlags(rawValue: 1)
  public static let invalidate = MemorySyncFlags(rawValue: 2)
  public static let sync = MemorySyncFlags(rawValue: 4)
  public static let all: MemorySyncFlags = [.async, .invalidate, .sync]
}

/// `MCL_*` of mlockall(2).
public struct LockAllFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let current = LockAllFlags(rawValue: 1)
  public static let future = LockAllFlags(rawValue: 2)
  public static let onFault = LockAllFlags(rawValue: 4)
  public static let all: LockAllFlags = [.current, .future, .onFault]
}

/// `MLOCK_*` of mlock2(2).
public struct LockFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let onFault = LockFlags(rawValue: 1)
}
