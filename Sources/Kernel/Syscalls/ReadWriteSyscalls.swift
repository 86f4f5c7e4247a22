import FileSystem
import LinuxABI
import Memory

/// Moving bytes between files and memory.
extension Syscalls {
  static let readWriteTable: [SyscallEntry] = [
    .init(.read, read, [.fd, .resultBytes, .uint]),
    .init(.write, write, [.fd, .bytes(count: 2), .uint]),
    .init(.readv, readv, [.fd, .iovec, .int]),
    .init(.writev, writev, [.fd, .iovec, .int]),
    .init(.pread64, pread64, [.fd, .resultBytes, .uint, .long]),
    .init(.pwrite64, pwrite64, [.fd, .bytes(count: 2), .uint, .long]),
    .init(.preadv, preadv, [.fd, .iovec, .int, .long]),
    .init(.pwritev, pwritev, [.fd, .iovec, .int, .long]),
    .init(.preadv2, preadv2, [.fd, .iovec, .int, .long, .long, .hex]),
    .init(.pwritev2, pwritev2, [.fd, .iovec, .int, .long, .long, .hex]),
    .init(.lseek, lseek, [.fd, .long, .seekWhence]),
  ]

  /// read(2).
  static func read(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.readableFile(a.int(0))
    return try task.read(file, .single(address: GuestAddress(a[1]), count: try Task.transferCount(a[2])))
  }

  /// write(2).
  static func write(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.writableFile(a.int(0))
    return try task.write(file, .single(address: GuestAddress(a[1]), count: try Task.transferCount(a[2])))
  }

  /// readv(2).
  static func readv(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.readableFile(a.int(0))
    return try task.read(file, try task.readVector(GuestAddress(a[1]), count: a[2]))
  }

  /// writev(2).
  static func writev(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.writableFile(a.int(0))
    return try task.write(file, try task.readVector(GuestAddress(a[1]), count: a[2]))
  }

  /// pread(2).
  static func pread64(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let offset = try fileOffset(a.long(3))
    let file = try task.readableFile(a.int(0))
    return try task.read(file, .single(address: GuestAddress(a[1]), count: try Task.transferCount(a[2])), at: offset)
  }

  /// pwrite(2). As in Linux, a file opened with `O_APPEND` is written at its end.
  static func pwrite64(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let offset = try fileOffset(a.long(3))
    let file = try task.writableFile(a.int(0))
    return try task.write(file, .single(address: GuestAddress(a[1]), count: try Task.transferCount(a[2])), at: offset)
  }

  /// preadv(2); the high half of the offset is unused on 64-bit Linux.
  static func preadv(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let offset = try fileOffset(a.long(3))
    let file = try task.readableFile(a.int(0))
    return try task.read(file, try task.readVector(GuestAddress(a[1]), count: a[2]), at: offset)
  }

  /// pwritev(2).
  static func pwritev(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let offset = try fileOffset(a.long(3))
    let file = try task.writableFile(a.int(0))
    return try task.write(file, try task.readVector(GuestAddress(a[1]), count: a[2]), at: offset)
  }

  /// preadv2(2): `RWF_HIPRI` has no effect, `RWF_NOWAIT` does not wait.
  static func preadv2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = TransferFlags(rawValue: a.uint(5))
    guard flags.isSubset(of: [.highPriority, .dataSync, .sync, .noWait]) else { throw .notSupported }
    let offset = a.long(3) == -1 ? nil : try fileOffset(a.long(3))
    let file = try task.readableFile(a.int(0))
    return try task.read(
      file, try task.readVector(GuestAddress(a[1]), count: a[2]), at: offset, noWait: flags.contains(.noWait))
  }

  /// pwritev2(2): `RWF_HIPRI` has no effect; `RWF_DSYNC`, `RWF_SYNC`, `RWF_APPEND` and `RWF_NOAPPEND` do as they say.
  static func pwritev2(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = TransferFlags(rawValue: a.uint(5))
    let known: TransferFlags = [.highPriority, .dataSync, .sync, .noWait, .append, .noAppend]
    guard flags.isSubset(of: known) else { throw .notSupported }
    guard !flags.isSuperset(of: [.append, .noAppend]) else { throw .invalidArgument }
    var offset = a.long(3) == -1 ? nil : try fileOffset(a.long(3))
    let file = try task.writableFile(a.int(0))
    let source = try task.readVector(GuestAddress(a[1]), count: a[2])
    let (oldFlags, oldPosition) = (file.flags, file.position)
    let appends = flags.contains(.append) && file.inode != nil
    let keepsPosition = appends && offset != nil
    if appends {
      file.flags.insert(.append)
      offset = nil
    } else if flags.contains(.noAppend) {
      file.flags.remove(.append)
    }
    defer {
      if oldFlags.contains(.append) { file.flags.insert(.append) } else { file.flags.remove(.append) }
      if keepsPosition { file.position = oldPosition }
    }
    let count = try task.write(file, source, at: offset, noWait: flags.contains(.noWait))
    if !flags.isDisjoint(with: [.dataSync, .sync]), file.inode != nil {
      try file.sync(dataOnly: !flags.contains(.sync))
    }
    return count
  }

  /// lseek(2).
  static func lseek(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let file = try task.openFile(a.int(0))
    guard let whence = Whence(rawValue: a.int(2)) else { throw .invalidArgument }
    return Int(truncatingIfNeeded: try file.seek(to: a.long(1), whence: whence))
  }

  /// A file offset that a call names. - Throws: `EINVAL` for a negative one.
  static func fileOffset(_ value: Int64) throws(Errno) -> UInt64 {
    guard value >= 0 else { throw .invalidArgument }
    return UInt64(value)
  }
}
