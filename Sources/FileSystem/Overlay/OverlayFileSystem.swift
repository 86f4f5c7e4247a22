import LinuxABI

/// A host directory that guests may change, without changing the host: what they write stays in memory.
///
/// The upper layer is a tmpfs whose inodes may stand for a host file (`TmpInode.origin`). A host file never has two of
/// them: one that is in use anywhere is found in `table`, and one that was changed is kept there. So inode numbers
/// never change, hard links stay hard links, and a directory can move with all that is below it. As with Linux's
/// overlayfs, what happens to changes made underneath on the host is undefined.
package final class OverlayFileSystem: TmpFileSystem {
  private let lower: HostFileSystem
  private let table = OverlayTable()
  package override var typeName: String { "overlay" }

  /// - Parameters:
  ///   - lower: what is shown where nothing was changed; made with `isReadOnly` and not volatile.
  ///   - size: bytes that changed and new files may hold; nil for all memory.
  package init(lower: HostFileSystem, size: UInt64? = nil, context: FileSystemContext) {
    self.lower = lower
    // New files get numbers that hosts do not use.
    super.init(source: "overlay", size: size, nodeLimit: .max, firstNumber: 1 << 56, context: context)
  }

  package override func makeRoot(permissions: UInt32 = 0o755, uid: UInt32 = 0, gid: UInt32 = 0) -> Inode {
    if let root = lower.root, let inode = try? inode(for: root) { return inode }
    return super.makeRoot(permissions: permissions, uid: uid, gid: gid)
  }

  /// The inode that stands for a file below.
  func inode(for origin: HostInode) throws(Errno) -> TmpInode {
    if let known = table.entries[origin.key]?.inode { return known }
    let inode: TmpInode
    switch origin.kind {
    case .directory: inode = try OverlayDirectory(self, origin: origin)
    case .regular: inode = try OverlayFile(self, origin: origin)
    case .symbolicLink: inode = try TmpLink(self, origin: origin)
    default: inode = try TmpInode(self, origin: origin)
    }
    inode.table = table
    table.entries[origin.key] = OverlayTable.Entry(inode: inode)
    return inode
  }

  override func keep(_ inode: TmpInode) {
    guard let origin = inode.origin, inode.stat.links > 0 else { return }
    table.entries[origin.key] = OverlayTable.Entry(inode: inode, kept: inode)
  }

  override func forget(_ inode: TmpInode) {
    if let origin = inode.origin { table.entries[origin.key]?.kept = nil }
  }

  package override func statistics() throws(Errno) -> FileSystemStatistics {
    var result = try super.statistics()
    result.type = 0x794c_7630
    return result
  }
}

/// The inodes of an overlay that stand for host files.
final class OverlayTable {
  struct Entry {
    /// It removes its entry when it goes. (A weak reference would make every use of the inode slower.)
    unowned let inode: TmpInode
    /// The same, once it differs from the host file.
    var kept: TmpInode?
  }
  var entries: [HostFileKey: Entry] = [:]

  /// An inode is gone.
  func drop(_ key: HostFileKey) { entries[key] = nil }
}

/// A directory of an overlay: names that were made, moved or removed, over those of a host directory.
final class OverlayDirectory: TmpDirectory {
  override func lookupBelow(_ name: String) throws(Errno) -> TmpInode? {
    guard let origin, !isRemoved, let overlay = fileSystem as? OverlayFileSystem else { return nil }
    do throws(Errno) {
      return try overlay.inode(for: try origin.find(name))
    } catch .noSuchFileOrDirectory {
      return nil
    }
  }

  override func hasBelow(_ name: String) throws(Errno) -> Bool {
    guard let origin else { return false }
    do throws(Errno) {
      _ = try origin.find(name)
      return true
    } catch .noSuchFileOrDirectory {
      return false
    }
  }

  override func listBelow() throws(Errno) -> [DirectoryEntry] {
    guard let origin, !isRemoved else { return [] }
    let listed = try origin.listEntries()
    return entries.isEmpty ? listed : listed.filter { entries[NameKey($0.name)] == nil }
  }
}

/// A regular file of an overlay. Its data is read from the host until it is first written or mapped writable; a change
/// of attributes copies nothing.
final class OverlayFile: TmpFile {
  private var isCopied = false
  /// How far the data has been copied.
  private var copied: UInt64 = 0

  override var hasOwnData: Bool { isCopied }

  override func dropLowerData() { isCopied = true }

  override func copyUp() throws(Errno) {
    guard !isCopied, let origin else { return }
    try copyUp(through: HostReader(origin, try origin.openRegular([])), inParts: false)
  }

  override func copyUp(through reader: HostReader) throws(Errno) { try copyUp(through: reader, inParts: true) }

  private func copyUp(through reader: HostReader, inParts: Bool) throws(Errno) {
    guard !isCopied else { return }
    do throws(Errno) {
      try OverlayCopy.copy(
        reader, from: &copied, size: UInt64(clamping: stat.size), to: store, inParts: inParts)
    } catch {
      if error != .wouldBlock {
        store.size = 0
        copied = 0
      }
      throw error
    }
    isCopied = true
    fileSystem.keep(self)
  }

  override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    guard !isCopied, let origin else { return try super.open(flags, at: location) }
    // The host may refuse to show the file: better now than at the first read or write.
    let reader = HostReader(origin, try origin.openRegular([]))
    return TmpOpenFile(self, flags: flags, location: location, lower: reader)
  }
}
