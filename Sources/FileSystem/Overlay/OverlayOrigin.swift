import LinuxABI

/// The inodes of an overlay that stand for host files.
final class OverlayTable {
  struct Entry {
    /// It removes its entry when it goes. (A weak reference would make every use of the inode slower.)
    unowned let inode: TmpInode
    /// The same, once it differs from the host file.
    var kept: TmpInode?
  }
  var entries: [HostFileKey: Entry] = [:]
}

/// The host file that an inode of an overlay stands for. The inode's attributes start as the file's, and from its first
/// change on the inode is kept.
struct OverlayOrigin {
  let inode: HostInode
  /// Gone with the file system, which an open file may outlive.
  private(set) weak var table: OverlayTable?

  init(inode: HostInode, table: OverlayTable) {
    self.inode = inode
    self.table = table
  }

  /// The inode is about to differ from the host file. - Throws: `ENOSPC`.
  func keep(_ inode: TmpInode) throws(Errno) {
    guard inode.stat.links > 0 else { return }
    try inode.becomeOwn()
    table?.entries[self.inode.key] = OverlayTable.Entry(inode: inode, kept: inode)
  }

  /// The inode has no name any more: it goes when nobody uses it.
  func forget() { table?.entries[inode.key]?.kept = nil }

  /// The inode is gone.
  func drop() { table?.entries[inode.key] = nil }
}
