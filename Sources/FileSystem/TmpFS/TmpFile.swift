import LinuxABI
import Memory

/// A regular file in memory.
package class TmpFile: TmpInode, MappableObject {
  final private(set) lazy var store = FrameStore(
    physical: fileSystem.context.services.physicalMemory, quota: usage.frames)
  /// Made without a name, and may get one (`O_TMPFILE`).
  final var isTemporary = false
  /// `F_SEAL_*` of memfd_create(2); nil for files that can't be sealed.
  final var seals: FileSeals?
  /// What it was last mapped as, for `/proc/PID/maps`.
  package final var mappingName = ""

  init(_ fileSystem: TmpFileSystem, permissions: UInt32, owner: Credentials) throws(Errno) {
    try super.init(fileSystem, mode: FileMode(.regular, permissions: permissions), owner: owner)
  }

  override init(_ fileSystem: TmpFileSystem, uncounted stat: Stat) throws(Errno) {
    try super.init(fileSystem, uncounted: stat)
  }

  /// Called before the data changes: from then on it is in `store`. With `discarding` the file becomes empty.
  func willChangeData(discarding: Bool) throws(Errno) {}

  package override func attributes() throws(Errno) -> Stat {
    var result = stat
    result.size = Int64(clamping: store.size)
    result.blocks = Int64(clamping: store.allocatedBytes / 512)
    return result
  }

  /// Size in bytes.
  var size: UInt64 { store.size }

  /// The largest file: what a page index of Linux's page cache reaches (`MAX_LFS_FILESIZE`).
  private static let sizeLimit = UInt64(Int64.max)

  override func setSize(_ size: UInt64) throws(Errno) {
    if size > TmpFile.sizeLimit { throw .fileTooLarge }
    if let seals {
      if size < store.size && seals.contains(.shrink) { throw .notPermitted }
      if size > store.size && seals.contains(.grow) { throw .notPermitted }
    }
    try willChangeData(discarding: size == 0)
    try willChange()
    store.size = size
    stat.modificationTime = fileSystem.context.now
  }

  /// Whoever wrote the file is done with it.
  fileprivate func trim() { store.trim() }

  final func read(into buffer: inout IOBuffer, at offset: UInt64) throws(Errno) -> Int {
    try store.read(into: &buffer, at: offset)
  }

  final func write(from buffer: inout IOBuffer, at offset: UInt64) throws(Errno) -> Int {
    if buffer.remaining == 0 { return 0 }
    let (end, overflow) = offset.addingReportingOverflow(UInt64(buffer.remaining))
    if offset >= TmpFile.sizeLimit { throw .fileTooLarge }
    if overflow || end > TmpFile.sizeLimit { buffer.truncate(to: Int(TmpFile.sizeLimit - offset)) }
    try checkWrite(upTo: end)
    try willChangeData(discarding: false)
    try willChange()
    let count = try store.write(from: &buffer, at: offset)
    let now = fileSystem.context.now
    stat.modificationTime = now
    stat.changeTime = now
    return count
  }

  /// What the seals say of a write that ends at `end`.
  private final func checkWrite(upTo end: UInt64) throws(Errno) {
    guard let seals else { return }
    if !seals.isDisjoint(with: .anyWrite) { throw .notPermitted }
    if seals.contains(.grow) && end > store.size { throw .notPermitted }
  }

  /// fallocate(2).
  final func allocate(mode: AllocationMode, offset: UInt64, length: UInt64) throws(Errno) {
    let (end, overflow) = offset.addingReportingOverflow(length)
    if overflow || end > TmpFile.sizeLimit { throw .fileTooLarge }
    let keepsSize = mode.contains(.keepSize)
    switch mode.subtracting(.keepSize) {
    case []:
      if let seals, seals.contains(.grow), !keepsSize, end > store.size { throw .notPermitted }
      try willChangeData(discarding: false)
      try store.allocate(offset: offset, length: length)
      if !keepsSize && end > store.size { store.size = end }
    case .punchHole where keepsSize, .zeroRange:
      try checkWrite(upTo: 0)
      try willChangeData(discarding: false)
      let inside = min(end, store.size)
      if offset < inside { try store.punch(offset: offset, length: inside - offset) }
      if mode.contains(.zeroRange) && !keepsSize && end > store.size { store.size = end }
    default: throw .notSupported
    }
    try willChange()
    let now = fileSystem.context.now
    stat.modificationTime = now
    stat.changeTime = now
  }

  package override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    TmpOpenFile(self, flags: flags, location: location)
  }

  // MARK: MappableObject

  package final func mappingBacking() throws(Errno) -> MappingBacking { .frames(store) }
  package final var mappingSize: UInt64 { size }
  package final var mappingDevice: UInt64 { stat.device }
  package final var mappingInode: UInt64 { stat.inode }
}

/// An open regular file in memory.
package class TmpOpenFile: OpenFile {
  private final let file: TmpFile
  /// Keeps the file system of a file without a path alive.
  private final let fileSystem: TmpFileSystem
  private final let name: String?

  init(_ file: TmpFile, flags: OpenFlags, location: PathLocation?, name: String? = nil) {
    self.file = file
    fileSystem = file.fileSystem
    self.name = name
    super.init(flags: flags, location: location)
  }

  package override var inode: Inode? { file }
  package override var description: String { name ?? super.description }
  package override func reopen(_ flags: OpenFlags) throws(Errno) -> OpenFile {
    TmpOpenFile(file, flags: flags, location: nil, name: name)
  }

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    let count = try file.read(into: &buffer, at: offset ?? position)
    if !flags.contains(.noAccessTime) { file.touchAccessTime(location?.mount.accessTimeRule(.regular) ?? .relative) }
    if offset == nil { position += UInt64(count) }
    return count
  }

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard buffer.remaining > 0 else { return 0 }
    let start = flags.contains(.append) ? file.size : offset ?? position
    let count = try file.write(from: &buffer, at: start)
    if offset == nil { position = start + UInt64(count) }
    return count
  }

  package override func close() { if flags.isWritable { file.trim() } }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    if whence == .data || whence == .hole {
      guard offset >= 0, UInt64(offset) < file.size else { throw .noSuchAddressOrDevice }
      let start = UInt64(offset)
      if whence == .data {
        guard let data = file.store.nextData(from: start), data < file.size else { throw .noSuchAddressOrDevice }
        position = data
      } else {
        position = min(file.store.nextHole(from: start), file.size)
      }
      return position
    }
    position = try SeekTarget.compute(offset, whence: whence, position: position, size: file.size)
    return position
  }

  package override func truncate(to size: UInt64) throws(Errno) {
    var change = AttributeChange()
    change.size = size
    try file.setAttributes(change)
  }

  package override func allocate(mode: AllocationMode, offset: UInt64, length: UInt64) throws(Errno) {
    try file.allocate(mode: mode, offset: offset, length: length)
  }

  package override func sync(dataOnly: Bool) throws(Errno) {}

  package override func mappable() throws(Errno) -> any MappableObject {
    file.mappingName = description
    return file
  }

  package override func seals() throws(Errno) -> FileSeals {
    guard let seals = file.seals else { throw .invalidArgument }
    return seals
  }

  package override func addSeals(_ seals: FileSeals) throws(Errno) {
    guard let old = file.seals else { throw .invalidArgument }
    if !seals.isSubset(of: .all) { throw .invalidArgument }
    if !flags.isWritable || old.contains(.seal) { throw .notPermitted }
    if seals.subtracting(old).contains(.write), file.store.isMappedForWriting { throw .resourceBusy }
    file.seals = old.union(seals)
  }
}

extension TmpFileSystem {
  /// memfd_create(2): an anonymous file in memory.
  package func makeMemoryFile(
    _ name: String, isSealable: Bool, isExecutable: Bool = true, owner: Credentials
  ) throws(Errno) -> OpenFile {
    let file = try TmpFile(self, permissions: isExecutable ? 0o777 : 0o666, owner: owner)
    file.stat.links = 0
    file.seals = isSealable ? [] : .seal
    if !isExecutable { file.seals?.insert(.execute) }
    return TmpOpenFile(
      file, flags: [.readWrite, .largeFile], location: nil, name: "/memfd:\(name) (deleted)")
  }
}
