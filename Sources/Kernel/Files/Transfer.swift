import FileSystem
import LinuxABI
import Memory

/// The shared course of the read(2) and write(2) families.
extension Task {
  /// Checks a byte count and bounds it. - Throws: `EINVAL` for more than `SSIZE_MAX`.
  static func transferCount(_ count: UInt64) throws(Errno) -> Int {
    guard count <= UInt64(Int64.max) else { throw .invalidArgument }
    return Int(min(count, UInt64(Layout.maximumTransfer)))
  }

  /// Where a transfer begins and ends in guest memory.
  enum GuestBuffer {
    case single(address: GuestAddress, count: Int)
    case vector([(address: GuestAddress, count: UInt64)])

    /// - Throws: `EINVAL` for more than `SSIZE_MAX`.
    init(_ target: OutBuffer, count: UInt64) throws(Errno) {
      self = .single(address: target.address, count: try Task.transferCount(count))
    }
    /// - Throws: `EINVAL` for more than `SSIZE_MAX`.
    init(_ source: InBuffer, count: UInt64) throws(Errno) {
      self = .single(address: source.address, count: try Task.transferCount(count))
    }
  }

  /// Reads an iovec and bounds its total. - Throws: `EINVAL` (readv(2)).
  func readVector(_ vectors: VectorPointer, count: UInt64) throws(Errno) -> GuestBuffer {
    try readVector(vectors.address, count: count)
  }
  func readVector(_ address: GuestAddress, count: UInt64) throws(Errno) -> GuestBuffer {
    guard count <= 1024 else { throw .invalidArgument }
    let entries = try memory.readArray(address, count: Int(count), as: IOVector.self)
    var vectors: [(address: GuestAddress, count: UInt64)] = []
    vectors.reserveCapacity(entries.count)
    var total: UInt64 = 0
    for entry in entries {
      let (sum, overflow) = total.addingReportingOverflow(entry.count)
      guard !overflow, sum <= UInt64(Int64.max) else { throw .invalidArgument }
      let part = min(entry.count, UInt64(Layout.maximumTransfer) - min(total, UInt64(Layout.maximumTransfer)))
      if part > 0 { vectors.append((GuestAddress(entry.base), part)) }
      total = sum
    }
    return .vector(vectors)
  }

  func resolve(_ buffer: GuestBuffer, for access: MemoryAccess) throws(Errno) -> IOBuffer {
    switch buffer {
    case .single(_, 0): return IOBuffer(bytes: [])
    case .single(let address, let count): return try memory.buffer(address, count: count, for: access)
    case .vector(let vectors):
      return vectors.isEmpty ? IOBuffer(bytes: []) : try memory.buffer(vectors, for: access)
    }
  }

  /// Reads from a file into guest memory, waiting where the file would block.
  func read(
    _ file: OpenFile, _ target: GuestBuffer, at offset: UInt64? = nil, noWait: Bool = false
  ) throws(Errno) -> Int {
    if let terminal = file.terminal { try checkMayRead(terminal) }
    var buffer = try resolve(target, for: .write)
    do throws(Errno) {
      let count = try file.read(into: &buffer, at: offset)
      group.transfers.reads &+= 1
      group.transfers.bytesRead &+= UInt64(count)
      return count
    } catch {
      guard error == .wouldBlock, !noWait else { throw error }
      throw waitError(file, .readable)
    }
  }

  /// Writes guest memory to a file, waiting where the file would block. A stream takes everything, in several runs if need
  /// be; what was written before a signal or an error is the result.
  func write(
    _ file: OpenFile, _ source: GuestBuffer, at offset: UInt64? = nil, noWait: Bool = false
  ) throws(Errno) -> Int {
    var buffer = try resolve(source, for: .read)
    buffer.advance(retry.transferred)
    try VFS.removePrivileges(of: file, credentials)
    try limitSize(of: file, &buffer, at: offset)
    while true {
      do throws(Errno) {
        let count = try file.write(from: &buffer, at: offset)
        retry.transferred += count
        group.transfers.writes &+= 1
        group.transfers.bytesWritten &+= UInt64(count)
      } catch {
        let outcome = noWait && error == .wouldBlock ? error : outcome(of: error, file, .writable)
        if outcome == .parked || retry.transferred == 0 { throw outcome }
        return retry.transferred
      }
      if buffer.remaining == 0 || !file.writesFully || noWait { return retry.transferred }
      if file.flags.contains(.nonBlocking) { return retry.transferred }
    }
  }

  /// What a call throws whose file failed: it waits where the file would block, and a broken pipe sends SIGPIPE.
  func outcome(of error: Errno, _ file: OpenFile, _ events: PollEvents) -> Errno {
    if error == .brokenPipe { kernel.raise(Signal.pipe, on: self) }
    return error == .wouldBlock ? waitError(file, events) : error
  }

  /// What a call throws whose file would block: it parks the task unless the file is non-blocking. `O_NONBLOCK` means
  /// nothing to a regular file that the host has to read from disk.
  func waitError(
    _ file: OpenFile, _ events: PollEvents, deadline: MonotonicTime? = nil, interrupted: Errno = .restartSys
  ) -> Errno {
    guard let queue = file.waitQueue, !file.flags.contains(.nonBlocking) || !file.isPollable else { return .wouldBlock }
    let error = wait(
      on: [queue], events: events.union([.error, .hangUp]), deadline: deadline, interrupted: interrupted)
    // Only now: what is ready at once wakes the task at once.
    if error == .parked { file.prepareToWait(for: events) }
    return error
  }

  /// `RLIMIT_FSIZE`: shortens a write to a regular file. - Throws: `EFBIG`, after SIGXFSZ.
  private func limitSize(of file: OpenFile, _ buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) {
    let limit = group.limits[.fileSize].current
    guard limit != ResourceLimit.infinity, let inode = file.inode, inode.kind == .regular else { return }
    var start = offset ?? file.position
    if file.flags.contains(.append) { start = UInt64(clamping: try file.attributes().size) }
    guard buffer.remaining > 0 else { return }
    guard start < limit else {
      kernel.raise(Signal.xfsz, on: self)
      throw .fileTooLarge
    }
    buffer.truncate(to: Int(clamping: limit - start))
  }
}
