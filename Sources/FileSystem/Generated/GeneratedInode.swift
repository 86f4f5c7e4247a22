import LinuxABI
import Memory

/// A file of a generated file system.
package final class GeneratedInode: Inode {
  /// Who owns the file now; nil for root.
  package typealias Owner = () -> (uid: UInt32, gid: UInt32)

  /// What the file is.
  package enum Content {
    /// Read whole; each write(2) is handed over whole.
    case file(read: () throws(Errno) -> [UInt8], write: (([UInt8]) throws(Errno) -> Void)?)
    /// Each open makes a file of its own kind.
    case opened((OpenFlags, PathLocation) throws(Errno) -> OpenFile)
    case directory(any GeneratedDirectory)
    /// A symbolic link; `follow` gives where a magic link leads, nil for others.
    case link(read: () throws(Errno) -> String, follow: () throws(Errno) -> PathLocation?)
  }

  private let fileSystem: GeneratedFileSystem
  package let content: Content
  package let number: UInt64
  private let permissions: UInt32
  private let owner: Owner?
  /// Nobody may open it for writing, whatever capabilities he has (`/proc/sys`).
  package var isFixed = false
  /// What is woken when the text has changed, and how often it has, where poll(2) tells (`/proc/mounts`).
  package var changes: (() -> (queue: WaitQueue, count: UInt64))?
  /// Throws for those who may not look: open(2) fails for them.
  package var checkOpen: (() throws(Errno) -> Void)?

  package init(
    _ fileSystem: GeneratedFileSystem, _ content: Content, _ permissions: UInt32, _ number: UInt64, _ owner: Owner?
  ) {
    self.fileSystem = fileSystem
    self.content = content
    self.permissions = permissions
    self.number = number
    self.owner = owner
  }

  package override var kind: FileMode.Kind {
    switch content {
    case .file, .opened: .regular
    case .directory: .directory
    case .link: .symbolicLink
    }
  }

  package override func attributes() throws(Errno) -> Stat {
    var stat = Stat()
    stat.device = fileSystem.deviceNumber
    stat.inode = number
    stat.mode = FileMode(kind, permissions: permissions)
    if let owner { (stat.uid, stat.gid) = owner() }
    if kind == .directory { stat.links = 2 }
    if kind == .regular { stat.size = fileSystem.fileSize }
    stat.accessTime = fileSystem.time
    stat.modificationTime = fileSystem.time
    stat.changeTime = fileSystem.time
    return stat
  }

  /// Truncation (`O_TRUNC` of a shell's `>`) does nothing; the rest can't be changed.
  package override func setAttributes(_ change: AttributeChange) throws(Errno) {
    guard change.permissions == nil, change.uid == nil, change.gid == nil, change.accessTime == nil,
      change.modificationTime == nil
    else { throw .notPermitted }
  }

  // MARK: Directories

  package override var isVolatile: Bool {
    if case .directory(let directory) = content { return directory.isVolatile }
    return false
  }

  package override func lookup(_ name: String) throws(Errno) -> Inode {
    guard case .directory(let directory) = content else { throw .notDirectory }
    guard let inode = try directory.child(name) else { throw .noSuchFileOrDirectory }
    return inode
  }

  package override func revalidate(_ name: String, _ inode: Inode) throws(Errno) -> Bool {
    guard case .directory(let directory) = content else { return false }
    return directory.isCurrent(name, inode)
  }

  package override func listEntries() throws(Errno) -> [DirectoryEntry] {
    guard case .directory(let directory) = content else { throw .notDirectory }
    return try directory.entries()
  }

  package override func create(
    _ name: String, mode: FileMode, device: UInt64, owner: Credentials
  ) throws(Errno) -> Inode { throw kind == .directory ? .permissionDenied : .notDirectory }
  package override func makeDirectory(
    _ name: String, permissions: UInt32, owner: Credentials
  ) throws(Errno) -> Inode { throw kind == .directory ? .permissionDenied : .notDirectory }
  package override func makeSymbolicLink(
    _ name: String, target: String, owner: Credentials
  ) throws(Errno) -> Inode { throw kind == .directory ? .permissionDenied : .notDirectory }
  package override func link(_ name: String, to inode: Inode) throws(Errno) { throw .notPermitted }
  package override func unlink(_ name: String, inode: Inode) throws(Errno) { throw .notPermitted }
  package override func removeDirectory(_ name: String, inode: Inode) throws(Errno) { throw .notPermitted }
  package override func rename(
    _ name: String, to newDirectory: Inode, _ newName: String, flags: RenameFlags
  ) throws(Errno) { throw .notPermitted }

  // MARK: Links

  package override func readLink() throws(Errno) -> String {
    guard case .link(let read, _) = content else { throw .invalidArgument }
    return try read()
  }

  package override func magicTarget() throws(Errno) -> PathLocation? {
    guard case .link(_, let follow) = content else { return nil }
    return try follow()
  }

  package override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    try checkOpen?()
    if isFixed, flags.isWritable { throw .permissionDenied }
    switch content {
    case .file: return GeneratedFile(self, flags: flags, location: location)
    case .opened(let open): return try open(flags, location)
    case .directory: return DirectoryFile(flags: flags, location: location)
    case .link: throw .tooManySymbolicLinkLevels
    }
  }
}

/// An open file of a generated file system. Its text is made when it is read from the start.
package final class GeneratedFile: OpenFile {
  private let source: GeneratedInode
  private var text: [UInt8]?
  /// The changes that poll(2) has told of.
  private var seenChanges: UInt64

  init(_ source: GeneratedInode, flags: OpenFlags, location: PathLocation) {
    self.source = source
    seenChanges = source.changes?().count ?? 0
    super.init(flags: flags, location: location)
  }

  package override var tellsChanges: Bool { source.changes != nil }
  package override var waitQueue: WaitQueue? { source.changes?().queue }
  package override func readiness() -> PollEvents {
    guard let count = source.changes?().count, count != seenChanges else { return super.readiness() }
    seenChanges = count
    return super.readiness().union([.error, .priority])
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard flags.isReadable else { throw .badFileDescriptor }
    let start = offset ?? position
    let count: Int
    switch source.content {
    case .file(let read, _):
      let bytes: [UInt8]
      if start != 0, let text { bytes = text } else { bytes = try read() }
      try chargeContent(bytes.count)
      text = bytes
      guard start < UInt64(bytes.count) else { return 0 }
      count = buffer.write(bytes[Int(start)...])
    case .opened, .directory, .link: throw .invalidArgument
    }
    if offset == nil { position = start &+ UInt64(count) }
    return count
  }

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard flags.isWritable else { throw .badFileDescriptor }
    guard case .file(_, let write?) = source.content else { throw .ioError }
    let count = buffer.remaining
    try write(buffer.read(min(count, 4096)))
    buffer.advance(buffer.remaining)
    text = nil
    return count
  }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    try seekInText(to: offset, whence: whence)
  }
}

extension OpenFile {
  /// lseek(2) where nobody knows how long the text is.
  func seekInText(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    let base: Int64
    switch whence {
    case .start: base = 0
    case .current: base = Int64(clamping: position)
    default: throw .invalidArgument
    }
    let (target, overflow) = base.addingReportingOverflow(offset)
    guard !overflow, target >= 0 else { throw .invalidArgument }
    position = UInt64(target)
    return position
  }
}
