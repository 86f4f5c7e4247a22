import FileSystem
import LinuxABI
import Memory

extension AllocationMode: SyscallArgument {}
extension FlockOperation: SyscallArgument {}
extension SyncRangeFlags: SyscallArgument {}

/// Sizes and contents of files, and locks on them.
extension Syscalls {
  static let fileContentTable: [SyscallEntry] = [
    .init(.truncate, truncate),
    .init(.ftruncate, ftruncate),
    .init(.fallocate, fallocate),
    .init(.sync, sync, writtenByHost),
    .init(.syncfs, syncfs, writtenByHost),
    .init(.fsync, fsync),
    .init(.fdatasync, fdatasync),
    .init(.sync_file_range, syncFileRange, .partial("checks its arguments; only fsync(2) and fdatasync(2) write back")),
    .init(.fadvise64, fadvise64, .partial("checks its arguments; the advice has no effect")),
    .init(.readahead, readahead, .partial("checks its arguments; reads nothing")),
    .init(.copy_file_range, copyFileRange),
    .init(.flock, flock),
  ]
  private static let writtenByHost = SyscallSupport.partial(
    "does nothing: what the host has not written yet is the host's business")

  /// `RLIMIT_FSIZE`. - Throws: `EFBIG`, after SIGXFSZ.
  private static func checkSize(_ task: Task, _ size: UInt64) throws(Errno) {
    guard size > task.group.limits[.fileSize].current else { return }
    task.kernel.raise(Signal.xfsz, on: task)
    throw .fileTooLarge
  }

  /// truncate(2).
  static func truncate(_ task: Task, _ path: GuestPath, _ size: Int64) throws(Errno) -> CallOutcome<Int> {
    let size = try fileOffset(size)
    let file: OpenFile
    if case .opening(let kept) = task.call.kept {
      file = kept
    } else {
      file = try task.kernel.vfs.openToTruncate(try task.resolve(path), task.credentials)
    }
    task.call.kept = .nothing
    let outcome: CallOutcome<Int>
    do throws(Errno) {
      try checkSize(task, size)
      try VFS.removePrivileges(of: file, task.credentials)
      // A file of the root may have to be copied first, in parts.
      outcome = try task.blocking(file, .readable) { () throws(Errno) in
        try file.truncate(to: size)
        return 0
      }
    } catch {
      file.close()
      throw error
    }
    if case .suspended(.parked) = outcome { task.call.kept = .opening(file) } else { file.close() }
    return outcome
  }

  /// ftruncate(2).
  static func ftruncate(_ task: Task, _ file: FileDescriptorNumber, _ size: Int64) throws(Errno) -> CallOutcome<Int> {
    let size = try fileOffset(size)
    let file = try task.openFile(file)
    guard file.flags.isWritable, file.inode?.kind == .regular else { throw .invalidArgument }
    try checkSize(task, size)
    try VFS.removePrivileges(of: file, task.credentials)
    return try task.blocking(file, .readable) { () throws(Errno) in
      try file.truncate(to: size)
      return 0
    }
  }

  /// fallocate(2).
  static func fallocate(
    _ task: Task, _ file: FileDescriptorNumber, _ mode: AllocationMode, _ offset: Int64, _ length: Int64
  ) throws(Errno) -> CallOutcome<Int> {
    let file = try task.openFile(file)
    guard offset >= 0, length > 0 else { throw .invalidArgument }
    guard mode != .punchHole else { throw .notSupported }
    guard file.flags.isWritable else { throw .badFileDescriptor }
    guard file.pipe == nil else { throw .illegalSeek }
    guard file.inode?.kind == .regular else { throw .operationNotSupportedByDevice }
    let (end, overflow) = offset.addingReportingOverflow(length)
    guard !overflow else { throw .fileTooLarge }
    if !mode.contains(.keepSize) { try checkSize(task, UInt64(end)) }
    try VFS.removePrivileges(of: file, task.credentials)
    return try task.blocking(file, .readable) { () throws(Errno) in
      try file.allocate(mode: mode, offset: UInt64(offset), length: UInt64(length))
      return 0
    }
  }

  // MARK: writing back

  /// sync(2): what the host has not written yet is the host's business.
  static func sync(_ task: Task) throws(Errno) -> Int { 0 }

  /// syncfs(2).
  static func syncfs(_ task: Task, _ file: FileDescriptorNumber) throws(Errno) -> Int {
    _ = try task.openFile(file)
    return 0
  }

  /// fsync(2).
  static func fsync(_ task: Task, _ file: FileDescriptorNumber) throws(Errno) -> Int {
    try task.openFile(file).sync(dataOnly: false)
    return 0
  }

  /// fdatasync(2).
  static func fdatasync(_ task: Task, _ file: FileDescriptorNumber) throws(Errno) -> Int {
    try task.openFile(file).sync(dataOnly: true)
    return 0
  }

  /// sync_file_range(2): checks its arguments; fsync(2) is the call that makes promises.
  static func syncFileRange(
    _ task: Task, _ file: FileDescriptorNumber, _ offset: Int64, _ count: Int64, _ flags: SyncRangeFlags
  ) throws(Errno) -> Int {
    let file = try task.openFile(file)
    guard flags.isSubset(of: .all), offset >= 0, count >= 0, !offset.addingReportingOverflow(count).overflow else {
      throw .invalidArgument
    }
    switch file.inode?.kind {
    case .regular, .blockDevice, .directory, .symbolicLink: return 0
    default: throw .illegalSeek
    }
  }

  // MARK: advice

  /// posix_fadvise(2): checks its arguments.
  static func fadvise64(
    _ task: Task, _ file: FileDescriptorNumber, _: Int64, _ length: Int64, _ advice: Constant<FileAdvice>
  ) throws(Errno) -> Int {
    let file = try task.openFile(file)
    guard file.pipe == nil else { throw .illegalSeek }
    guard advice.value != nil, length >= 0 else { throw .invalidArgument }
    return 0
  }

  /// readahead(2).
  static func readahead(_ task: Task, _ file: FileDescriptorNumber, _: Int64, _: UInt64) throws(Errno) -> Int {
    let file = try task.readableFile(file)
    guard file.inode?.kind == .regular else { throw .invalidArgument }
    return 0
  }

  // MARK: copying

  /// copy_file_range(2), which has no flags yet.
  static func copyFileRange(
    _ task: Task, _ input: FileDescriptorNumber, _ inputOffset: InOutPointer<Int64>, _ output: FileDescriptorNumber,
    _ outputOffset: InOutPointer<Int64>, _ count: UInt64, _ flags: Hexadecimal<UInt32>
  ) throws(Errno) -> CallOutcome<Int> {
    let input = try task.openFile(input)
    let output = try task.openFile(output)
    let source = inputOffset.isNull ? Int64(clamping: input.position) : try task.load(inputOffset)
    let target = outputOffset.isNull ? Int64(clamping: output.position) : try task.load(outputOffset)
    guard flags.value == 0 else { throw .invalidArgument }
    let kinds = [input.inode?.kind, output.inode?.kind]
    guard !kinds.contains(.directory) else { throw .isDirectory }
    guard kinds.allSatisfy({ $0 == .regular }) else { throw .invalidArgument }
    guard input.flags.isReadable, output.flags.isWritable, !output.flags.contains(.append) else {
      throw .badFileDescriptor
    }
    for offset in [source, target] where UInt64(bitPattern: offset).addingReportingOverflow(count).overflow {
      throw .overflow
    }
    let available = max(try input.attributes().size.subtractingReportingOverflow(source).partialValue, 0)
    let total = Int(min(count, UInt64(Layout.maximumTransfer), UInt64(available)))
    if input.inode === output.inode, source < target &+ Int64(total), target < source &+ Int64(total) {
      throw .invalidArgument
    }
    let done = task.call.transferred
    let (from, to) = (try fileOffset(source) &+ UInt64(done), try fileOffset(target) &+ UInt64(done))
    let count = max(0, min(total - done, copyPart))
    guard count > 0 || done > 0 else { return .done(0) }
    try VFS.removePrivileges(of: output, task.credentials)
    let read = try task.blocking(input, .readable) { () throws(Errno) -> [UInt8] in
      var buffer = IOBuffer(collecting: count)
      _ = try input.read(into: &buffer, at: from)
      return buffer.collected
    }
    let bytes: [UInt8]
    switch read {
    case .done(let collected): bytes = collected
    case .suspended(let suspension): return .suspended(suspension)
    }
    let outcome: CallOutcome<Int>
    do throws(Errno) {
      outcome = try task.blocking(output, .writable) { () throws(Errno) -> Int in
        var source = IOBuffer(bytes: bytes)
        try task.limitSize(of: output, &source, at: to)
        return bytes.isEmpty ? 0 : try output.write(from: &source, at: to)
      }
    } catch {
      guard done > 0 else { throw error }
      outcome = .done(0)
    }
    guard case .done(let written) = outcome else { return outcome }
    task.call.transferred += written
    if written == copyPart, task.call.transferred < total { return .suspended(task.giveWay()) }
    try finishCopy(task, inputOffset, input, from &+ UInt64(written))
    try finishCopy(task, outputOffset, output, to &+ UInt64(written))
    return .done(task.call.transferred)
  }

  /// What one run of copy_file_range(2) copies: others have their turn in between.
  private static let copyPart = 1 << 20

  private static func finishCopy(
    _ task: Task, _ pointer: InOutPointer<Int64>, _ file: OpenFile, _ offset: UInt64
  ) throws(Errno) {
    if pointer.isNull { file.position = offset } else { try task.store(Int64(clamping: offset), to: pointer) }
  }

  // MARK: locks

  /// flock(2).
  static func flock(
    _ task: Task, _ file: FileDescriptorNumber, _ operation: FlockOperation
  ) throws(Errno) -> CallOutcome<Int> {
    // Linux once had mandatory locks, and goes on accepting the flag for them.
    if operation.contains(.mandatory) { return .done(0) }
    let file = try task.openFile(file)
    let kind: FileLockKind?
    switch operation.subtracting(.nonBlocking) {
    case .shared: kind = .read
    case .exclusive: kind = .write
    case .unlock: kind = nil
    default: throw .invalidArgument
    }
    // Files without an inode can't be opened twice, so there is nobody to lock out.
    guard let locks = file.inode?.locks else { return .done(0) }
    guard let kind else {
      locks.unlockWhole(file)
      return .done(0)
    }
    do throws(Errno) {
      try locks.lockWhole(file, kind)
    } catch {
      guard error == .wouldBlock, !operation.contains(.nonBlocking) else { throw error }
      locks.prepareToWait()
      return .suspended(task.wait(on: [locks.waitQueue]))
    }
    return .done(0)
  }
}
