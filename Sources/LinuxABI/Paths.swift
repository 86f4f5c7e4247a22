/// `AT_*` flags of calls that take a directory descriptor.
public struct AtFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let symbolicLinkNoFollow = AtFlags(rawValue: 0x100)
  /// `AT_REMOVEDIR` of unlinkat(2), `AT_EACCESS` of faccessat(2).
  public static let removeDirectory = AtFlags(rawValue: 0x200)
  public static let effectiveAccess = AtFlags(rawValue: 0x200)
  public static let symbolicLinkFollow = AtFlags(rawValue: 0x400)
  public static let noAutomount = AtFlags(rawValue: 0x800)
  public static let emptyPath = AtFlags(rawValue: 0x1000)
  public static let statxForceSync = AtFlags(rawValue: 0x2000)
  public static let statxDontSync = AtFlags(rawValue: 0x4000)
  /// How statx(2) synchronizes: one of the two above, or neither.
  public static let statxSync: AtFlags = [.statxForceSync, .statxDontSync]

  public static let names: [ConstantName] = [
    .init("AT_SYMLINK_NOFOLLOW", symbolicLinkNoFollow), .init("AT_REMOVEDIR", removeDirectory),
    .init("AT_SYMLINK_FOLLOW", symbolicLinkFollow), .init("AT_NO_AUTOMOUNT", noAutomount),
    .init("AT_EMPTY_PATH", emptyPath), .init("AT_STATX_FORCE_SYNC", statxForceSync),
    .init("AT_STATX_DONT_SYNC", statxDontSync),
  ]

  /// `AT_FDCWD`: the working directory, in place of a descriptor.
  public static let workingDirectory: Int32 = -100
}

/// `struct statx_timestamp` of statx(2).
package struct StatxTimestamp: BitwiseCopyable, Sendable {
  package var seconds: Int64 = 0
  package var nanoseconds: UInt32 = 0
  private var reserved: Int32 = 0
  package init() {}
  package init(_ time: Timespec) {
    seconds = time.seconds
    nanoseconds = UInt32(truncatingIfNeeded: time.nanoseconds)
  }
}

/// `struct statx` of statx(2).
package struct Statx: BitwiseCopyable, Sendable {
  package var mask = StatxMask()
  package var blockSize: UInt32 = 0
  package var attributes = StatxAttributes()
  package var links: UInt32 = 0
  package var uid: UInt32 = 0
  package var gid: UInt32 = 0
  package var mode: UInt16 = 0
  private var spare0: UInt16 = 0
  package var inode: UInt64 = 0
  package var size: UInt64 = 0
  package var blocks: UInt64 = 0
  package var attributesMask = StatxAttributes()
  package var accessTime = StatxTimestamp()
  package var birthTime = StatxTimestamp()
  package var changeTime = StatxTimestamp()
  package var modificationTime = StatxTimestamp()
  package var specialDeviceMajor: UInt32 = 0
  package var specialDeviceMinor: UInt32 = 0
  package var deviceMajor: UInt32 = 0
  package var deviceMinor: UInt32 = 0
  package var mountID: UInt64 = 0
  package var directMemoryAlign: UInt32 = 0
  package var directOffsetAlign: UInt32 = 0
  private var spare1: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
  private var spare2: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
  package init() {}
}

/// `STATX_*`: the fields that statx(2) fills.
public struct StatxMask: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let basicStats = StatxMask(rawValue: 0x7ff)
  public static let birthTime = StatxMask(rawValue: 0x800)
  public static let mountID = StatxMask(rawValue: 0x1000)
  /// `STATX__RESERVED`.
  public static let reserved = StatxMask(rawValue: 0x8000_0000)

  public static let names: [ConstantName] = [
    .init("STATX_BASIC_STATS", basicStats), .init("STATX_BTIME", birthTime), .init("STATX_MNT_ID", mountID),
  ]
}

/// `STATX_ATTR_*` of statx(2).
public struct StatxAttributes: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let mountRoot = StatxAttributes(rawValue: 0x2000)
}

/// `struct open_how` of openat2(2).
package struct OpenHow: BitwiseCopyable, Sendable {
  package var flags: UInt64 = 0
  package var mode: UInt64 = 0
  package var resolve = ResolveFlags()
  package init() {}
  /// `OPEN_HOW_SIZE_VER0`.
  package static let size: UInt64 = 24
}

/// `RESOLVE_*` of openat2(2).
public struct ResolveFlags: OptionSet, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let noCrossing = ResolveFlags(rawValue: 0x01)
  public static let noMagicLinks = ResolveFlags(rawValue: 0x02)
  public static let noSymbolicLinks = ResolveFlags(rawValue: 0x04)
  public static let beneath = ResolveFlags(rawValue: 0x08)
  public static let inRoot = ResolveFlags(rawValue: 0x10)
  public static let cached = ResolveFlags(rawValue: 0x20)
  public static let all: ResolveFlags = [
    .noCrossing, .noMagicLinks, .noSymbolicLinks, .beneath, .inRoot, .cached,
  ]
}

/// What a task wants to do with a file: the bits of access(2), `R_OK`, `W_OK` and `X_OK`.
public struct AccessMode: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let execute = AccessMode(rawValue: 1)
  public static let write = AccessMode(rawValue: 2)
  public static let read = AccessMode(rawValue: 4)

  public static let names: [ConstantName] = [
    .init("F_OK", AccessMode()), .init("R_OK", read), .init("W_OK", write), .init("X_OK", execute),
  ]
}

/// `RENAME_*` of renameat2(2).
public struct RenameFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let noReplace = RenameFlags(rawValue: 1)
  public static let exchange = RenameFlags(rawValue: 2)
  public static let whiteout = RenameFlags(rawValue: 4)

  public static let names: [ConstantName] = [
    .init("RENAME_NOREPLACE", noReplace), .init("RENAME_EXCHANGE", exchange), .init("RENAME_WHITEOUT", whiteout),
  ]
}

/// `MNT_*` and `UMOUNT_NOFOLLOW` of umount2(2).
public struct UnmountFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let force = UnmountFlags(rawValue: 1)
  public static let detach = UnmountFlags(rawValue: 2)
  public static let expire = UnmountFlags(rawValue: 4)
  public static let noFollow = UnmountFlags(rawValue: 8)
  public static let all: UnmountFlags = [.force, .detach, .expire, .noFollow]

  public static let names: [ConstantName] = [
    .init("MNT_FORCE", force), .init("MNT_DETACH", detach), .init("MNT_EXPIRE", expire),
    .init("UMOUNT_NOFOLLOW", noFollow),
  ]
}

/// `MS_*` flags of mount(2).
public struct MountFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  public static let readOnly = MountFlags(rawValue: 1)
  public static let noSetUserID = MountFlags(rawValue: 2)
  public static let noDevices = MountFlags(rawValue: 4)
  public static let noExecute = MountFlags(rawValue: 8)
  public static let synchronous = MountFlags(rawValue: 16)
  public static let remount = MountFlags(rawValue: 32)
  public static let mandatoryLocks = MountFlags(rawValue: 64)
  public static let synchronousDirectories = MountFlags(rawValue: 128)
  public static let noSymbolicLinks = MountFlags(rawValue: 256)
  public static let noAccessTimes = MountFlags(rawValue: 1024)
  public static let noDirectoryAccessTimes = MountFlags(rawValue: 2048)
  public static let bind = MountFlags(rawValue: 4096)
  public static let move = MountFlags(rawValue: 8192)
  public static let recursive = MountFlags(rawValue: 1 << 14)
  public static let silent = MountFlags(rawValue: 1 << 15)
  public static let unbindable = MountFlags(rawValue: 1 << 17)
  public static let `private` = MountFlags(rawValue: 1 << 18)
  public static let slave = MountFlags(rawValue: 1 << 19)
  public static let shared = MountFlags(rawValue: 1 << 20)
  public static let relativeAccessTimes = MountFlags(rawValue: 1 << 21)
  public static let strictAccessTimes = MountFlags(rawValue: 1 << 24)
  public static let lazyTimes = MountFlags(rawValue: 1 << 25)
  /// What remounting leaves alone where none of it is given.
  public static let accessTimes: MountFlags = [
    .noAccessTimes, .noDirectoryAccessTimes, .relativeAccessTimes, .strictAccessTimes,
  ]
  /// `MS_MGC_VAL`, which old programs put into the upper half of the lower word.
  public static let magic = MountFlags(rawValue: 0xc0ed_0000)
  public static let magicMask = MountFlags(rawValue: 0xffff_0000)
  /// Changes of how mounts spread to other namespaces, of which there are none.
  public static let propagation: MountFlags = [.unbindable, .private, .slave, .shared]

  public static let names: [ConstantName] = [
    .init("MS_RDONLY", readOnly), .init("MS_NOSUID", noSetUserID), .init("MS_NODEV", noDevices),
    .init("MS_NOEXEC", noExecute), .init("MS_SYNCHRONOUS", synchronous), .init("MS_REMOUNT", remount),
    .init("MS_MANDLOCK", mandatoryLocks), .init("MS_DIRSYNC", synchronousDirectories),
    .init("MS_NOSYMFOLLOW", noSymbolicLinks), .init("MS_NOATIME", noAccessTimes),
    .init("MS_NODIRATIME", noDirectoryAccessTimes), .init("MS_BIND", bind), .init("MS_MOVE", move),
    .init("MS_REC", recursive), .init("MS_SILENT", silent), .init("MS_UNBINDABLE", unbindable),
    .init("MS_PRIVATE", `private`), .init("MS_SLAVE", slave), .init("MS_SHARED", shared),
    .init("MS_RELATIME", relativeAccessTimes), .init("MS_STRICTATIME", strictAccessTimes),
    .init("MS_LAZYTIME", lazyTimes),
  ]
}
