import LinuxABI
import Memory

/// A file of a file system: what dentries name and open files refer to (inode(7)).
///
/// Subclasses override what their kind of file supports; the rest throws what Linux does. Operations do not check
/// permissions: the path walk and the callers of `VFS` do, with the attributes given here. None may block.
package class Inode {
  package init() {}

  /// What belongs to this file while it is open elsewhere: the pipe of a FIFO, the endpoint bound to a socket.
  package final var attachment: AnyObject?

  /// How many descriptions of this file are open for writing, and how many processes execute it. One of the two is always
  /// 0 (`ETXTBSY`).
  package final var writers = 0
  package final var executions = 0

  /// Type, owner, size and times as stat(2) shows them.
  package func attributes() throws(Errno) -> Stat { throw .noFunction }
  /// When the file was made; nil where that is not known.
  package func birthTime() -> Timespec? { nil }
  /// The file was read: its time of access changes, as far as the rule says.
  func touchAccessTime(_ rule: AccessTimeRule) {}
  /// The file type; never changes.
  package var kind: FileMode.Kind { .regular }
  /// Changes attributes (chmod, chown, utimensat, truncate). Permission checks were made.
  package func setAttributes(_ change: AttributeChange) throws(Errno) { throw .notPermitted }

  /// Owner and mode for permission checks, as they were last known: the host is not asked.
  package func permissionAttributes() throws(Errno) -> PermissionAttributes { PermissionAttributes(try attributes()) }

  // Directories

  /// Finds a name in this directory. - Throws: `ENOENT`, `ENOTDIR`.
  package func lookup(_ name: String) throws(Errno) -> Inode { throw .notDirectory }
  /// True where a name looked up may change behind Apus's back or is made up at each look (host directories, procfs):
  /// the dentry cache asks `revalidate` again.
  package var isVolatile: Bool { false }
  /// In a volatile directory: whether `name` still leads to `inode`, which was found before. Where it doesn't, or this
  /// isn't overridden, the name is looked up again.
  package func revalidate(_ name: String, _ inode: Inode) throws(Errno) -> Bool { false }
  /// All entries but `.` and `..`, in the order of a listing; `next` is ignored. `DirectoryFile` reads from it.
  package func listEntries() throws(Errno) -> [DirectoryEntry] { throw .notDirectory }
  /// This inode was moved to a name of another directory by `rename`.
  package func moved(to directory: Inode, _ name: String) {}
  /// Makes a file without a name (`O_TMPFILE` of open(2)), which can get one unless that is excluded (`O_EXCL`).
  package func createTemporary(permissions: UInt32, owner: Credentials, canBeLinked: Bool) throws(Errno) -> Inode {
    throw .notSupported
  }
  /// Makes a regular file, FIFO, socket or device node. - Throws: `EEXIST`, `EROFS`, `ENOSPC`.
  package func create(_ name: String, mode: FileMode, device: UInt64, owner: Credentials) throws(Errno) -> Inode {
    throw .notDirectory
  }
  package func makeDirectory(_ name: String, permissions: UInt32, owner: Credentials) throws(Errno) -> Inode {
    throw .notDirectory
  }
  package func makeSymbolicLink(_ name: String, target: String, owner: Credentials) throws(Errno) -> Inode {
    throw .notDirectory
  }
  package func link(_ name: String, to inode: Inode) throws(Errno) { throw .notDirectory }
  package func unlink(_ name: String, inode: Inode) throws(Errno) { throw .notDirectory }
  package func removeDirectory(_ name: String, inode: Inode) throws(Errno) { throw .notDirectory }
  /// Moves `name` of this directory to `newName` of another of the same file system (rename(2)).
  package func rename(
    _ name: String, to newDirectory: Inode, _ newName: String, flags: RenameFlags
  ) throws(Errno) { throw .notDirectory }

  // Symbolic links

  /// Target of a symbolic link.
  package func readLink() throws(Errno) -> String { throw .invalidArgument }
  /// For magic links (`/proc/self/fd/N`, `/proc/self/exe`): where they lead, without a path walk.
  package func magicTarget() throws(Errno) -> PathLocation? { nil }

  // Opening

  /// Makes an open file description. Truncation and creation were done. Never throws `.wouldBlock`: a FIFO that has no
  /// peer yet gives one that is `isOpenPending`.
  package func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    throw .noSuchAddressOrDevice
  }
  /// Extended attributes (xattr(7)).
  package func extendedAttribute(_ name: String) throws(Errno) -> [UInt8] { throw .notSupported }
  package func setExtendedAttribute(_ name: String, _ value: [UInt8], flags: ExtendedAttributeFlags) throws(Errno) {
    throw .notSupported
  }
  package func removeExtendedAttribute(_ name: String) throws(Errno) { throw .notSupported }
  package func extendedAttributeNames() throws(Errno) -> [String] { [] }
  /// The contents or the owner change: what the file may do for whoever executes it is gone (capabilities(7)).
  func removeCapabilities() {}
  /// It has flags for `FS_IOC_GETFLAGS` of ioctl(2), none of which is ever set.
  package var hasFlags: Bool { false }
  /// What statfs(2) reports, where it differs from the mount's file system.
  package func statistics() throws(Errno) -> StatFS? { nil }
  /// Advisory locks on this file (flock(2), fcntl(2) record locks), made at first use.
  package final var locks: FileLocks {
    if let existingLocks { return existingLocks }
    let made = makeLocks()
    existingLocks = made
    return made
  }
  func makeLocks() -> FileLocks { FileLocks() }
  /// The locks, if there ever were any.
  package private(set) final var existingLocks: FileLocks?
}

/// A change of attributes; nil leaves a field alone.
public struct AttributeChange {
  package var permissions: UInt32?
  package var uid: UInt32?
  package var gid: UInt32?
  package var size: UInt64?
  package var accessTime: TimeChange?
  package var modificationTime: TimeChange?
  package enum TimeChange: Sendable { case now, set(Timespec) }
  package init() {}
}
