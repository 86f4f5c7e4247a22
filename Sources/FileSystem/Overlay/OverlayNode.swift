import LinuxABI

/// A symbolic link, device node, FIFO or socket of an overlay.
final class OverlayNode: TmpInode {
  private let origin: OverlayOrigin

  init(_ fileSystem: OverlayFileSystem, _ origin: OverlayOrigin, _ stat: Stat) throws(Errno) {
    self.origin = origin
    try super.init(fileSystem, uncounted: stat)
  }

  deinit { origin.drop() }

  override func willChange() throws(Errno) { try origin.keep(self) }
  override func lostLastName() { origin.forget() }
  override func birthTime() -> Timespec? { origin.inode.birthTime() }
  override func readLink() throws(Errno) -> String {
    guard kind == .symbolicLink else { throw .invalidArgument }
    return try origin.inode.readLink()
  }
}
