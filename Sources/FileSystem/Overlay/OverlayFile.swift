import LinuxABI
import Memory

/// A regular file of an overlay. Its data is read from the host until it is first written or mapped writable; a change
/// of attributes copies nothing.
final class OverlayFile: TmpFile {
  private let origin: OverlayOrigin
  /// The data is in `store`, no longer in the host file.
  private(set) var isCopied = false
  /// How far the data has been copied.
  private var copied: UInt64 = 0

  init(_ fileSystem: OverlayFileSystem, _ origin: OverlayOrigin, _ stat: Stat) throws(Errno) {
    self.origin = origin
    try super.init(fileSystem, uncounted: stat)
  }

  deinit { origin.drop() }

  override func willChange() throws(Errno) { try origin.keep(self) }
  override func lostLastName() { origin.forget() }
  override func birthTime() -> Timespec? { origin.inode.birthTime() }

  override func attributes() throws(Errno) -> Stat { isCopied ? try super.attributes() : stat }
  override var size: UInt64 { isCopied ? super.size : UInt64(clamping: stat.size) }
  /// What was only read stays the host's.
  override func touchAccessTime(_ rule: AccessTimeRule) { if isCopied { super.touchAccessTime(rule) } }

  override func willChangeData(discarding: Bool) throws(Errno) {
    guard !isCopied else { return }
    if discarding {
      try becomeCopied()
    } else {
      try copyUp(through: try openLower(), inParts: false)
    }
  }

  /// Brings the data into `store` in parts, so that nobody waits long. - Throws: `.wouldBlock` while there is more.
  fileprivate func copyUp(through reader: HostReader) throws(Errno) { try copyUp(through: reader, inParts: true) }

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
    try willChange()
    try becomeCopied()
  }

  /// The data is in `store` from now on, for those who map the file, too.
  private func becomeCopied() throws(Errno) {
    isCopied = true
    guard let mapping = origin.inode.fileSystem.files.existing(of: origin.inode) else { return }
    mappingName = mapping.mappingName
    try fileSystem.context.services.physicalMemory.moveMappings(of: mapping, to: self)
  }

  private func openLower() throws(Errno) -> HostReader {
    HostReader(origin.inode, try origin.inode.openForReading())
  }

  override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    guard !isCopied else { return try super.open(flags, at: location) }
    // The host may refuse to show the file: better now than at the first read or write.
    return OverlayOpenFile(self, flags: flags, location: location, lower: try openLower())
  }

  /// What is mapped while the data is the host's.
  fileprivate func lowerMapping(_ reader: HostReader, name: String) throws(Errno) -> any MappableObject {
    try origin.inode.fileSystem.files.mapping(
      of: origin.inode, reader.file, isWritable: false, name: name, device: stat.device)
  }
}

/// An open file of an overlay: read from the host's until it is written.
private final class OverlayOpenFile: TmpOpenFile {
  private let file: OverlayFile
  private let lower: HostReader

  init(_ file: OverlayFile, flags: OpenFlags, location: PathLocation, lower: HostReader) {
    self.file = file
    self.lower = lower
    super.init(file, flags: flags, location: location)
  }

  override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    if file.isCopied { return try super.read(into: &buffer, at: offset) }
    let count = try lower.read(
      into: &buffer, at: offset ?? position, size: file.size, waits: flags.contains(.nonBlocking))
    if offset == nil { position += UInt64(count) }
    return count
  }

  override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    if buffer.remaining > 0 { try file.copyUp(through: lower) }
    return try super.write(from: &buffer, at: offset)
  }

  override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    guard whence == .data || whence == .hole, !file.isCopied else { return try super.seek(to: offset, whence: whence) }
    // What is not copied counts as data without holes.
    guard offset >= 0, UInt64(offset) < file.size else { throw .noSuchAddressOrDevice }
    position = whence == .data ? UInt64(offset) : file.size
    return position
  }

  override var waitQueue: WaitQueue? { lower.waitQueue }

  override func mappable() throws(Errno) -> any MappableObject {
    if flags.isWritable { try file.copyUp(through: lower) }
    return file.isCopied ? try super.mappable() : try file.lowerMapping(lower, name: description)
  }

  // In parts: truncation and allocation may be repeated, as a write may.

  override func truncate(to size: UInt64) throws(Errno) {
    if size > 0 { try file.copyUp(through: lower) }
    try super.truncate(to: size)
  }

  override func allocate(mode: AllocationMode, offset: UInt64, length: UInt64) throws(Errno) {
    try file.copyUp(through: lower)
    try super.allocate(mode: mode, offset: offset, length: length)
  }

  override func close() {
    if file.isCopied { super.close() }
    lower.close()
  }
}
