/// `O_*` of open(2).
public struct OpenFlags: NamedFlags, Sendable, BitwiseCopyable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let writeOnly = OpenFlags(rawValue: 0o1)
  public static let readWrite = OpenFlags(rawValue: 0o2)
  public static let accessMask = OpenFlags(rawValue: 0o3)
  public static let create = OpenFlags(rawValue: 0o100)
  public static let exclusive = OpenFlags(rawValue: 0o200)
  public static let noControllingTTY = OpenFlags(rawValue: 0o400)
  public static let truncate = OpenFlags(rawValue: 0o1000)
  public static let append = OpenFlags(rawValue: 0o2000)
  public static let nonBlocking = OpenFlags(rawValue: 0o4000)
  public static let dataSync = OpenFlags(rawValue: 0o10000)
  public static let async = OpenFlags(rawValue: 0o20000)
  public static let direct = OpenFlags(rawValue: 0o40000)
  public static let largeFile = OpenFlags(rawValue: 0o100000)
  public static let directory = OpenFlags(rawValue: 0o200000)
  public static let noFollow = OpenFlags(rawValue: 0o400000)
  public static let noAccessTime = OpenFlags(rawValue: 0o1000000)
  public static let closeOnExec = OpenFlags(rawValue: 0o2000000)
  public static let sync = OpenFlags(rawValue: 0o4010000)
  public static let path = OpenFlags(rawValue: 0o10000000)
  public static let temporary = OpenFlags(rawValue: 0o20200000)
  /// `VALID_OPEN_FLAGS` of the kernel's `linux/fcntl.h`, which openat2(2) insists on.
  public static let all = OpenFlags(rawValue: 0o37777703)

  public static let names: [ConstantName] = [
    .init("O_RDONLY", [], within: accessMask), .init("O_WRONLY", writeOnly, within: accessMask),
    .init("O_RDWR", readWrite, within: accessMask), .init("O_ACCMODE", accessMask), .init("O_TMPFILE", temporary),
    .init("O_CREAT", create), .init("O_EXCL", exclusive), .init("O_NOCTTY", noControllingTTY),
    .init("O_TRUNC", truncate), .init("O_APPEND", append), .init("O_NONBLOCK", nonBlocking), .init("O_SYNC", sync),
    .init("O_DSYNC", dataSync), .init("FASYNC", async), .init("O_DIRECT", direct), .init("O_LARGEFILE", largeFile),
    .init("O_NOFOLLOW", noFollow), .init("O_NOATIME", noAccessTime), .init("O_CLOEXEC", closeOnExec),
    .init("O_PATH", path), .init("O_DIRECTORY", directory),
  ]

  /// A file may be made, so that a mode counts.
  public var mayCreate: Bool { contains(.create) || contains(.temporary) }
  /// The access mode lets the file be read.
  public var isReadable: Bool { isDisjoint(with: .writeOnly) && !contains(.path) }
  /// The access mode lets the file be written.
  public var isWritable: Bool {
    let access = intersection(.accessMask)
    return !access.isEmpty && access != .accessMask && !contains(.path)
  }
  /// The access mode 3 asks for reading and writing, and then allows neither (open(2)).
  public var allowsNeither: Bool { intersection(.accessMask) == .accessMask }
}

/// A file's type and permission bits, `st_mode` of inode(7).
package struct FileMode: RawRepresentable, ExpressibleByIntegerLiteral, Hashable, Sendable, BitwiseCopyable {
  package var rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package init(integerLiteral value: UInt32) { rawValue = value }
  package enum Kind: UInt32, NamedConstants, Sendable {
    case fifo = 0o010000
    case characterDevice = 0o020000
    case directory = 0o040000
    case blockDevice = 0o060000
    case regular = 0o100000
    case symbolicLink = 0o120000
    case socket = 0o140000

    package static let names: [ConstantName] = [
      .init("S_IFIFO", fifo), .init("S_IFCHR", characterDevice), .init("S_IFDIR", directory),
      .init("S_IFBLK", blockDevice), .init("S_IFREG", regular), .init("S_IFLNK", symbolicLink),
      .init("S_IFSOCK", socket),
    ]

    /// `DT_*` of readdir(3) (`IFTODT`).
    package var directoryEntryType: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 12) }
  }
  /// `S_IFMT`: the bits of the type.
  package static let kindMask: UInt32 = 0o170000
  /// The permission bits with set-user-ID, set-group-ID and sticky.
  package static let permissionMask: UInt32 = 0o7777
  /// The permission bits alone: reading, writing and execution for owner, group and others.
  package static let accessMask: UInt32 = 0o777
  /// `S_ISUID`.
  package static let setUserID: UInt32 = 0o4000
  /// `S_ISGID`.
  package static let setGroupID: UInt32 = 0o2000
  /// `S_ISVTX`.
  package static let sticky: UInt32 = 0o1000
  /// `S_IRUSR`.
  package static let ownerRead: UInt32 = 0o400
  /// `S_IWUSR`.
  package static let ownerWrite: UInt32 = 0o200
  /// `S_IXUSR`.
  package static let ownerExecute: UInt32 = 0o100
  /// `S_IWOTH`.
  package static let othersWrite: UInt32 = 0o002
  /// `S_IXUSR`, `S_IXGRP` and `S_IXOTH`.
  package static let anyExecute: UInt32 = 0o111
  /// `S_IXGRP`.
  package static let groupExecute: UInt32 = 0o010
  package init(_ kind: Kind, permissions: UInt32) { rawValue = kind.rawValue | (permissions & FileMode.permissionMask) }
  /// The file type; nil for a value that is none.
  package var kind: Kind? { Kind(rawValue: rawValue & FileMode.kindMask) }
  package var permissions: UInt32 {
    get { rawValue & FileMode.permissionMask }
    set { rawValue = rawValue & ~FileMode.permissionMask | newValue & FileMode.permissionMask }
  }
  /// Any of these bits is set.
  package func hasAny(of bits: UInt32) -> Bool { rawValue & bits != 0 }
  /// All of these bits are set.
  package func hasAll(of bits: UInt32) -> Bool { rawValue & bits == bits }
}

/// `struct stat` of x86-64 (stat(2)).
public struct Stat: BitwiseCopyable, Sendable {
  package var device: UInt64 = 0
  package var inode: UInt64 = 0
  package var links: UInt64 = 1
  package var mode: FileMode = 0
  package var uid: UInt32 = 0
  package var gid: UInt32 = 0
  private var pad0: UInt32 = 0
  package var specialDevice: UInt64 = 0
  package var size: Int64 = 0
  package var blockSize: Int64 = 4096
  package var blocks: Int64 = 0
  package var accessTime = Timespec()
  package var modificationTime = Timespec()
  package var changeTime = Timespec()
  private var unused: (Int64, Int64, Int64) = (0, 0, 0)
  package init() {}
}
