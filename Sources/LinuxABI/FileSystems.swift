/// `struct statfs` of x86-64 (statfs(2)).
package struct StatFS: BitwiseCopyable, Sendable {
  /// A `FileSystemMagic`, or another.
  package var type: Int64 = 0
  package var blockSize: Int64 = 4096
  package var blocks: UInt64 = 0
  package var freeBlocks: UInt64 = 0
  package var availableBlocks: UInt64 = 0
  package var files: UInt64 = 0
  package var freeFiles: UInt64 = 0
  package var identifier: UInt64 = 0
  package var nameLength: Int64 = 255
  package var fragmentSize: Int64 = 4096
  package var flags = StatFSFlags()
  private var spare: (Int64, Int64, Int64, Int64) = (0, 0, 0, 0)
  package init() {}
}

/// `ST_*` of statvfs(3), the flags of statfs(2).
public struct StatFSFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: Int64
  public init(rawValue: Int64) { self.rawValue = rawValue }
  public static let readOnly = StatFSFlags(rawValue: 0x01)
  public static let noSetUserID = StatFSFlags(rawValue: 0x02)
  public static let noDevices = StatFSFlags(rawValue: 0x04)
  public static let noExecute = StatFSFlags(rawValue: 0x08)
  public static let synchronous = StatFSFlags(rawValue: 0x10)
  /// `ST_VALID`: the flags are there.
  public static let valid = StatFSFlags(rawValue: 0x20)
  public static let noAccessTimes = StatFSFlags(rawValue: 0x400)
  public static let noDirectoryAccessTimes = StatFSFlags(rawValue: 0x800)
  public static let relativeAccessTimes = StatFSFlags(rawValue: 0x1000)
  public static let noSymbolicLinks = StatFSFlags(rawValue: 0x2000)
}

/// The numbers of file systems that statfs(2) tells (`linux/magic.h`).
public enum FileSystemMagic: Int64, Sendable {
  case anonymousInodes = 0x0904_1934
  case autofs = 0x0187
  case binaryFormats = 0x4249_4e4d
  case bpf = 0xcafe_4a11
  case cgroup = 0x27_e0eb
  case cgroup2 = 0x6367_7270
  case configfs = 0x6265_6570
  case debugfs = 0x6462_6720
  case efivarfs = 0xde5e_81e4
  case fuseControl = 0x6573_5546
  case futexfs = 0x0bad_1dea
  case messageQueues = 0x1980_0202
  case namespaces = 0x6e73_6673
  case overlay = 0x794c_7630
  case pipes = 0x5049_5045
  case pidfs = 0x5049_4446
  case proc = 0x9fa0
  case pseudoTerminals = 0x1cd1
  case pstore = 0x6165_676c
  case securityfs = 0x7363_6673
  case selinuxfs = 0xf97c_ff8c
  case sysfs = 0x6265_6572
  case tmpfs = 0x0102_1994
  case tracefs = 0x7472_6163
}
