import Host
import LinuxABI

/// A file on the host: a name in the directory that it was found in, and what stat(2) said of it.
package final class HostInode: Inode {
  unowned let fileSystem: HostFileSystem
  /// The directory it was last found in; nil for the root.
  private(set) var parent: HostInode?
  private(set) var name: [UInt8]
  /// Attributes with the host's numbers, as last seen.
  private(set) var hostStat: Stat
  /// While `fileSystem` keeps one: a descriptor, `O_PATH` of a directory, for reading of a file that doesn't change, and
  /// when it was last used.
  var descriptor: HostDescriptor?
  var lastUse: UInt64 = 0
  /// Where a read last had to wait for the disk. A read that has to wait there again (the page cache is too small for
  /// it, or the file was closed meanwhile) waits in place.
  var missed: UInt64?
  private var target: String?
  private var concealed: Bool?
  /// What was made without a name (`O_TMPFILE`), until it gets one.
  private var nameless: HostDescriptor?
  private var canBeLinked = false
  /// Whose guests made it, where that is not what the host says.
  var givenOwner: FileOwner?
  /// The descriptor that a file was created with, where its mode would not let it be opened again.
  private var created: FileDescriptor?

  init(root fileSystem: HostFileSystem, stat: Stat) {
    self.fileSystem = fileSystem
    name = []
    hostStat = stat
  }

  init(parent: HostInode, name: [UInt8], stat: Stat) {
    fileSystem = parent.fileSystem
    self.parent = parent
    self.name = name
    hostStat = stat
  }

  deinit {
    if let created { Host.close(created) }
    var above = parent
    parent = nil
    releaseChain(&above) { inode in
      defer { inode.parent = nil }
      return inode.parent
    }
  }

  var key: HostFileKey { HostFileKey(hostStat) }

  // MARK: attributes

  package override var kind: FileMode.Kind { hostStat.mode.kind ?? .regular }

  func refresh(_ stat: Stat) { hostStat = stat }

  /// Looks at the host again where names are volatile. A file whose name is gone keeps its last attributes.
  private func refreshIfVolatile() throws(Errno) {
    guard fileSystem.isVolatile else { return }
    if let nameless {
      hostStat = try Host.status(nameless.number)
      return
    }
    do throws(Errno) {
      let stat: Stat
      if let parent {
        stat = try Host.status(at: try fileSystem.descriptor(of: parent), name)
      } else {
        stat = try Host.status(try fileSystem.descriptor(of: self))
      }
      if HostFileKey(stat) == key { hostStat = stat } else if hostStat.links == 1 { hostStat.links = 0 }
    } catch .noSuchFileOrDirectory {
      // It may have other names.
      if hostStat.links == 1 || kind == .directory { hostStat.links = 0 }
    }
  }

  package override func attributes() throws(Errno) -> Stat {
    try refreshIfVolatile()
    return guestStat(hostStat)
  }

  /// Attributes with the numbers that guests see.
  func guestStat(_ stat: Stat) -> Stat {
    var result = stat
    result.inode = fileSystem.number(stat.inode, on: stat.device)
    result.device = fileSystem.deviceNumber
    if let givenOwner { (result.uid, result.gid) = (givenOwner.uid, givenOwner.gid) }
    return result
  }

  package override func permissionAttributes() throws(Errno) -> PermissionAttributes {
    if parent == nil { try refreshIfVolatile() }
    return PermissionAttributes(mode: hostStat.mode, uid: owner.uid, gid: owner.gid)
  }

  /// Whose the file is, as guests see it.
  private var owner: FileOwner { givenOwner ?? FileOwner(uid: hostStat.uid, gid: hostStat.gid) }

  /// When the host made the file; nil where it does not know.
  package override func birthTime() -> Timespec? {
    if let nameless { return try? Host.birthTime(at: nameless.number, nil) }
    guard let parent else { return try? Host.birthTime(at: try fileSystem.descriptor(of: self), nil) }
    return try? Host.birthTime(at: try fileSystem.descriptor(of: parent), name)
  }

  /// Changes whose the file is, as guests see it; `onHost` changes it on the host, where ids are the host's.
  func setOwner(
    _ change: AttributeChange, onHost: (UInt32?, UInt32?) throws(Errno) -> Void
  ) throws(Errno) {
    guard change.uid != nil || change.gid != nil else { return }
    guard let owners = fileSystem.owners else { return try onHost(change.uid, change.gid) }
    let old = owner
    let new = FileOwner(uid: change.uid ?? old.uid, gid: change.gid ?? old.gid)
    guard new != old else { return }
    try owners.reserve()
    owners.set(new, of: key, birth: birthTime())
    givenOwner = new
  }

  package override func setAttributes(_ change: AttributeChange) throws(Errno) {
    try checkWritable()
    guard let parent else { throw .notPermitted }
    if let size = change.size {
      let file = try openRegular([.writeOnly])
      defer { Host.close(file) }
      try Host.truncate(file, to: size)
    }
    let directory = try fileSystem.descriptor(of: parent)
    try setOwner(change) { (uid, gid) throws(Errno) in try Host.changeOwner(at: directory, name, uid: uid, gid: gid) }
    if let permissions = change.permissions {
      try Host.changeMode(at: directory, name, HostChange.permissions(permissions, kind))
    }
    if let times = HostChange.times(change) {
      try Host.changeTimes(at: directory, name, access: times.access, modification: times.modification)
    }
    try refreshIfVolatile()
  }

  package override func statistics() throws(Errno) -> StatFS? {
    let directory = kind == .directory ? self : parent ?? self
    return HostFileSystem.statistics(try Host.fileSystemStatus(try fileSystem.descriptor(of: directory)))
  }

  /// Of a volume they are the host's, too.
  override func makeLocks() -> FileLocks {
    guard fileSystem.isVolatile, kind == .regular || kind == .directory else { return FileLocks() }
    fileSystem.keepOne(self)
    return FileLocks(host: HostLocks(self))
  }

  // MARK: directories

  package override var isVolatile: Bool { fileSystem.isVolatile }

  /// A directory of one of the host's pseudo file systems: it appears empty.
  private func isConcealed() throws(Errno) -> Bool {
    if let concealed { return concealed }
    var result = false
    if parent == nil || parent?.hostStat.device != hostStat.device {
      let status = try Host.fileSystemStatus(try fileSystem.descriptor(of: self))
      result = PseudoFileSystem.contains(status.type)
    }
    concealed = result
    return result
  }

  /// The directory's descriptor, for a change in it.
  private func writableDirectory() throws(Errno) -> FileDescriptor {
    guard kind == .directory else { throw .notDirectory }
    try checkWritable()
    if try isConcealed() { throw .notPermitted }
    return try fileSystem.descriptor(of: self)
  }

  private func checkWritable() throws(Errno) {
    if fileSystem.isReadOnly { throw .readOnlyFileSystem }
  }

  /// `.` or `..`
  private static func isItselfOrParent(_ name: [UInt8]) -> Bool {
    name.count <= 2 && name.allSatisfy { $0 == UInt8(ascii: ".") }
  }

  /// The bytes of a single name, which leads to no other directory. - Throws: `EINVAL` for what is none.
  private static func bytes(_ name: String) throws(Errno) -> [UInt8] {
    let bytes = FileName.bytes(name)
    if bytes.isEmpty || isItselfOrParent(bytes) || bytes.contains(UInt8(ascii: "/")) { throw .invalidArgument }
    return bytes
  }

  package override func lookup(_ name: String) throws(Errno) -> Inode { try find(name) }

  func find(_ name: String) throws(Errno) -> HostInode {
    guard kind == .directory else { throw .notDirectory }
    if try isConcealed() { throw .noSuchFileOrDirectory }
    let bytes = try HostInode.bytes(name)
    let stat = try Host.status(at: try fileSystem.descriptor(of: self), bytes)
    return found(bytes, stat)
  }

  private func found(_ name: [UInt8], _ stat: Stat) -> HostInode {
    let inode = fileSystem.inode(parent: self, name: name, stat: stat)
    inode.parent = self
    inode.name = name
    return inode
  }

  package override func revalidate(_ name: String, _ inode: Inode) throws(Errno) -> Bool {
    guard let inode = inode as? HostInode else { return false }
    let bytes = try HostInode.bytes(name)
    do throws(Errno) {
      let stat = try Host.status(at: try fileSystem.descriptor(of: self), bytes)
      guard HostFileKey(stat) == inode.key, stat.mode.kind == inode.kind else { return false }
      inode.hostStat = stat
      inode.parent = self
      inode.name = bytes
      return true
    } catch .noSuchFileOrDirectory {
      return false
    }
  }

  /// Opens a directory for reading.
  func openList() throws(Errno) -> FileDescriptor {
    try Host.open(at: try fileSystem.descriptor(of: self), [UInt8(ascii: ".")], [.directory, .noFollow, .nonBlocking])
  }

  package override func listEntries() throws(Errno) -> [DirectoryEntry] {
    guard kind == .directory else { throw .notDirectory }
    if try isConcealed() { return [] }
    let list = try openList()
    defer { Host.close(list) }
    let entries = try Host.readDirectory(list)
    var result: [DirectoryEntry] = []
    result.reserveCapacity(entries.count)
    for entry in entries where !HostInode.isItselfOrParent(entry.name) {
      result.append(
        DirectoryEntry(
          inode: fileSystem.number(entry.inode, on: hostStat.device), next: 0,
          kind: FileMode.Kind(rawValue: UInt32(entry.type) << 12), name: FileName.string(entry.name)))
    }
    return result
  }

  package override func create(
    _ name: String, mode: FileMode, device: UInt64, owner: Credentials
  ) throws(Errno) -> Inode {
    guard let kind = mode.kind else { throw .invalidArgument }
    let permissions = HostChange.permissions(mode.permissions, kind)
    return try making(name, owner) { (directory, bytes) throws(Errno) in
      try create(bytes, kind, permissions, in: directory)
    }
  }

  /// Makes a file that will be the owner's.
  private func making(
    _ name: String, _ owner: Credentials, isDirectory: Bool = false,
    _ make: (FileDescriptor, [UInt8]) throws(Errno) -> HostInode
  ) throws(Errno) -> HostInode {
    let directory = try writableDirectory()
    let bytes = try HostInode.bytes(name)
    try fileSystem.owners?.reserve()
    let inode = try make(directory, bytes)
    var change = AttributeChange()
    (change.uid, change.gid) = (owner.fsuid, owner.fsgid)
    do throws(Errno) {
      try inode.setOwner(change) { (uid, gid) throws(Errno) in
        guard uid != inode.hostStat.uid || gid != inode.hostStat.gid else { return }
        try Host.changeOwner(at: directory, bytes, uid: uid, gid: gid)
        inode.hostStat = try Host.status(at: directory, bytes)
      }
    } catch {
      try? Host.unlink(at: directory, bytes, isDirectory: isDirectory)
      throw error
    }
    return inode
  }

  private func create(
    _ bytes: [UInt8], _ kind: FileMode.Kind, _ permissions: UInt32, in directory: FileDescriptor
  ) throws(Errno) -> HostInode {
    switch kind {
    case .regular:
      let file = try Host.open(
        at: directory, bytes, [.create, .exclusive, .readWrite, .noFollow, .nonBlocking, .noControllingTTY],
        mode: permissions)
      do throws(Errno) {
        let inode = found(bytes, try Host.status(file))
        let both = FileMode.ownerRead | FileMode.ownerWrite
        if permissions & both == both { Host.close(file) } else { inode.created = file }
        return inode
      } catch {
        Host.close(file)
        throw error
      }
    case .fifo, .socket:
      try Host.makeNode(at: directory, bytes, mode: kind.rawValue | permissions)
      return found(bytes, try Host.status(at: directory, bytes))
    default: throw .notPermitted
    }
  }

  package override func createTemporary(
    permissions: UInt32, owner: Credentials, canBeLinked: Bool
  ) throws(Errno) -> Inode {
    let directory = try writableDirectory()
    try fileSystem.owners?.reserve()
    try quota.checkRoom()
    let flags: OpenFlags = [.temporary, .readWrite, .nonBlocking]
    let file = HostDescriptor(
      try Host.open(
        at: directory, [UInt8(ascii: ".")], canBeLinked ? flags : flags.union(.exclusive),
        mode: HostChange.permissions(permissions, .regular)), quota: quota)
    let inode = HostInode(parent: self, name: [], stat: try Host.status(file.number))
    inode.nameless = file
    inode.canBeLinked = canBeLinked
    var change = AttributeChange()
    (change.uid, change.gid) = (owner.fsuid, owner.fsgid)
    try inode.setOwner(change) { (uid, gid) throws(Errno) in try Host.changeOwner(file.number, uid: uid, gid: gid) }
    return inode
  }

  package override func makeDirectory(
    _ name: String, permissions: UInt32, owner: Credentials
  ) throws(Errno) -> Inode {
    try making(name, owner, isDirectory: true) { (directory, bytes) throws(Errno) in
      try Host.makeDirectory(at: directory, bytes, permissions: HostChange.permissions(permissions, .directory))
      return found(bytes, try Host.status(at: directory, bytes))
    }
  }

  package override func makeSymbolicLink(_ name: String, target: String, owner: Credentials) throws(Errno) -> Inode {
    try making(name, owner) { (directory, bytes) throws(Errno) in
      try Host.makeSymbolicLink(at: directory, bytes, target: FileName.bytes(target))
      return found(bytes, try Host.status(at: directory, bytes))
    }
  }

  package override func link(_ name: String, to inode: Inode) throws(Errno) {
    guard let inode = inode as? HostInode, inode.fileSystem === fileSystem, let parent = inode.parent else {
      throw .improperLink
    }
    let to = try writableDirectory()
    let bytes = try HostInode.bytes(name)
    if let nameless = inode.nameless {
      guard inode.canBeLinked else { throw .noSuchFileOrDirectory }
      try Host.link(nameless.number, to: to, bytes)
      inode.nameless = nil
      inode.parent = self
      inode.name = bytes
      inode.hostStat.links = 1
      return
    }
    let from = try fileSystem.descriptor(of: parent)
    try Host.link(at: from, inode.name, to: to, bytes)
    try inode.refreshIfVolatile()
  }

  package override func unlink(_ name: String, inode: Inode) throws(Errno) {
    try Host.unlink(at: try writableDirectory(), try HostInode.bytes(name), isDirectory: false)
    guard let inode = inode as? HostInode, inode.hostStat.links > 0 else { return }
    inode.hostStat.links -= 1
    if inode.hostStat.links == 0 { fileSystem.owners?.forget(inode.key) }
  }

  package override func removeDirectory(_ name: String, inode: Inode) throws(Errno) {
    try Host.unlink(at: try writableDirectory(), try HostInode.bytes(name), isDirectory: true)
    guard let inode = inode as? HostInode else { return }
    fileSystem.forget(inode)
    fileSystem.owners?.forget(inode.key)
  }

  package override func rename(
    _ name: String, to newDirectory: Inode, _ newName: String, flags: RenameFlags
  ) throws(Errno) {
    guard let newDirectory = newDirectory as? HostInode, newDirectory.fileSystem === fileSystem else {
      throw .improperLink
    }
    let from = try writableDirectory()
    let to = try newDirectory.writableDirectory()
    let newBytes = try HostInode.bytes(newName)
    var replaced: Stat?
    if let owners = fileSystem.owners, !owners.isEmpty, !flags.contains(.exchange) {
      replaced = try? Host.status(at: to, newBytes)
    }
    try Host.rename(at: from, try HostInode.bytes(name), to: to, newBytes, flags: flags.rawValue)
    if let replaced, replaced.links == 1 || replaced.mode.kind == .directory {
      fileSystem.owners?.forget(HostFileKey(replaced))
    }
  }

  package override func moved(to directory: Inode, _ name: String) {
    guard let directory = directory as? HostInode else { return }
    parent = directory
    self.name = FileName.bytes(name)
  }

  // MARK: contents

  package override func readLink() throws(Errno) -> String {
    guard kind == .symbolicLink, let parent else { throw .invalidArgument }
    if let target { return target }
    let result = FileName.string(try Host.readLink(at: try fileSystem.descriptor(of: parent), name))
    if !fileSystem.isVolatile { target = result }
    return result
  }

  package override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    switch kind {
    case .directory: return DirectoryFile(flags: flags, location: location)
    case .regular:
      if let nameless { return HostFile(self, nameless, flags: flags, location: location) }
      if let created {
        self.created = nil
        return HostFile(self, HostDescriptor(created, quota: quota), flags: flags, location: location)
      }
      let descriptor = flags.isWritable ? HostDescriptor(try openRegular(flags), quota: quota) : try openForReading()
      return HostFile(self, descriptor, flags: flags, location: location)
    default:
      return try fileSystem.context.open(special: self, device: hostStat.specialDevice, flags: flags, at: location)
    }
  }

  private var quota: HostDescriptorQuota { fileSystem.context.hostDescriptors }

  /// What reads the file's data: the descriptor that another reader opened, where the file doesn't change.
  func openForReading() throws(Errno) -> HostDescriptor {
    if let descriptor {
      fileSystem.noteUse(of: self)
      return descriptor
    }
    let opened = HostDescriptor(try openRegular([]), quota: quota)
    if !fileSystem.isVolatile {
      descriptor = opened
      fileSystem.keepOpen(self)
    }
    return opened
  }

  /// Opens the file on the host, and makes sure that it is the regular file that was looked up.
  func openRegular(_ flags: OpenFlags) throws(Errno) -> FileDescriptor {
    guard kind == .regular, let parent else { throw .noSuchAddressOrDevice }
    let directory = try fileSystem.descriptor(of: parent)
    let access = flags.intersection(.accessMask)
    if access.isWritable { try checkWritable() }
    try quota.checkRoom()
    let opened = try Host.open(at: directory, name, access.union([.noFollow, .nonBlocking, .noControllingTTY]))
    do throws(Errno) {
      let stat = try Host.status(opened)
      guard HostFileKey(stat) == key, stat.mode.kind == .regular else {
        throw .noSuchAddressOrDevice
      }
      // A file mounted alone may come from a pseudo file system.
      if stat.device != parent.hostStat.device,
        PseudoFileSystem.contains(try Host.fileSystemStatus(opened).type)
      {
        throw .noSuchAddressOrDevice
      }
      hostStat = stat
      return opened
    } catch {
      Host.close(opened)
      throw error
    }
  }
}

/// What of a change reaches the host.
enum HostChange {
  /// Guests can't make files of the host set-user-ID or set-group-ID.
  static func permissions(_ permissions: UInt32, _ kind: FileMode.Kind) -> UInt32 {
    let dropped = kind == .directory ? FileMode.setUserID : FileMode.setUserID | FileMode.setGroupID
    return permissions & FileMode.permissionMask & ~dropped
  }

  /// Times for utimensat(2), with its values for "now" and "leave alone".
  static func times(_ change: AttributeChange) -> (access: Timespec, modification: Timespec)? {
    if change.accessTime == nil && change.modificationTime == nil { return nil }
    func time(_ change: AttributeChange.TimeChange?) -> Timespec {
      switch change {
      case nil: Timespec(seconds: 0, nanoseconds: (1 << 30) - 2)
      case .now: Timespec(seconds: 0, nanoseconds: (1 << 30) - 1)
      case .set(let time): time
      }
    }
    return (time(change.accessTime), time(change.modificationTime))
  }
}
