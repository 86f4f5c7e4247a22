import FileSystem
import LinuxABI
import Memory

/// Sizes and contents of files, and locks on them.
extension Syscalls {
  static let fileContentTable: [SyscallEntry] = [
    .init(.truncate, truncate, [.path, .long]),
    .init(.ftruncate, ftruncate, [.fd, .long]),
    .init(.fallocate, fallocate, [.fd, .hex, .long, .long]),
    .init(.sync, sync, []),
    .init(.syncfs, syncfs, [.fd]),
    .init(.fsync, fsync, [.fd]),
    .init(.fdatasync, fdatasync, [.fd]),
    .init(.sync_file_range, syncFileRange, [.fd, .long, .long, .hex]),
    .init(.fadvise64, fadvise64, [.fd, .long, .long, .int]),
    .init(.readahead, readahead, [.fd, .long, .uint]),
    .init(.copy_file_range, copyFileRange, [.fd, .pointer, .fd, .pointer, .uint, .hex]),
    .init(.flock, flock, [.fd, .int]),
  ]

  /// `RLIMIT_FSIZE`. - Throws: `EFBIG`, after SIGXFSZ.
  private static func checkSize(_ task: Task, _ size: UInt64) throws(Errno) {
    guard size > task.group.limits[.fileSize].current else { return }
    task.kernel.raise(Signal.xfsz, on: task)
    throw .fileTooLarge
  }

  /// truncate(2).
  static func truncate(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard let size = UInt64(exactly: a.long(1)) else { throw .invalidArgument }
    let location = try task.resolve(GuestAddress(a[0]))
    try checkSize(task, size)
    try task.kernel.vfs.truncate(location, to: size, task.credentials)
    return 0
  }

  /// ftruncate(2).
  static func ftruncate(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard let size = UInt64(exactly: a.long(1)) else { throw .invalidArgument }
    let file = try task.openFile(a.int(0))
    guard file.flags.isWritable, file.inode?.kind == .regular else { throw .invalidArgument }
    try checkSize(task, size)
    try VFS.removePrivileges(of: file, task.credentials)
    try file.truncate(to: size)
    return 0
  }

  /// fallocate(2).
  static func fallocate(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.long(2) >= 0, a.long(3) > 0 else { throw .invalidArgument }
    let file = try task.writableFile(a.int(0))
    guard file.pipe == nil else { throw .illegalSeek }
    guard file.inode?.kind == .regular else { throw .operationNotSupportedByDevice }
    let (end, overflow) = a.long(2).addingReportingOverflow(a.long(3))
    guard !overflow else { throw .fileTooLarge }
    let mode = AllocationMode(rawValue: a.uint(1))
    if !mode.contains(.keepSize) { try checkSize(task, UInt64(end)) }
    try VFS.removePrivileges(of: file, task.credentials)
    try file.allocate(mode: mode, offset: a[2], length: a[3])
    return 0
  }

  // MARK: writing back

  /// sync(2): what the host has not written yet is the host's business.
  static func sync(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { 0 }

  /// syncfs(2).
  static func syncfs(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    _ = try task.openFile(a.int(0))
    return 0
  }

  /// fsync(2).
  static func fsync(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.openFile(a.int(0)).sync(dataOnly: false)
    return 0
  }

  /// fdatasync(2).
  static func fdatasync(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try task.openFile(a.int(0)).sync(dataOnly: true)
    return 0
  }

  /// sync_file_range(2): checks its arguments; fsync(2) is the call that makes promises.
  static func syncFileRange(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.openFile(a.int(0))
    guard SyncRangeFlags(rawValue: a.uint(3)).isSubset(of: .all), a.long(1) >= 0, a.long(2) >= 0,
      !a.long(1).addingReportingOverflow(a.long(2)).overflow
    else { throw .invalidArgument }
    switch file.inode?.kind {
    case .regular, .blockDevice, .directory, .symbolicLink: return 0
    default: throw .illegalSeek
    }
  }

  // MARK: advice

  /// posix_fadvise(2): checks its arguments.
  static func fadvise64(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.openFile(a.int(0))
    guard file.pipe == nil else { throw .illegalSeek }
    guard FileAdvice(rawValue: a.int(3)) != nil, a.long(2) >= 0 else { throw .invalidArgument }
    return 0
  }

  /// readahead(2).
  static func readahead(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.readableFile(a.int(0))
    guard file.inode?.kind == .regular else { throw .invalidArgument }
    return 0
  }

  // MARK: copying

  /// Bytes that one call copies at most: the kernel lock is held meanwhile.
  private static let copyLimit = 1 << 20

  /// copy_file_range(2).
  static func copyFileRange(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let input = try task.readableFile(a.int(0))
    let output = try task.writableFile(a.int(2))
    guard a.uint(5) == 0 else { throw .invalidArgument }
    for file in [input, output] {
      guard let kind = file.inode?.kind else { throw .invalidArgument }
      if kind == .directory { throw .isDirectory }
      guard kind == .regular else { throw .invalidArgument }
    }
    if output.flags.contains(.append) { throw .badFileDescriptor }
    let from = try copyOffset(task, a[1], input)
    let to = try copyOffset(task, a[3], output)
    let count = Int(min(a[4], UInt64(copyLimit)))
    if input.inode === output.inode, from < to &+ UInt64(count), to < from &+ UInt64(count) {
      throw .invalidArgument
    }
    try VFS.removePrivileges(of: output, task.credentials)
    let bytes = try task.blocking(input, .readable) { () throws(Errno) -> [UInt8] in
      var buffer = IOBuffer(collecting: count)
      _ = try input.read(into: &buffer, at: from)
      return buffer.collected
    }
    let written = try task.blocking(output, .writable) { () throws(Errno) -> Int in
      var source = IOBuffer(bytes: bytes)
      return bytes.isEmpty ? 0 : try output.write(from: &source, at: to)
    }
    try finishCopy(task, a[1], input, from &+ UInt64(written))
    try finishCopy(task, a[3], output, to &+ UInt64(written))
    return written
  }

  private static func copyOffset(_ task: Task, _ address: UInt64, _ file: OpenFile) throws(Errno) -> UInt64 {
    guard address != 0 else { return file.position }
    guard let offset = UInt64(exactly: try task.memory.readValue(GuestAddress(address), as: Int64.self)) else {
      throw .invalidArgument
    }
    return offset
  }

  private static func finishCopy(
    _ task: Task, _ address: UInt64, _ file: OpenFile, _ offset: UInt64
  ) throws(Errno) {
    if address == 0 { file.position = offset } else { try task.memory.writeValue(GuestAddress(address), offset) }
  }

  // MARK: locks

  /// flock(2).
  static func flock(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.openFile(a.int(0))
    let operation = FlockOperation(rawValue: a.int(1))
    let kind: FileLockKind?
    switch operation.subtracting(.nonBlocking) {
    case .shared: kind = .read
    case .exclusive: kind = .write
    case .unlock: kind = nil
    default: throw .invalidArgument
    }
    // Files without an inode can't be opened twice: nobody to lock out.
    guard let locks = file.inode?.locks else { return 0 }
    guard let kind else {
      locks.unlockWhole(file)
      return 0
    }
    do throws(Errno) {
      try locks.lockWhole(file, kind)
    } catch {
      guard error == .wouldBlock, !operation.contains(.nonBlocking) else { throw error }
      throw task.wait(on: [locks.waitQueue])
    }
    return 0
  }
}
