import LinuxABI
import Memory

/// An inode in memory.
///
/// Some operations do nothing here and are called before each change: with them subclasses look after what they keep
/// elsewhere.
package class TmpInode: Inode {
  unowned final let fileSystem: TmpFileSystem
  final let usage: TmpUsage
  final var stat: Stat
  /// When it was made here; nil where it stands for a host file.
  private final let made: Timespec?
  /// It is one of those that the file system may hold.
  private final let isCounted: Bool
  private final var extended: [String: [UInt8]] = [:]
  private final var charge: MemoryCharge
  /// What the inode itself is charged for: nothing while it only stands for a host file, which the names that are known
  /// pay for.
  private final var ownPrice: Int
  /// What names, attributes and the like take that it has besides.
  private final var contentPrice = 0
  /// An inode with its names and its first frames.
  private static let price = 1024
  /// An entry of a table, besides the bytes of its name.
  static let entryPrice = 128

  /// A new inode. - Throws: `ENOSPC`.
  init(
    _ fileSystem: TmpFileSystem, mode: FileMode, device: UInt64 = 0, owner: Credentials, targetLength: Int = 0
  ) throws(Errno) {
    guard fileSystem.usage.nodes < fileSystem.usage.nodeLimit else { throw .noSpace }
    ownPrice = TmpInode.price + targetLength
    charge = try fileSystem.context.services.kernelMemory.charge(ownPrice, otherwise: .noSpace)
    self.fileSystem = fileSystem
    usage = fileSystem.usage
    isCounted = true
    stat = Stat()
    stat.device = fileSystem.deviceNumber
    stat.inode = fileSystem.makeNumber()
    stat.mode = mode
    stat.uid = owner.fsuid
    stat.gid = owner.fsgid
    stat.specialDevice = device
    let now = fileSystem.context.now
    made = now
    stat.accessTime = now
    stat.modificationTime = now
    stat.changeTime = now
    usage.nodes += 1
  }

  /// An inode that has attributes already, and does not count among those that the file system may hold.
  init(_ fileSystem: TmpFileSystem, uncounted stat: Stat) throws(Errno) {
    ownPrice = 0
    charge = fileSystem.context.services.kernelMemory.openCharge()
    self.fileSystem = fileSystem
    usage = fileSystem.usage
    isCounted = false
    made = nil
    self.stat = stat
    self.stat.device = fileSystem.deviceNumber
  }

  deinit { if isCounted { usage.nodes -= 1 } }

  /// Makes sure that there is memory for something more that belongs to the inode. Then `note` says what came and went, and
  /// `settle` that this is all. - Throws: `ENOSPC`.
  final func reserve(_ price: Int) throws(Errno) {
    try charge.resize(to: max(charge.bytes, ownPrice + contentPrice + price), otherwise: .noSpace)
  }

  final func note(_ price: Int) { contentPrice += price }
  final func settle() { charge.shrink(to: ownPrice + contentPrice) }

  /// The inode is going to be kept though it stood for a host file. - Throws: `ENOSPC`.
  final func becomeOwn() throws(Errno) {
    guard ownPrice == 0 else { return }
    try reserve(TmpInode.price)
    ownPrice = TmpInode.price
  }

  package final override var kind: FileMode.Kind { stat.mode.kind ?? .regular }

  package override func attributes() throws(Errno) -> Stat { stat }
  package override func birthTime() -> Timespec? { made }

  package final override func permissionAttributes() throws(Errno) -> PermissionAttributes {
    PermissionAttributes(stat)
  }

  package override func setAttributes(_ change: AttributeChange) throws(Errno) {
    if let size = change.size { try setSize(size) }
    try willChange()
    if change.size != nil || change.uid != nil || change.gid != nil, kind != .directory { removeCapabilities() }
    if let permissions = change.permissions { stat.mode.permissions = permissions }
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

  override func touchAccessTime(_ rule: AccessTimeRule) {
    switch rule {
    case .never: return
    case .always: stat.accessTime = fileSystem.context.now
    case .relative:
      let (accessed, now) = (stat.accessTime.totalNanoseconds, fileSystem.context.now)
      let changed = max(stat.modificationTime.totalNanoseconds, stat.changeTime.totalNanoseconds)
      if accessed <= changed || now.totalNanoseconds - accessed >= TmpInode.day { stat.accessTime = now }
    }
  }

  private static let day: Int64 = 86_400_000_000_000

  func setSize(_ size: UInt64) throws(Errno) { throw .invalidArgument }

  /// Called before a change of the attributes, the names or the data. - Throws: `ENOSPC`.
  func willChange() throws(Errno) {}
  /// Called when the last name is gone.
  func lostLastName() {}

  final func touchChangeTime() throws(Errno) {
    try willChange()
    stat.changeTime = fileSystem.context.now
  }

  /// A name of this inode is going to be made.
  final func addLink() throws(Errno) {
    try touchChangeTime()
    stat.links += 1
  }

  /// A name of this inode was removed.
  final func dropLink() {
    try? touchChangeTime()
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
    try touchChangeTime()
    let price = TmpInode.entryPrice + name.utf8.count + value.count
    try reserve(price)
    if let old = extended.updateValue(value, forKey: name) {
      note(price - (TmpInode.entryPrice + name.utf8.count + old.count))
    } else {
      note(price)
    }
    settle()
  }

  package final override func removeExtendedAttribute(_ name: String) throws(Errno) {
    guard let value = extended[name] else { throw .noData }
    try touchChangeTime()
    extended[name] = nil
    note(-(TmpInode.entryPrice + name.utf8.count + value.count))
    settle()
  }

  package final override var hasFlags: Bool { kind == .regular || kind == .directory }

  final override func removeCapabilities() {
    if !extended.isEmpty, extended["security.capability"] != nil { try? removeExtendedAttribute("security.capability") }
  }

  package final override func extendedAttributeNames() throws(Errno) -> [String] { extended.keys.sorted() }
}

/// A symbolic link in memory.
final class TmpLink: TmpInode {
  private let target: String

  init(_ fileSystem: TmpFileSystem, target: String, owner: Credentials) throws(Errno) {
    self.target = target
    let length = FileName.length(target)
    try super.init(
      fileSystem, mode: FileMode(.symbolicLink, permissions: 0o777), owner: owner, targetLength: length)
    stat.size = Int64(length)
  }

  override func readLink() throws(Errno) -> String { target }
}
