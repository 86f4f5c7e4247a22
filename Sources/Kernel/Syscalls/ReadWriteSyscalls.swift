import FileSystem
import LinuxABI
import Memory

extension TransferFlags: SyscallArgument {}

/// Moving bytes between files and memory.
extension Syscalls {
  static let readWriteTable: [SyscallEntry] = [
    .init(.read, read),
    .init(.write, write),
    .init(.readv, readv),
    .init(.writev, writev),
    .init(.pread64, pread64),
    .init(.pwrite64, pwrite64),
    .init(.preadv, preadv),
    .init(.pwritev, pwritev),
    .init(.preadv2, preadv2),
    .init(.pwritev2, pwritev2),
    .init(.lseek, lseek),
  ]

  /// read(2).
  static func read(
    _ task: Task, _ file: FileDescriptorNumber, _ target: OutBuffer, _ count: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    let file = try task.readableFile(file)
    return try task.read(file, try Task.GuestBuffer(target, count: count))
  }

  /// write(2).
  static func write(
    _ task: Task, _ file: FileDescriptorNumber, _ source: InBuffer, _ count: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    let file = try task.writableFile(file)
    return try task.write(file, try Task.GuestBuffer(source, count: count))
  }

  /// readv(2).
  static func readv(
    _ task: Task, _ file: FileDescriptorNumber, _ targets: VectorPointer, _ count: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    let file = try task.readableFile(file)
    return try task.read(file, try task.readVector(targets, count: count))
  }

  /// writev(2).
  static func writev(
    _ task: Task, _ file: FileDescriptorNumber, _ sources: VectorPointer, _ count: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    let file = try task.writableFile(file)
    return try task.write(file, try task.readVector(sources, count: count))
  }

  /// pread(2).
  static func pread64(
    _ task: Task, _ file: FileDescriptorNumber, _ target: OutBuffer, _ count: UInt64, _ offset: Int64
  ) throws(Errno) -> CallOutcome<Int> {
    let offset = try fileOffset(offset)
    let file = try positioned(task, file, task.readableFile)
    return try task.read(file, try Task.GuestBuffer(target, count: count), at: offset)
  }

  /// pwrite(2). As in Linux, a file opened with `O_APPEND` is written at its end.
  static func pwrite64(
    _ task: Task, _ file: FileDescriptorNumber, _ source: InBuffer, _ count: UInt64, _ offset: Int64
  ) throws(Errno) -> CallOutcome<Int> {
    let offset = try fileOffset(offset)
    let file = try positioned(task, file, task.writableFile)
    return try task.write(file, try Task.GuestBuffer(source, count: count), at: offset)
  }

  /// preadv(2); the high half of the offset is unused on 64-bit Linux.
  static func preadv(
    _ task: Task, _ file: FileDescriptorNumber, _ targets: VectorPointer, _ count: UInt64, _ offset: Int64
  ) throws(Errno) -> CallOutcome<Int> {
    let offset = try fileOffset(offset)
    let file = try positioned(task, file, task.readableFile)
    return try task.read(file, try task.readVector(targets, count: count), at: offset)
  }

  /// pwritev(2).
  static func pwritev(
    _ task: Task, _ file: FileDescriptorNumber, _ sources: VectorPointer, _ count: UInt64, _ offset: Int64
  ) throws(Errno) -> CallOutcome<Int> {
    let offset = try fileOffset(offset)
    let file = try positioned(task, file, task.writableFile)
    return try task.write(file, try task.readVector(sources, count: count), at: offset)
  }

  /// The file of a call with an offset: a pipe has none, whichever end it is.
  private static func positioned(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ open: (FileDescriptorNumber) throws(Errno) -> OpenFile
  ) throws(Errno) -> OpenFile {
    do throws(Errno) {
      return try open(descriptor)
    } catch {
      if (try? task.openFile(descriptor))?.pipe != nil { throw .illegalSeek }
      throw error
    }
  }

  /// The offset of preadv2(2), where -1 is the file's own. - Throws: `EOPNOTSUPP` for unknown flags, `EINVAL`.
  private static func fileOffset(_ value: Int64, _ flags: TransferFlags) throws(Errno) -> UInt64? {
    guard flags.isSubset(of: .all) else { throw .notSupported }
    guard !flags.isSuperset(of: [.append, .noAppend]) else { throw .invalidArgument }
    return value == -1 ? nil : try fileOffset(value)
  }

  /// preadv2(2): `RWF_NOWAIT` does not wait; the other flags have no effect on reading.
  static func preadv2(
    _ task: Task, _ file: FileDescriptorNumber, _ targets: VectorPointer, _ count: UInt64, _ offset: Int64,
    _: Int64, _ flags: TransferFlags
  ) throws(Errno) -> CallOutcome<Int> {
    let offset = try fileOffset(offset, flags)
    let file = try offset == nil ? task.readableFile(file) : positioned(task, file, task.readableFile)
    let target = try task.readVector(targets, count: count)
    return try task.read(file, target, at: offset, noWait: flags.contains(.noWait))
  }

  /// pwritev2(2): `RWF_HIPRI` has no effect; `RWF_DSYNC`, `RWF_SYNC`, `RWF_APPEND` and `RWF_NOAPPEND` do as they say.
  static func pwritev2(
    _ task: Task, _ file: FileDescriptorNumber, _ sources: VectorPointer, _ count: UInt64, _ offset: Int64,
    _: Int64, _ flags: TransferFlags
  ) throws(Errno) -> CallOutcome<Int> {
    var offset = try fileOffset(offset, flags)
    let file = try offset == nil ? task.writableFile(file) : positioned(task, file, task.writableFile)
    let source = try task.readVector(sources, count: count)
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
    let outcome = try task.write(file, source, at: offset, noWait: flags.contains(.noWait))
    if case .done = outcome, !flags.isDisjoint(with: [.dataSync, .sync]), file.inode?.kind == .regular {
      try file.sync(dataOnly: !flags.contains(.sync))
    }
    return outcome
  }

  /// lseek(2).
  static func lseek(
    _ task: Task, _ file: FileDescriptorNumber, _ offset: Int64, _ whence: Constant<Whence>
  ) throws(Errno) -> Int {
    let file = try task.openFile(file)
    guard let whence = whence.value else { throw .invalidArgument }
    return Int(truncatingIfNeeded: try file.seek(to: offset, whence: whence))
  }

  /// A file offset that a call names. - Throws: `EINVAL` for a negative one.
  static func fileOffset(_ value: Int64) throws(Errno) -> UInt64 {
    guard value >= 0 else { throw .invalidArgument }
    return UInt64(value)
  }

  /// The offset that a call finds in memory; nil to use the file's own. - Throws: `EINVAL` for a negative one.
  static func fileOffset(_ task: Task, _ position: InOutPointer<Int64>) throws(Errno) -> UInt64? {
    position.isNull ? nil : try fileOffset(try task.load(position))
  }
}
