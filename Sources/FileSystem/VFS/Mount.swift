import LinuxABI
import Memory

/// A mounted file system.
package final class Mount {
  /// Root of what is mounted.
  package let root: Dentry
  /// Where it is mounted; nil for the root mount.
  package internal(set) var point: PathLocation?
  package let fileSystem: any MountedFileSystem
  /// What holds of files seen through this mount: whether they can be changed, executed and so on.
  package internal(set) var flags: MountFlags
  package var isReadOnly: Bool { flags.contains(.readOnly) }
  /// Open files that were found through this mount, and those of them that write.
  private(set) var openCount = 0
  private(set) var writerCount = 0
  /// `MNT_EXPIRE` found it unused, and no file was opened since (umount2(2)).
  var isExpiring = false
  /// The id of `/proc/PID/mountinfo`, given by `VFS`.
  package internal(set) var number = 0
  /// Charged for the mount and the instance of the file system; nil for those that no guest made.
  var charge: MemoryCharge?
  init(root: Dentry, point: PathLocation?, fileSystem: any MountedFileSystem, flags: MountFlags) {
    self.root = root
    self.point = point
    self.fileSystem = fileSystem
    self.flags = flags
  }

  /// A file was opened, or closed.
  func noteOpen(_ isOpen: Bool, writes: Bool) {
    openCount += isOpen ? 1 : -1
    if writes { writerCount += isOpen ? 1 : -1 }
    isExpiring = false
  }

  /// When reading changes the time of access (mount(2)).
  func accessTimeRule(_ kind: FileMode.Kind) -> AccessTimeRule {
    if !flags.isDisjoint(with: [.noAccessTimes, .readOnly]) { return .never }
    if kind == .directory, flags.contains(.noDirectoryAccessTimes) { return .never }
    return flags.contains(.relativeAccessTimes) ? .relative : .always
  }

  /// The flags of `/proc/mounts` that belong to the mount, in Linux's order.
  package var options: String {
    let shown: [(MountFlags, String)] = [
      (.noSetUserID, "nosuid"), (.noDevices, "nodev"), (.noExecute, "noexec"), (.noAccessTimes, "noatime"),
      (.noDirectoryAccessTimes, "nodiratime"), (.relativeAccessTimes, "relatime"), (.noSymbolicLinks, "nosymfollow"),
    ]
    return shown.reduce(into: "") { if flags.contains($1.0) { $0 += ",\($1.1)" } }
  }

  /// Those that belong to the file system, whichever it is.
  package var commonOptions: String {
    let shown: [(MountFlags, String)] = [
      (.synchronous, "sync"), (.synchronousDirectories, "dirsync"), (.mandatoryLocks, "mand"), (.lazyTimes, "lazytime"),
    ]
    return shown.reduce(into: "") { if flags.contains($1.0) { $0 += ",\($1.1)" } }
  }

  deinit {
    var above = point?.mount
    point = nil
    releaseChain(&above) { mount in
      defer { mount.point = nil }
      return mount.point?.mount
    }
  }
}

/// When reading a file changes the time of access.
package enum AccessTimeRule {
  case never
  /// Once after each change, and once a day (`MS_RELATIME`).
  case relative
  case always
}

/// A file system instance.
package protocol MountedFileSystem: AnyObject {
  /// Type name of `/proc/mounts` (`tmpfs`, `proc`, `overlay`).
  var typeName: String { get }
  /// Source column of `/proc/mounts`.
  var source: String { get }
  var deviceNumber: UInt64 { get }
  /// Its own options in `/proc/mounts`, each after a comma.
  var options: String { get }
  func statistics() throws(Errno) -> StatFS
}

extension MountedFileSystem {
  package var options: String { "" }
}

/// What statfs(2) reports.
