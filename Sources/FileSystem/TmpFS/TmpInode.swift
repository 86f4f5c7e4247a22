import LinuxABI

/// An inode in memory.
///
/// Some operations do nothing here and are called before each change: with them subclasses look after what they keep
/// elsewhere.
package class TmpInode: Inode {
  unowned final let fileSystem: TmpFileSystem
  final let usage: TmpUsage
  final var stat: Stat
  /// It is one of those that the file system may hold.
  private final let isCounted: Bool
  private final var extended: [String: [UInt8]] = [:]

  /// A new inode.
  init(_ fileSystem: TmpFileSystem, mode: FileMode, device: UInt64 = 0, owner: Credentials) {
    self.fileSystem = fileSystem
    usage = fileSystem.usage
    isCounted = true
    stat = Stat()
    stat.device = fileSystem.deviceNumber
    stat.inode = fileSystem.makeNumber()
    stat.mode = mode.rawValue
    stat.uid = owner.fsuid
    stat.gid = owner.fsgid
    stat.specialDevice = device
    let now = fileSystem.context.now
    stat.accessTime = now
    stat.modificationTime = now
    stat.changeTime = now
    usage.nodes += 1
  }

  /// An inode that has attributes already, and does not count among those that the file system may hold.
  init(_ fileSystem: TmpFileSystem, uncounted stat: Stat) {
    self.fileSystem = fileSystem
    usage = fileSystem.usage
    isCounted = false
    self.stat = stat
    self.stat.device = fileSystem.deviceNumber
  }

  deinit { if isCounted { usage.nodes -= 1 } }

  package final override var kind: FileMode.Kind { FileMode(rawValue: stat.mode).kind ?? .regular }

  package override func attributes() throws(Errno) -> Stat { stat }

  package final override func permissionAttributes() throws(Errno) -> PermissionAttributes {
    PermissionAttributes(stat)
  }

  package override func setAttributes(_ change: AttributeChange) throws(Errno) {
    if let size = change.size { try setSize(size) }
    willChange()
    if let permissions = change.permissions {
      stat.mode = stat.mode & ~FileMode.permissionMask | permissions & FileMode.permissionMask
    }
    if let uid = change.uid { stat.uid = uid }
    if let gid = change.gid { stat.gid = gid }
    let now = fileSystem.context.now
    switch change.accessTime {
    case .now?: stat.accessTime = now
    case .set(let time)?: stat.accessTime = time
    case nil: break
    }
    switch change.modificationTime {
    case .now?: stat.modificationTime = now
    case .set(let time)?: stat.modificationTime = time
    case nil: break
    }
    stat.changeTime = now
  }

  func setSize(_ size: UInt64) throws(Errno) { throw .invalidArgument }

  /// Called before a change of the attributes, the names or the data.
  func willChange() {}
  /// Called when the last name is gone.
  func lostLastName() {}

  final func touchChangeTime() {
    willChange()
    stat.changeTime = fileSystem.context.now
  }

  /// A name of this inode was made.
  final func addLink() {
    touchChangeTime()
    stat.links += 1
  }

  /// A name of this inode was removed.
  final func dropLink() {
    touchChangeTime()
    if stat.links > 0 { stat.links -= 1 }
    if stat.links == 0 { lostLastName() }
  }

  package override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    try fileSystem.context.open(special: self, device: stat.specialDevice, flags: flags, at: location)
  }

  // MARK: extended attributes

  package final override func extendedAttribute(_ name: String) throws(Errno) -> [UInt8] {
    guard let value = extended[name] else { throw .noData }
    return value
  }

  package final override func setExtendedAttribute(
    _ name: String, _ value: [UInt8], flags: ExtendedAttributeFlags
  ) throws(Errno) {
    // XATTR_CREATE, XATTR_REPLACE
    if flags.contains(.create) && extended[name] != nil { throw .fileExists }
    if flags.contains(.replace) && extended[name] == nil { throw .noData }
    let others = extended.reduce(0) { $1.key == name ? $0 : $0 + $1.key.utf8.count + $1.value.count }
    if others + name.utf8.count + value.count > 1 << 16 { throw .noSpace }
    touchChangeTime()
    extended[name] = value
  }

  package final override func removeExtendedAttribute(_ name: String) throws(Errno) {
    if extended[name] == nil { throw .noData }
    touchChangeTime()
    extended[name] = nil
  }

  package final override func extendedAttributeNames() throws(Errno) -> [String] { extended.keys.sorted() }
}

/// A symbolic link in memory.
final class TmpLink: TmpInode {
  private let target: String

  init(_ fileSystem: TmpFileSystem, target: String, owner: Credentials) {
    self.target = target
    super.init(fileSystem, mode: FileMode(.symbolicLink, permissions: 0o777), owner: owner)
    stat.size = Int64(FileName.length(target))
  }

  override func readLink() throws(Errno) -> String { target }
}
