/// `CAP_*` of capabilities(7), numbered as in `linux/capability.h`.
public enum Capability: UInt64, Sendable {
  case chown = 0
  case dacOverride = 1
  case dacReadSearch = 2
  case fowner = 3
  case fsetid = 4
  case kill = 5
  case setgid = 6
  case setuid = 7
  case setpcap = 8
  case linuxImmutable = 9
  case netBindService = 10
  case netAdmin = 12
  case netRaw = 13
  case ipcLock = 14
  case sysModule = 16
  case sysChroot = 18
  case sysPtrace = 19
  case sysAdmin = 21
  case sysBoot = 22
  case sysNice = 23
  case sysResource = 24
  case sysTime = 25
  case sysTTYConfig = 26
  case mknod = 27
  case setfcap = 31
  case macOverride = 32
  case syslog = 34
  case wakeAlarm = 35
}

/// A set of capabilities (capabilities(7)): bit n for capability n.
public struct CapabilitySet: OptionSet, Sendable, BitwiseCopyable, Hashable {
  public var rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The set of one capability.
  public init(_ capability: Capability) { rawValue = 1 << capability.rawValue }
  /// `CAP_CHOWN` … `CAP_CHECKPOINT_RESTORE`.
  public static let all = CapabilitySet(rawValue: (1 << 41) - 1)
  /// What comes and goes with the file-system user id (capabilities(7), "Effect of user ID changes"): `CAP_CHOWN`,
  /// `CAP_DAC_OVERRIDE`, `CAP_DAC_READ_SEARCH`, `CAP_FOWNER`, `CAP_FSETID`, `CAP_LINUX_IMMUTABLE`, `CAP_MKNOD` and
  /// `CAP_MAC_OVERRIDE`.
  public static let files: CapabilitySet = [
    CapabilitySet(.chown), CapabilitySet(.dacOverride), CapabilitySet(.dacReadSearch), CapabilitySet(.fowner),
    CapabilitySet(.fsetid), CapabilitySet(.linuxImmutable), CapabilitySet(.mknod), CapabilitySet(.macOverride),
  ]

  public func contains(_ capability: Capability) -> Bool { rawValue >> capability.rawValue & 1 != 0 }
}

/// The versions of the interface of capget(2), `_LINUX_CAPABILITY_VERSION_*`.
public enum CapabilityVersion: UInt32, Sendable {
  case version1 = 0x1998_0330
  case version2 = 0x2007_1026
  case version3 = 0x2008_0522

  public static let preferred = CapabilityVersion.version3
  /// Words of 32 capabilities that a set has.
  public var words: Int { self == .version1 ? 1 : 2 }
}

/// `struct __user_cap_header_struct` of capget(2).
package struct CapabilityHeader: BitwiseCopyable, Sendable {
  package var version: UInt32 = 0
  package var processID = ProcessID.zero
  package init() {}
}

/// `SECBIT_*` of capabilities(7).
public struct SecureBits: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let noRoot = SecureBits(rawValue: 1)
  public static let noSetUIDFixup = SecureBits(rawValue: 4)
  public static let keepCapabilities = SecureBits(rawValue: 0x10)
  public static let keepCapabilitiesLocked = SecureBits(rawValue: 0x20)
  public static let noAmbientRaise = SecureBits(rawValue: 0x40)
  /// All bits there are, and those that lock their neighbour below.
  public static let all = SecureBits(rawValue: 0xff)
  public static let locks = SecureBits(rawValue: 0xaa)
}
