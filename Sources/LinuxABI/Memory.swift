/// `PROT_*` of mmap(2).
public struct MemoryProtection: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let read = MemoryProtection(rawValue: 1)
  public static let write = MemoryProtection(rawValue: 2)
  public static let execute = MemoryProtection(rawValue: 4)
  public static let growsDown = MemoryProtection(rawValue: 0x0100_0000)
  public static let growsUp = MemoryProtection(rawValue: 0x0200_0000)

  public static let names: [ConstantName] = [
    .init("PROT_NONE", MemoryProtection()), .init("PROT_READ", read), .init("PROT_WRITE", write),
    .init("PROT_EXEC", execute), .init("PROT_GROWSDOWN", growsDown), .init("PROT_GROWSUP", growsUp),
  ]
}

/// `MAP_*` of mmap(2).
public struct MapFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let shared = MapFlags(rawValue: 0x01)
  public static let `private` = MapFlags(rawValue: 0x02)
  public static let sharedValidate = MapFlags(rawValue: 0x03)
  /// The bits that say how the mapping is shared (`MAP_TYPE`, the part of it that exists).
  public static let typeMask = MapFlags(rawValue: 0x03)
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
  public static let sync = MapFlags(rawValue: 0x8_0000)
  public static let fixedNoReplace = MapFlags(rawValue: 0x10_0000)

  public static let names: [ConstantName] = [
    .init("MAP_FILE", [], within: typeMask), .init("MAP_SHARED", shared, within: typeMask),
    .init("MAP_PRIVATE", `private`, within: typeMask), .init("MAP_SHARED_VALIDATE", sharedValidate, within: typeMask),
    .init("MAP_FIXED", fixed), .init("MAP_ANONYMOUS", anonymous), .init("MAP_32BIT", low32),
    .init("MAP_GROWSDOWN", growsDown), .init("MAP_DENYWRITE", denyWrite), .init("MAP_EXECUTABLE", executable),
    .init("MAP_LOCKED", locked), .init("MAP_NORESERVE", noReserve), .init("MAP_POPULATE", populate),
    .init("MAP_NONBLOCK", nonBlock), .init("MAP_STACK", stack), .init("MAP_HUGETLB", hugeTLB), .init("MAP_SYNC", sync),
    .init("MAP_FIXED_NOREPLACE", fixedNoReplace),
  ]
}

/// `MREMAP_*` of mremap(2).
public struct RemapFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let mayMove = RemapFlags(rawValue: 1)
  public static let fixed = RemapFlags(rawValue: 2)
  public static let dontUnmap = RemapFlags(rawValue: 4)

  public static let names: [ConstantName] = [
    .init("MREMAP_MAYMOVE", mayMove), .init("MREMAP_FIXED", fixed), .init("MREMAP_DONTUNMAP", dontUnmap),
  ]
}

/// `MADV_*` of madvise(2).
public enum MemoryAdvice: Int32, NamedConstants, Sendable {
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

  public static let names: [ConstantName] = [
    .init("MADV_NORMAL", normal), .init("MADV_RANDOM", random), .init("MADV_SEQUENTIAL", sequential),
    .init("MADV_WILLNEED", willNeed), .init("MADV_DONTNEED", dontNeed), .init("MADV_FREE", free),
    .init("MADV_REMOVE", remove), .init("MADV_DONTFORK", dontFork), .init("MADV_DOFORK", doFork),
    .init("MADV_MERGEABLE", mergeable), .init("MADV_UNMERGEABLE", unmergeable), .init("MADV_HUGEPAGE", hugePage),
    .init("MADV_NOHUGEPAGE", noHugePage), .init("MADV_DONTDUMP", dontDump), .init("MADV_DODUMP", doDump),
    .init("MADV_WIPEONFORK", wipeOnFork), .init("MADV_KEEPONFORK", keepOnFork), .init("MADV_COLD", cold),
    .init("MADV_PAGEOUT", pageOut), .init("MADV_POPULATE_READ", populateRead),
    .init("MADV_POPULATE_WRITE", populateWrite), .init("MADV_DONTNEED_LOCKED", dontNeedLocked),
    .init("MADV_COLLAPSE", collapse),
  ]
}

/// `MS_*` of msync(2).
public struct MemorySyncFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let async = MemorySyncFlags(rawValue: 1)
  public static let invalidate = MemorySyncFlags(rawValue: 2)
  public static let sync = MemorySyncFlags(rawValue: 4)
  public static let all: MemorySyncFlags = [.async, .invalidate, .sync]

  public static let names: [ConstantName] = [
    .init("MS_ASYNC", async), .init("MS_INVALIDATE", invalidate), .init("MS_SYNC", sync),
  ]
}

/// `MCL_*` of mlockall(2).
public struct LockAllFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let current = LockAllFlags(rawValue: 1)
  public static let future = LockAllFlags(rawValue: 2)
  public static let onFault = LockAllFlags(rawValue: 4)
  public static let all: LockAllFlags = [.current, .future, .onFault]

  public static let names: [ConstantName] = [
    .init("MCL_CURRENT", current), .init("MCL_FUTURE", future), .init("MCL_ONFAULT", onFault),
  ]
}

/// `MLOCK_*` of mlock2(2).
public struct LockFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let onFault = LockFlags(rawValue: 1)

  public static let names: [ConstantName] = [.init("MLOCK_ONFAULT", onFault)]
}

/// `MEMBARRIER_CMD_*` of membarrier(2).
public enum BarrierCommand: Int32, NamedConstants, Sendable {
  case query = 0
  case global = 0x01
  case globalExpedited = 0x02
  case registerGlobalExpedited = 0x04
  case privateExpedited = 0x08
  case registerPrivateExpedited = 0x10
  case privateExpeditedSyncCore = 0x20
  case registerPrivateExpeditedSyncCore = 0x40
  case privateExpeditedRSEQ = 0x80
  case registerPrivateExpeditedRSEQ = 0x100
  case getRegistrations = 0x200

  public static let names: [ConstantName] = [
    .init("MEMBARRIER_CMD_QUERY", query), .init("MEMBARRIER_CMD_GLOBAL", global),
    .init("MEMBARRIER_CMD_GLOBAL_EXPEDITED", globalExpedited),
    .init("MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED", registerGlobalExpedited),
    .init("MEMBARRIER_CMD_PRIVATE_EXPEDITED", privateExpedited),
    .init("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED", registerPrivateExpedited),
    .init("MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE", privateExpeditedSyncCore),
    .init("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE", registerPrivateExpeditedSyncCore),
    .init("MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ", privateExpeditedRSEQ),
    .init("MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ", registerPrivateExpeditedRSEQ),
    .init("MEMBARRIER_CMD_GET_REGISTRATIONS", getRegistrations),
  ]
}
