import FileSystem
import LinuxABI
import Memory

/// Listing, making and removing directories, and where a task is.
extension Syscalls {
  static let directoryTable: [SyscallEntry] = [
    .init(.getdents, getdents),
    .init(.getdents64, getdents64),
    .init(.mkdir, mkdir),
    .init(.mkdirat, mkdirat),
    .init(.rmdir, rmdir),
    .init(.chdir, chdir),
    .init(.fchdir, fchdir),
    .init(.getcwd, getcwd),
    .init(.chroot, chroot),
    .init(.umask, umask),
  ]

  // MARK: listing

  /// getdents(2).
  static func getdents(
    _ task: Task, _ directory: FileDescriptorNumber, _ entries: GuestAddress, _ size: UInt32
  ) throws(Errno) -> Int {
    try list(task, directory, entries, size, .typeLast)
  }

  /// getdents64(2).
  static func getdents64(
    _ task: Task, _ directory: FileDescriptorNumber, _ entries: GuestAddress, _ size: UInt32
  ) throws(Errno) -> Int {
    try list(task, directory, entries, size, .typeFirst)
  }

  /// Where `d_type` stands.
  private enum RecordLayout {
    /// In the last byte: `struct linux_dirent`.
    case typeLast
    /// Before the name: `struct linux_dirent64`.
    case typeFirst
  }

  /// One record: `d_ino`, `d_off`, `d_reclen`, the type and the name, zeros up to a multiple of eight.
  private static func record(_ entry: DirectoryEntry, _ layout: RecordLayout) -> [UInt8] {
    let name = FileName.bytes(entry.name)
    // The type, and the zero that ends the name.
    let length = (18 + 1 + name.count + 1 + 7) & ~7
    let type = entry.kind?.directoryEntryType ?? 0
    var bytes: [UInt8] = []
    bytes.reserveCapacity(length)
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: entry.inode >> shift)) }
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: entry.next >> shift)) }
    bytes.append(UInt8(truncatingIfNeeded: length))
    bytes.append(UInt8(truncatingIfNeeded: length >> 8))
    if layout == .typeFirst { bytes.append(type) }
    bytes += name
    while bytes.count < length { bytes.append(0) }
    if layout == .typeLast { bytes[length - 1] = type }
    return bytes
  }

  private static func list(
    _ task: Task, _ directory: FileDescriptorNumber, _ entries: GuestAddress, _ size: UInt32, _ layout: RecordLayout
  ) throws(Errno) -> Int {
    let file = try task.openFile(directory)
    guard size <= Int32.max else { throw .invalidArgument }
    let room = min(Int(size), 1 << 20)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(room, 1 << 15))
    // Where each record begins, and the position before it.
    var starts: [(byte: Int, position: UInt64)] = []
    var isFull = false
    try file.readDirectory { entry in
      let next = record(entry, layout)
      guard bytes.count + next.count <= room else {
        isFull = true
        return false
      }
      starts.append((bytes.count, file.position))
      bytes += next
      return true
    }
    if bytes.isEmpty && isFull { throw .invalidArgument }
    do throws(Errno) {
      try task.memory.write(entries, bytes)
      return bytes.count
    } catch {
      // As many entries as there is memory for.
      let writable = try writableBytes(task, entries, bytes.count)
      while let last = starts.popLast() {
        file.position = last.position
        if last.byte > 0, last.byte <= writable {
          try task.memory.write(entries, Array(bytes[..<last.byte]))
          return last.byte
        }
      }
      throw error
    }
  }

  /// How many of the bytes from an address on, page by page, can be written.
  private static func writableBytes(_ task: Task, _ address: GuestAddress, _ count: Int) throws(Errno) -> Int {
    var end = min(count, Int(Layout.pageSize - (address.rawValue & Layout.pageMask)))
    var good = 0
    while good < count, (try? task.memory.buffer(address, count: end, for: .write))?.remaining == end {
      good = end
      end = min(count, end + Int(Layout.pageSize))
    }
    return good
  }

  // MARK: making and removing

  /// mkdir(2).
  static func mkdir(_ task: Task, _ path: GuestPath, _ mode: FileMode) throws(Errno) -> Int {
    try mkdirat(task, .working, path, mode)
  }

  /// mkdirat(2).
  static func mkdirat(
    _ task: Task, _ directory: DirectoryDescriptor, _ path: GuestPath, _ mode: FileMode
  ) throws(Errno) -> Int {
    let path = try task.path(path)
    try task.kernel.vfs.makeDirectory(path, try task.paths(at: directory, for: path), mode: mode)
    return 0
  }

  /// rmdir(2).
  static func rmdir(_ task: Task, _ path: GuestPath) throws(Errno) -> Int {
    try task.kernel.vfs.removeDirectory(try task.path(path), task.paths)
    return 0
  }

  // MARK: where a task is

  /// chdir(2).
  static func chdir(_ task: Task, _ path: GuestPath) throws(Errno) -> Int {
    try changeDirectory(task, to: try task.resolve(path, .directory))
  }

  /// fchdir(2).
  static func fchdir(_ task: Task, _ directory: FileDescriptorNumber) throws(Errno) -> Int {
    guard let location = try task.files.file(directory).location, location.dentry.inode.kind == .directory else {
      throw .notDirectory
    }
    return try changeDirectory(task, to: location)
  }

  private static func changeDirectory(_ task: Task, to location: PathLocation) throws(Errno) -> Int {
    try task.credentials.check(.execute, try location.dentry.inode.permissionAttributes())
    task.fs.workingDirectory = location
    return 0
  }

  /// getcwd(2).
  static func getcwd(_ task: Task, _ buffer: PathBuffer, _ size: UInt64) throws(Errno) -> Int {
    let location = task.fs.workingDirectory
    if location.dentry.isDeleted { throw .noSuchFileOrDirectory }
    let path = location.path(from: task.fs.root) ?? "(unreachable)" + location.path
    let bytes = FileName.bytes(path) + [0]
    guard bytes.count <= FileName.maximumPathLength else { throw .fileNameTooLong }
    guard UInt64(bytes.count) <= size else { throw .outOfRange }
    try task.memory.write(buffer.address, bytes)
    return bytes.count
  }

  /// chroot(2).
  static func chroot(_ task: Task, _ path: GuestPath) throws(Errno) -> Int {
    let location = try task.resolve(path, .directory)
    try task.credentials.check(.execute, try location.dentry.inode.permissionAttributes())
    guard task.credentials.has(.sysChroot) else { throw .notPermitted }
    task.fs.root = location
    return 0
  }

  /// umask(2).
  static func umask(_ task: Task, _ mask: FileMode) throws(Errno) -> Int {
    let old = task.fs.umask
    task.fs.umask = mask.rawValue & FileMode.accessMask
    return Int(old)
  }
}

/// The address to which a call writes a path.
struct PathBuffer: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    call.succeeded ? call.string(address.rawValue, limit: 4096) : pointer(address.rawValue)
  }
}
