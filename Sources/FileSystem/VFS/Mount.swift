import LinuxABI
import Memory

/// A mounted file system.
package final class Mount {
  /// Root of what is mounted.
  package let root: Dentry
  /// Where it is mounted; nil for the root mount.
  package private(set) var point: PathLocation?
  package let fileSystem: any MountedFileSystem
  package internal(set) var isReadOnly: Bool
  /// The id of `/proc/PID/mountinfo`, given by `VFS`.
  package internal(set) var number = 0
  /// Charged for the mount and the instance of the file system; nil for those that no guest made.
  var charge: MemoryCharge?
  package init(root: Dentry, point: PathLocation?, fileSystem: any MountedFileSystem, isReadOnly: Bool) {
    self.root = root
    self.point = point
    self.fileSystem = fileSystem
    self.isReadOnly = isReadOnly
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

/// A file system instance.
package protocol MountedFileSystem: AnyObject {
  /// Type name of `/proc/mounts` (`tmpfs`, `proc`, `overlay`).
  var typeName: String { get }
  /// Source column of `/proc/mounts`.
  var source: String { get }
  var deviceNumber: UInt64 { get }
  func statistics() throws(Errno) -> StatFS
}

/// What statfs(2) reports.
