import LinuxABI

/// A directory in memory.
package class TmpDirectory: TmpInode {
  /// A name.
  struct Entry {
    let inode: TmpInode
    let order: UInt64
  }
  final var entries: [NameKey: Entry] = [:]
  /// Removed with rmdir(2): nothing can be made in it.
  final var isRemoved = false

  init(_ fileSystem: TmpFileSystem, permissions: UInt32, owner: Credentials) throws(Errno) {
    try super.init(fileSystem, mode: FileMode(.directory, permissions: permissions), owner: owner)
    stat.links = 2
  }

  override init(_ fileSystem: TmpFileSystem, uncounted stat: Stat) throws(Errno) {
    try super.init(fileSystem, uncounted: stat)
  }

  /// Releases what is below level by level, not by recursion: guests nest directories deeper than stacks reach.
  deinit {
    var below = takeDirectories()
    while var directory = below.popLast() {
      if isKnownUniquelyReferenced(&directory) { below += directory.takeDirectories() }
    }
  }

  private final func takeDirectories() -> [TmpDirectory] {
    defer { entries = [:] }
    return entries.values.compactMap { $0.inode as? TmpDirectory }
  }

  // Names that a subclass has besides `entries`.

  /// The inode that a name leads to where `entries` does not know it.
  func findBelow(_ name: String) throws(Errno) -> TmpInode? { nil }
  /// What is to be listed after `entries`.
  func listBelow() throws(Errno) -> [DirectoryEntry] { [] }
  /// Called before a name is removed, so that it is gone from below, too.
  func hideBelow(_ name: String) throws(Errno) {}

  package override func attributes() throws(Errno) -> Stat {
    var result = stat
    result.size = Int64(entries.count + 2) * 20
    return result
  }

  package final override func lookup(_ name: String) throws(Errno) -> Inode { try find(name) }

  final func find(_ name: String) throws(Errno) -> TmpInode {
    guard let inode = try findIfThere(name) else { throw .noSuchFileOrDirectory }
    return inode
  }

  final func findIfThere(_ name: String) throws(Errno) -> TmpInode? {
    if let entry = entries[NameKey(name)] { return entry.inode }
    return try findBelow(name)
  }

  package final override func listEntries() throws(Errno) -> [DirectoryEntry] {
    let own = entries.sorted { $0.value.order < $1.value.order }
    var result: [DirectoryEntry] = []
    result.reserveCapacity(own.count)
    for (key, entry) in own {
      let inode = entry.inode
      result.append(DirectoryEntry(inode: inode.stat.inode, next: 0, kind: inode.kind, name: key.string))
    }
    return result + (try listBelow())
  }

  final func checkEmpty() throws(Errno) {
    guard entries.isEmpty, try listBelow().isEmpty else { throw .directoryNotEmpty }
  }

  package final override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    DirectoryFile(flags: flags, location: location)
  }

  // MARK: making names

  private final func checkMayAdd(_ name: String) throws(Errno) {
    if isRemoved { throw .noSuchFileOrDirectory }
    if try findIfThere(name) != nil { throw .fileExists }
  }

  static func price(of name: String) -> Int { entryPrice + name.utf8.count }

  /// Makes sure that names can be added, and hidden: nothing fails half-way. - Throws: `ENOSPC`.
  private final func prepare(_ names: String...) throws(Errno) {
    try willChange()
    try reserve(names.reduce(0) { $0 + 2 * TmpDirectory.price(of: $1) })
  }

  private final func touch() {
    let now = fileSystem.context.now
    stat.modificationTime = now
    stat.changeTime = now
  }

  /// Adds a name that was prepared.
  private final func put(_ inode: TmpInode, _ name: String) {
    entries[NameKey(name)] = Entry(inode: inode, order: fileSystem.makeOrder())
    note(TmpDirectory.price(of: name))
    touch()
    if inode.kind == .directory { stat.links += 1 }
  }

  /// Adds a new inode under a new name.
  private final func add(
    _ name: String, _ make: () throws(Errno) -> TmpInode
  ) throws(Errno) -> Inode {
    try checkMayAdd(name)
    let inode = try make()
    try prepare(name)
    put(inode, name)
    settle()
    return inode
  }

  /// Removes a name.
  private final func take(_ name: String, _ inode: TmpInode) throws(Errno) {
    try hideBelow(name)
    if entries.removeValue(forKey: NameKey(name)) != nil { note(-TmpDirectory.price(of: name)) }
    touch()
    if inode.kind == .directory && stat.links > 0 { stat.links -= 1 }
  }

  package final override func create(
    _ name: String, mode: FileMode, device: UInt64, owner: Credentials
  ) throws(Errno) -> Inode {
    try add(name) { () throws(Errno) in
      mode.kind == .regular
        ? try TmpFile(fileSystem, permissions: mode.permissions, owner: owner)
        : try TmpInode(fileSystem, mode: mode, device: device, owner: owner)
    }
  }

  package final override func makeDirectory(
    _ name: String, permissions: UInt32, owner: Credentials
  ) throws(Errno) -> Inode {
    try add(name) { () throws(Errno) in try TmpDirectory(fileSystem, permissions: permissions, owner: owner) }
  }

  package final override func makeSymbolicLink(
    _ name: String, target: String, owner: Credentials
  ) throws(Errno) -> Inode {
    try add(name) { () throws(Errno) in try TmpLink(fileSystem, target: target, owner: owner) }
  }

  package final override func createTemporary(
    permissions: UInt32, owner: Credentials, canBeLinked: Bool
  ) throws(Errno) -> Inode {
    let inode = try TmpFile(fileSystem, permissions: permissions, owner: owner)
    inode.stat.links = 0
    inode.isTemporary = canBeLinked
    return inode
  }

  package final override func link(_ name: String, to inode: Inode) throws(Errno) {
    guard let inode = inode as? TmpInode, inode.fileSystem === fileSystem else { throw .improperLink }
    if isRemoved { throw .noSuchFileOrDirectory }
    if try findIfThere(name) != nil { throw .fileExists }
    if inode.stat.links == 0, (inode as? TmpFile)?.isTemporary != true { throw .noSuchFileOrDirectory }
    if inode.stat.links >= 65000 { throw .tooManyLinks }
    try prepare(name)
    try inode.addLink()
    // From now on it is a file as others are: without a name it gets none any more.
    (inode as? TmpFile)?.isTemporary = false
    put(inode, name)
    settle()
  }

  // MARK: removing and moving names

  package final override func unlink(_ name: String, inode: Inode) throws(Errno) {
    let found = try find(name)
    if found.kind == .directory { throw .isDirectory }
    try willChange()
    try take(name, found)
    settle()
    found.dropLink()
  }

  package final override func removeDirectory(_ name: String, inode: Inode) throws(Errno) {
    guard let found = try find(name) as? TmpDirectory else { throw .notDirectory }
    try found.checkEmpty()
    try willChange()
    try take(name, found)
    settle()
    found.wasRemoved()
  }

  private final func wasRemoved() {
    isRemoved = true
    stat.links = 0
    lostLastName()
  }

  package final override func rename(
    _ name: String, to newDirectory: Inode, _ newName: String, flags: RenameFlags
  ) throws(Errno) {
    guard let target = newDirectory as? TmpDirectory, target.fileSystem === fileSystem else { throw .improperLink }
    if target.isRemoved { throw .noSuchFileOrDirectory }
    let source = try find(name)
    let replaced = try target.findIfThere(newName)
    if flags.contains(.exchange) {
      guard let replaced else { throw .noSuchFileOrDirectory }
      try prepare(name, newName)
      try target.prepare(name, newName)
      try take(name, source)
      try target.take(newName, replaced)
      put(replaced, name)
      target.put(source, newName)
      settle()
      target.settle()
      try? replaced.touchChangeTime()
      try? source.touchChangeTime()
      return
    }
    if flags.contains(.noReplace), replaced != nil { throw .fileExists }
    if replaced === source { return }
    try prepare(name, newName)
    try target.prepare(name, newName)
    if let replaced {
      if let directory = replaced as? TmpDirectory {
        guard source.kind == .directory else { throw .isDirectory }
        try directory.checkEmpty()
        try target.take(newName, directory)
        directory.wasRemoved()
      } else {
        guard source.kind != .directory else { throw .notDirectory }
        try target.take(newName, replaced)
        replaced.dropLink()
      }
    }
    try take(name, source)
    target.put(source, newName)
    settle()
    target.settle()
    try? source.touchChangeTime()
  }
}
