import LinuxABI

/// A host directory that guests may change, without changing the host: what they write stays in memory.
///
/// The upper layer is a tmpfs some of whose inodes stand for a host file (`OverlayOrigin`). A host file never has two of
/// them: one that is in use anywhere is found in `table`, and one that was changed is kept there. So inode numbers
/// never change, hard links stay hard links, and a directory can move with all that is below it. As with Linux's
/// overlayfs, what happens to changes made underneath on the host is undefined.
package final class OverlayFileSystem: TmpFileSystem {
  private let lower: HostFileSystem
  private let table = OverlayTable()
  package override var typeName: String { "overlay" }

  /// - Parameters:
  ///   - lower: what is shown where nothing was changed; made with `isReadOnly` and not volatile.
  ///   - size: bytes that changed and new files may hold; nil for half of the memory.
  package init(lower: HostFileSystem, size: UInt64? = nil, context: FileSystemContext) {
    self.lower = lower
    // New files get numbers that hosts do not use.
    super.init(source: "overlay", size: size, nodeLimit: .max, firstNumber: 1 << 56, context: context)
  }

  package override func makeRoot(permissions: UInt32 = 0o755, uid: UInt32 = 0, gid: UInt32 = 0) throws(Errno) -> Inode {
    if let root = lower.root { return try inode(for: root) }
    return try super.makeRoot(permissions: permissions, uid: uid, gid: gid)
  }

  /// The inode that stands for a file below.
  func inode(for origin: HostInode) throws(Errno) -> TmpInode {
    if let known = table.entries[origin.key]?.inode { return known }
    let stat = try origin.attributes()
    let place = OverlayOrigin(inode: origin, table: table)
    let inode: TmpInode =
      switch origin.kind {
      case .directory: try OverlayDirectory(self, place, stat)
      case .regular: try OverlayFile(self, place, stat)
      default: try OverlayNode(self, place, stat)
      }
    table.entries[origin.key] = OverlayTable.Entry(inode: inode)
    return inode
  }

  package override func statistics() throws(Errno) -> StatFS {
    var result = try super.statistics()
    result.type = FileSystemMagic.overlay.rawValue
    return result
  }
}
