import LinuxABI

/// A name in a directory and the inode it leads to: the tree that paths are walked in.
///
/// A dentry belongs to its file system, not to a mount: bind mounts share them. Parents are kept alive by their
/// children; `DentryCache` lets go of children that nobody uses.
package final class Dentry {
  package internal(set) final var name: String
  package internal(set) final var parent: Dentry?
  package let inode: Inode
  /// Cached children by name; nil for names that are known not to exist.
  var children: [NameKey: Dentry?] = [:]
  /// Mounts on this dentry.
  var mountCount = 0
  /// The name was removed: paths end in ` (deleted)`.
  package internal(set) final var isDeleted = false

  package init(name: String, parent: Dentry?, inode: Inode) {
    self.name = name
    self.parent = parent
    self.inode = inode
  }

  deinit {
    var above = parent
    parent = nil
    releaseChain(&above) { dentry in
      defer { dentry.parent = nil }
      return dentry.parent
    }
  }

  /// The root of its file system.
  var top: Dentry {
    var top = self
    while let parent = top.parent { top = parent }
    return top
  }

  /// This dentry is `other` or above it.
  func isAncestor(of other: Dentry) -> Bool {
    var dentry: Dentry? = other
    while let current = dentry {
      if current === self { return true }
      dentry = current.parent
    }
    return false
  }
}

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
  func statistics() throws(Errno) -> FileSystemStatistics
}

/// A place in the tree of mounts.
package struct PathLocation {
  package let mount: Mount
  package let dentry: Dentry
  package init(mount: Mount, dentry: Dentry) {
    self.mount = mount
    self.dentry = dentry
  }
  package static func == (a: PathLocation, b: PathLocation) -> Bool { a.mount === b.mount && a.dentry === b.dentry }
  /// The absolute path from the root of the mount tree.
  package var path: String { path(from: nil) ?? "/" }

  /// The absolute path as a task with this root directory sees it; nil where the place is not below it.
  package func path(from root: PathLocation?) -> String? {
    var names: [String] = []
    var location = self
    while true {
      if let root, location == root { break }
      if location.dentry === location.mount.root {
        guard let point = location.mount.point else {
          if root != nil { return nil }
          break
        }
        location = point
        continue
      }
      guard let parent = location.dentry.parent else { break }
      names.append(location.dentry.name)
      location = PathLocation(mount: location.mount, dentry: parent)
    }
    var path = names.isEmpty ? "/" : ""
    for name in names.reversed() {
      path += "/"
      path += name
    }
    if dentry.isDeleted { path += " (deleted)" }
    return path
  }
}

/// What statfs(2) reports.
package struct FileSystemStatistics: Sendable {
  package var type: Int64 = 0
  package var blockSize: Int64 = 4096
  package var blocks: UInt64 = 0
  package var freeBlocks: UInt64 = 0
  package var availableBlocks: UInt64 = 0
  package var files: UInt64 = 0
  package var freeFiles: UInt64 = 0
  package var nameLength: Int64 = 255
  package var flags: Int64 = 0
  package init() {}
}

/// Releases objects that keep each other alive, as far as nothing else does: one by one, not by recursion, because guests
/// nest them deeper than stacks reach. `detach` takes the next from one.
func releaseChain<Node: AnyObject>(_ first: inout Node?, detach: (Node) -> Node?) {
  while isKnownUniquelyReferenced(&first), let node = first { first = detach(node) }
}
