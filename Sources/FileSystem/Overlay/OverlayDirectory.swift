import LinuxABI

/// A directory of an overlay: names that were made, moved or removed, over those of a host directory.
final class OverlayDirectory: TmpDirectory {
  private let origin: OverlayOrigin
  /// Names of the host directory that were removed here (whiteouts).
  private var hidden: Set<NameKey> = []

  init(_ fileSystem: OverlayFileSystem, _ origin: OverlayOrigin, _ stat: Stat) throws(Errno) {
    self.origin = origin
    try super.init(fileSystem, uncounted: stat)
  }

  deinit { origin.drop() }

  override func willChange() throws(Errno) { try origin.keep(self) }
  override func lostLastName() { origin.forget() }
  override func birthTime() -> Timespec? { origin.inode.birthTime() }

  override func attributes() throws(Errno) -> Stat { stat }

  override func findBelow(_ name: String) throws(Errno) -> TmpInode? {
    guard !isRemoved, !hidden.contains(NameKey(name)), let overlay = fileSystem as? OverlayFileSystem else {
      return nil
    }
    do throws(Errno) {
      return try overlay.inode(for: try origin.inode.find(name))
    } catch .noSuchFileOrDirectory {
      return nil
    }
  }

  override func listBelow() throws(Errno) -> [DirectoryEntry] {
    guard !isRemoved else { return [] }
    let listed = try origin.inode.listEntries()
    guard !entries.isEmpty || !hidden.isEmpty else { return listed }
    return listed.filter { entry in
      let key = NameKey(entry.name)
      return entries[key] == nil && !hidden.contains(key)
    }
  }

  override func hideBelow(_ name: String) throws(Errno) {
    do throws(Errno) {
      _ = try origin.inode.find(name)
      let key = NameKey(name)
      guard !hidden.contains(key) else { return }
      try reserve(TmpDirectory.price(of: name))
      hidden.insert(key)
      note(TmpDirectory.price(of: name))
    } catch .noSuchFileOrDirectory {}
  }
}
