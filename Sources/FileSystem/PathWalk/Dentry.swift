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

/// Releases objects that keep each other alive, as far as nothing else does: one by one, not by recursion, because guests
/// nest them deeper than stacks reach. `detach` takes the next from one.
func releaseChain<Node: AnyObject>(_ first: inout Node?, detach: (Node) -> Node?) {
  while isKnownUniquelyReferenced(&first), let node = first { first = detach(node) }
}
