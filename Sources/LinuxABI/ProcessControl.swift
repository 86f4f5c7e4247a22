/// The options of prctl(2), `PR_*` of `linux/prctl.h`.
public enum PrctlOption: Int32, NamedConstants, Sendable {
  case setParentDeathSignal = 1
  case getParentDeathSignal = 2
  case getDumpable = 3
  case setDumpable = 4
  case getKeepCapabilities = 7
  case setKeepCapabilities = 8
  case setName = 15
  case getName = 16
  case getSeccomp = 21
  case setSeccomp = 22
  case readBoundingCapability = 23
  case dropBoundingCapability = 24
  case getTimestampCounter = 25
  case setTimestampCounter = 26
  case getSecureBits = 27
  case setSecureBits = 28
  case setTimerSlack = 29
  case getTimerSlack = 30
  case setMemoryMap = 35
  case setChildSubreaper = 36
  case getChildSubreaper = 37
  case setNoNewPrivileges = 38
  case getNoNewPrivileges = 39
  case getTIDAddress = 40
  case setHugePagesDisabled = 41
  case getHugePagesDisabled = 42
  case ambientCapability = 47
  case setIOFlusher = 57
  case getIOFlusher = 58
  case setSyscallUserDispatch = 59
  /// `PR_GET_AUXV`.
  case getAuxiliaryVector = 0x4155_5856
  /// `PR_SET_VMA`.
  case setMapping = 0x5356_4d41

  public static let names: [ConstantName] = [
    .init("PR_SET_PDEATHSIG", setParentDeathSignal), .init("PR_GET_PDEATHSIG", getParentDeathSignal),
    .init("PR_GET_DUMPABLE", getDumpable), .init("PR_SET_DUMPABLE", setDumpable),
    .init("PR_GET_KEEPCAPS", getKeepCapabilities), .init("PR_SET_KEEPCAPS", setKeepCapabilities),
    .init("PR_SET_NAME", setName), .init("PR_GET_NAME", getName), .init("PR_GET_SECCOMP", getSeccomp),
    .init("PR_SET_SECCOMP", setSeccomp), .init("PR_CAPBSET_READ", readBoundingCapability),
    .init("PR_CAPBSET_DROP", dropBoundingCapability), .init("PR_GET_TSC", getTimestampCounter),
    .init("PR_SET_TSC", setTimestampCounter), .init("PR_GET_SECUREBITS", getSecureBits),
    .init("PR_SET_SECUREBITS", setSecureBits), .init("PR_SET_TIMERSLACK", setTimerSlack),
    .init("PR_GET_TIMERSLACK", getTimerSlack), .init("PR_SET_MM", setMemoryMap),
    .init("PR_SET_CHILD_SUBREAPER", setChildSubreaper), .init("PR_GET_CHILD_SUBREAPER", getChildSubreaper),
    .init("PR_SET_NO_NEW_PRIVS", setNoNewPrivileges), .init("PR_GET_NO_NEW_PRIVS", getNoNewPrivileges),
    .init("PR_GET_TID_ADDRESS", getTIDAddress), .init("PR_SET_THP_DISABLE", setHugePagesDisabled),
    .init("PR_GET_THP_DISABLE", getHugePagesDisabled), .init("PR_CAP_AMBIENT", ambientCapability),
    .init("PR_SET_IO_FLUSHER", setIOFlusher), .init("PR_GET_IO_FLUSHER", getIOFlusher),
    .init("PR_SET_SYSCALL_USER_DISPATCH", setSyscallUserDispatch), .init("PR_SET_VMA", setMapping),
    .init("PR_GET_AUXV", getAuxiliaryVector),
  ]
}

/// Values that options of prctl(2) take.
public enum PrctlValue {
  /// `PR_TSC_ENABLE`.
  public static let timestampCounterEnabled: Int32 = 1
  /// `PR_SET_VMA_ANON_NAME`.
  public static let anonymousMappingName: UInt64 = 0
}

/// `PR_CAP_AMBIENT_*` of prctl(2).
public enum AmbientOperation: Int32, Sendable {
  case isSet = 1
  case raise = 2
  case lower = 3
  case clearAll = 4
}

/// The codes of arch_prctl(2), `ARCH_*` of `asm/prctl.h`.
public enum ArchPrctlCode: Int32, NamedConstants, Sendable {
  case setGS = 0x1001
  case setFS = 0x1002
  case getFS = 0x1003
  case getGS = 0x1004
  case getCPUID = 0x1011
  case setCPUID = 0x1012
  case getSupportedFeatures = 0x1021
  case getPermittedFeatures = 0x1022
  case requestPermittedFeature = 0x1023
  case controlFlowStatus = 0x3001
  case enableShadowStack = 0x5001
  case disableShadowStack = 0x5002
  case shadowStackStatus = 0x5005

  public static let names: [ConstantName] = [
    .init("ARCH_SET_GS", setGS), .init("ARCH_SET_FS", setFS), .init("ARCH_GET_FS", getFS),
    .init("ARCH_GET_GS", getGS), .init("ARCH_GET_CPUID", getCPUID), .init("ARCH_SET_CPUID", setCPUID),
    .init("ARCH_GET_XCOMP_SUPP", getSupportedFeatures), .init("ARCH_GET_XCOMP_PERM", getPermittedFeatures),
    .init("ARCH_REQ_XCOMP_PERM", requestPermittedFeature), .init("ARCH_CET_STATUS", controlFlowStatus),
    .init("ARCH_SHSTK_ENABLE", enableShadowStack), .init("ARCH_SHSTK_DISABLE", disableShadowStack),
    .init("ARCH_SHSTK_STATUS", shadowStackStatus),
  ]
}

/// personality(2): the execution domain in the low byte, flags above it.
public struct Personality: RawRepresentable, Sendable, Equatable, BitwiseCopyable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// `PER_LINUX32`.
  public static let linux32: UInt32 = 8
  /// The argument that only asks.
  public static let query: UInt32 = .max

  /// `READ_IMPLIES_EXEC`, `ADDR_COMPAT_LAYOUT` and `MMAP_PAGE_ZERO`: of no effect here.
  private static let otherLayout: UInt32 = 0x40_0000 | 0x20_0000 | 0x10_0000
  /// `ADDR_NO_RANDOMIZE`.
  private static let addressNoRandomize: UInt32 = 0x4_0000

  /// The domain, `PER_*`.
  public var domain: UInt32 { rawValue & 0xff }
  /// `STICKY_TIMEOUTS`: select(2) does not change its timeout.
  public var keepsTimeouts: Bool { rawValue & 0x400_0000 != 0 }
  /// Without `ADDR_NO_RANDOMIZE`: programs get random addresses.
  public var randomizesAddresses: Bool { rawValue & Personality.addressNoRandomize == 0 }

  /// What execve(2) of a set-user-ID program takes away (`PER_CLEAR_ON_SETID`).
  public mutating func clearForSetID() { rawValue &= ~(Personality.otherLayout | Personality.addressNoRandomize) }
}

/// `GRND_*` of getrandom(2).
public struct RandomFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let nonBlocking = RandomFlags(rawValue: 1)
  public static let random = RandomFlags(rawValue: 2)
  public static let insecure = RandomFlags(rawValue: 4)
  public static let all: RandomFlags = [.nonBlocking, .random, .insecure]

  public static let names: [ConstantName] = [
    .init("GRND_NONBLOCK", nonBlocking), .init("GRND_RANDOM", random), .init("GRND_INSECURE", insecure),
  ]
}
