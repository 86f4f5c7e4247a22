import FileSystem
import LinuxABI
import Memory

/// Listing, making and removing directories, and where a task is.
extension Syscalls {
  static let directoryTable: [SyscallEntry] = [
    .init(.getdents, getdents, [.fd, .pointer, .uint]),
    .init(.getdents64, getdents64, [.fd, .pointer, .uint]),
    .init(.mkdir, mkdir, [.path, .mode]),
    .init(.mkdirat, mkdirat, [.directory, .path, .mode]),
    .init(.rmdir, rmdir, [.path]),
    .init(.chdir, chdir, [.path]),
    .init(.fchdir, fchdir, [.fd]),
    .init(.getcwd, getcwd, [.pointer, .uint]),
    .init(.chroot, chroot, [.path]),
    .init(.umask, umask, [.octal]),
  ]

  /// getdents(2), the form with the type in the last byte.
  static func getdents(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try list(task, a.int(0), a[1], size: a.uint(2)) { entry, name in
      record(entry, headerLength: 18, length: 18 + name.count + 2) { bytes in
        bytes += name
        return { $0[$0.count - 1] = type(of: entry) }
      }
    }
  }

  /// getdents64(2).
  static func getdents64(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try list(task, a.int(0), a[1], size: a.uint(2)) { entry, name in
      record(entry, headerLength: 19, length: 19 + name.count + 1) { bytes in
        bytes.append(type(of: entry))
        bytes += name
        return { _ in }
      }
    }
  }

  /// `DT_*` of readdir(3).
  private static func type(of entry: DirectoryEntry) -> UInt8 { UInt8((entry.kind?.rawValue ?? 0) >> 12) }

  /// One record: `d_ino`, `d_off`, `d_reclen`, what `body` appends, zeros up to a multiple of eight.
  private static func record(
    _ entry: DirectoryEntry, headerLength: Int, length: Int, _ body: (inout [UInt8]) -> (inout [UInt8]) -> Void
  ) -> [UInt8] {
    let padded = (length + 7) & ~7
    var bytes: [UInt8] = []
    bytes.reserveCapacity(padded)
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: entry.inode >> shift)) }
    for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: entry.next >> shift)) }
    bytes.append(UInt8(truncatingIfNeeded: padded))
    bytes.append(UInt8(truncatingIfNeeded: padded >> 8))
    let finish = body(&bytes)
    while bytes.count < padded { bytes.append(0) }
    finish(&bytes)
    return bytes
  }

  private static func list(
    _ task: Task, _ descriptor: Int32, _ address: UInt64, size: UInt32,
    _ encode: (DirectoryEntry, [UInt8]) -> [UInt8]
  ) throws(Errno) -> Int {
    let file = try task.openFile(descriptor)
    let start = file.position
    let room = min(Int(size), 1 << 20)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(room, 1 << 15))
    var isFull = false
    try file.readDirectory { entry in
      let next = encode(entry, FileName.bytes(entry.name))
      guard bytes.count + next.count <= room else {
        isFull = true
        return false
      }
      bytes += next
      return true
    }
    if bytes.isEmpty && isFull { throw .invalidArgument }
    do throws(Errno) { try task.memory.write(GuestAddress(address), bytes) } catch {
      file.position = start
      throw error
    }
    return bytes.count
  }

  /// mkdir(2).
  static func mkdir(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.kernel.vfs.makeDirectory(try task.path(GuestAddress(a[0])), task.paths, mode: a.uint(1))
    return 0
  }

  /// mkdirat(2).
  static func mkdirat(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let path = try task.path(GuestAddress(a[1]))
    try task.kernel.vfs.makeDirectory(path, try task.paths(at: a.int(0), for: path), mode: a.uint(2))
    return 0
  }

  /// rmdir(2).
  static func rmdir(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.kernel.vfs.removeDirectory(try task.path(GuestAddress(a[0])), task.paths)
    return 0
  }

  /// chdir(2).
  static func chdir(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let location = try task.resolve(GuestAddress(a[0]), .directory)
    try task.credentials.check(.execute, try location.dentry.inode.permissionAttributes())
    task.fs.workingDirectory = location
    return 0
  }

  /// fchdir(2).
  static func fchdir(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard let location = try task.files.file(a.int(0)).location, location.dentry.inode.kind == .directory else {
      throw .notDirectory
    }
    try task.credentials.check(.execute, try location.dentry.inode.permissionAttributes())
    task.fs.workingDirectory = location
    return 0
  }

  /// getcwd(2).
  static func getcwd(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let location = task.fs.workingDirectory
    if location.dentry.isDeleted { throw .noSuchFileOrDirectory }
    let path = location.path(from: task.fs.root) ?? "(unreachable)" + location.path
    let bytes = FileName.bytes(path) + [0]
    guard bytes.count <= FileName.maximumPathLength else { throw .fileNameTooLong }
    guard UInt64(bytes.count) <= a[1] else { throw .outOfRange }
    try task.memory.write(GuestAddress(a[0]), bytes)
    return bytes.count
  }

  /// chroot(2).
  static func chroot(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let location = try task.resolve(GuestAddress(a[0]), .directory)
    try task.credentials.check(.execute, try location.dentry.inode.permissionAttributes())
    guard task.credentials.has(.sysChroot) else { throw .notPermitted }
    task.fs.root = location
    return 0
  }

  /// umask(2).
  static func umask(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let old = task.fs.umask
    task.fs.umask = a.uint(0) & 0o777
    return Int(old)
  }
}
