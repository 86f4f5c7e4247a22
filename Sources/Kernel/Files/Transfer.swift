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

    var count: Int {
      switch self {
      case .single(_, let count): count
      case .vector(let parts): parts.reduce(0) { $0 + Int(clamping: $1.count) }
      }
    }

    /// At most `limit` bytes of it, after the first `start`.
    func part(from start: Int, limit: Int) -> GuestBuffer {
      if start == 0, count <= limit { return self }
      switch self {
      case .single(let address, let count): return .single(address: address &+ start, count: min(count - start, limit))
      case .vector(let vectors):
        var (skipped, left) = (UInt64(start), UInt64(limit))
        var parts: [(address: GuestAddress, count: UInt64)] = []
        for vector in vectors {
          let before = min(skipped, vector.count)
          skipped -= before
          let count = min(vector.count - before, left)
          left -= count
          if count > 0 { parts.append((vector.address &+ Int(before), count)) }
        }
        return .vector(parts)
      }
    }
  }

  /// What one run of a call moves at most, from or to a file that never keeps it waiting: others have their turn in between.
  static let transferPart = 2 << 20

  /// Reads an iovec and bounds its total. - Throws: `EINVAL` (readv(2)).
  func readVector(_ vectors: VectorPointer, count: UInt64) throws(Errno) -> GuestBuffer {
    guard count <= 1024 else { throw .invalidArgument }
    let entries = try memory.readArray(vectors.address, count: Int(count), as: IOVector.self)
    var parts: [(address: GuestAddress, count: UInt64)] = []
    parts.reserveCapacity(entries.count)
    var total: UInt64 = 0
    for entry in entries {
      let (sum, overflow) = total.addingReportingOverflow(entry.count)
      guard !overflow, sum <= UInt64(Int64.max) else { throw .invalidArgument }
      let part = min(entry.count, UInt64(Layout.maximumTransfer) - min(total, UInt64(Layout.maximumTransfer)))
      if part > 0 { parts.append((GuestAddress(entry.base), part)) }
      total = sum
    }
    for entry in entries { try Task.checkAddress(entry.base, entry.count) }
    return .vector(parts)
  }

  /// What can be no memory of a program is refused before anything is moved. - Throws: `EFAULT`.
  private static func checkAddress(_ address: UInt64, _ count: UInt64) throws(Errno) {
    let (end, overflow) = address.addingReportingOverflow(count)
    guard !overflow, end <= Layout.userEnd.rawValue else { throw .badAddress }
  }

  /// A transfer can't go past the largest offset. - Throws: `EINVAL`.
  private func checkEnd(_ file: OpenFile, _ count: Int, at offset: UInt64?) throws(Errno) {
    let (end, overflow) = (offset ?? file.position).addingReportingOverflow(UInt64(count))
    if overflow || end > UInt64(Int64.max), file.inode?.kind == .regular { throw .invalidArgument }
  }

  func resolve(_ buffer: GuestBuffer, for access: MemoryAccess) throws(Errno) -> IOBuffer {
    switch buffer {
    case .single(_, 0): return IOBuffer(bytes: [])
    case .single(let address, let count): return try memory.buffer(address, count: count, for: access)
    case .vector(let vectors):
      return vectors.isEmpty ? IOBuffer(bytes: []) : try memory.buffer(vectors, for: access)
    }
  }

  /// Reads from a file into guest memory, waiting where the file would block. What is large is read in parts, one in each
  /// run of the call.
  func read(
    _ file: OpenFile, _ target: GuestBuffer, at offset: UInt64? = nil, noWait: Bool = false
  ) throws(Errno) -> CallOutcome<Int> {
    if let terminal = file.terminal, let suspension = try stopToRead(terminal) { return .suspended(suspension) }
    if !call.isRetry { try checkEnd(file, target.count, at: offset) }
    let part = target.part(from: call.transferred, limit: file.isPollable ? .max : Task.transferPart)
    var buffer: IOBuffer
    do throws(Errno) {
      buffer = try resolve(part, for: .write)
    } catch {
      if call.transferred > 0 { return .done(call.transferred) }
      return try readNowhere(file, at: offset, noWait: noWait, failure: error)
    }
    do throws(Errno) {
      let count = try file.read(into: &buffer, at: offset.map { $0 &+ UInt64(call.transferred) })
      call.transferred += count
      group.transfers.bytesRead &+= UInt64(count)
      if count == part.count, call.transferred < target.count { return .suspended(giveWay()) }
    } catch {
      return try endingTransfer { () throws(Errno) in
        guard error == .wouldBlock, !noWait else { throw error }
        return try wait(for: file, .readable)
      }
    }
    group.transfers.reads &+= 1
    return .done(call.transferred)
  }

  /// A read into memory that is not there: it fails where there is something to read, so the end of the file, errors of
  /// the file and waiting come first.
  private func readNowhere(
    _ file: OpenFile, at offset: UInt64?, noWait: Bool, failure: Errno
  ) throws(Errno) -> CallOutcome<Int> {
    switch file.inode?.kind {
    case .regular, .directory, .characterDevice:
      guard file.terminal == nil else { throw failure }
      // Reading at an offset moves no position.
      var byte = IOBuffer(collecting: 1)
      guard try file.read(into: &byte, at: offset ?? file.position) == 0 else { throw failure }
      return .done(0)
    default:
      guard !file.readiness().contains(.readable) else { throw failure }
      guard !noWait else { throw .wouldBlock }
      return .suspended(try wait(for: file, .readable))
    }
  }

  private func writeInParts(
    _ file: OpenFile, _ source: GuestBuffer, at offset: UInt64?, noWait: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    let part = source.part(from: call.transferred, limit: Task.transferPart)
    let start = offset.map { $0 &+ UInt64(call.transferred) }
    do throws(Errno) {
      var buffer = try resolve(part, for: .read)
      if call.transferred == 0 { try VFS.removePrivileges(of: file, credentials) }
      // A write that has begun ends at the limit, without an error.
      if call.transferred > 0, try isAtSizeLimit(file, at: start) { return .done(call.transferred) }
      try limitSize(of: file, &buffer, at: start)
      let count = try file.write(from: &buffer, at: start)
      call.transferred += count
      group.transfers.bytesWritten &+= UInt64(count)
      if count == part.count, call.transferred < source.count { return .suspended(giveWay()) }
    } catch {
      return try endingTransfer { () throws(Errno) in
        if noWait, error == .wouldBlock { throw error }
        return try wait(after: error, of: file, for: .writable)
      }
    }
    group.transfers.writes &+= 1
    return .done(call.transferred)
  }

  /// Writes guest memory to a file, waiting where the file would block. A stream takes everything, in several runs if need
  /// be; what was written before a signal or an error is the result.
  func write(
    _ file: OpenFile, _ source: GuestBuffer, at offset: UInt64? = nil, noWait: Bool = false
  ) throws(Errno) -> CallOutcome<Int> {
    if !call.isRetry { try checkEnd(file, source.count, at: offset) }
    if source.count > Task.transferPart, !file.isPollable {
      return try writeInParts(file, source, at: offset, noWait: noWait)
    }
    var buffer = try resolve(source, for: .read)
    buffer.advance(call.transferred)
    try VFS.removePrivileges(of: file, credentials)
    try limitSize(of: file, &buffer, at: offset)
    while true {
      do throws(Errno) {
        let count = try file.write(from: &buffer, at: offset)
        call.transferred += count
        group.transfers.writes &+= 1
        group.transfers.bytesWritten &+= UInt64(count)
      } catch {
        return try endingTransfer { () throws(Errno) in
          if noWait, error == .wouldBlock { throw error }
          return try wait(after: error, of: file, for: .writable)
        }
      }
      if buffer.remaining == 0 || !file.writesFully || noWait { return .done(call.transferred) }
      if file.flags.contains(.nonBlocking) { return .done(call.transferred) }
    }
  }

  /// A transfer can't go on now: it waits, or its result is what it has moved so far, if that is anything.
  func endingTransfer(_ wait: () throws(Errno) -> Suspension) throws(Errno) -> CallOutcome<Int> {
    do throws(Errno) {
      let suspension = try wait()
      if suspension == .parked || call.transferred == 0 { return .suspended(suspension) }
    } catch {
      if call.transferred == 0 { throw error }
    }
    return .done(call.transferred)
  }

  /// Waits for a file that has failed because it would block; throws its error where that is another. A broken pipe sends
  /// SIGPIPE.
  func wait(after error: Errno, of file: OpenFile, for events: PollEvents) throws(Errno) -> Suspension {
    // A socket that has sent a part of the bytes raises no signal.
    let hasSent = file.pipe == nil && call.transferred > 0
    if error == .brokenPipe, file.raisesPipeSignal, !hasSent { kernel.raise(Signal.pipe, on: self) }
    guard error == .wouldBlock else { throw error }
    return try wait(for: file, events)
  }

  /// Parks the task until a file is ready. `O_NONBLOCK` means nothing to a regular file that the host has to read from
  /// disk. - Throws: `EAGAIN` where the file is non-blocking, or the time has passed for which it lets calls wait.
  func wait(
    for file: OpenFile, _ events: PollEvents, interrupted restart: RestartKind = .restartSys
  ) throws(Errno) -> Suspension {
    guard let queue = file.waitQueue, !file.flags.contains(.nonBlocking) || !file.isPollable else { throw .wouldBlock }
    var (end, restart) = (MonotonicTime?.none, restart)
    if let limit = file.waitLimit(for: events) {
      let deadline = deadline(after: limit)
      guard !call.isRetry || kernel.monotonicTime < deadline else { throw .wouldBlock }
      // As in Linux, such a call is not made again.
      (end, restart) = (deadline, .never)
    }
    let suspension = wait(
      on: [queue], events: events.union([.error, .hangUp]), deadline: end, interrupted: restart)
    // Only now: what is ready at once wakes the task at once.
    if suspension == .parked { file.prepareToWait(for: events) }
    return suspension
  }

  /// `RLIMIT_FSIZE` leaves no room where a write would begin.
  private func isAtSizeLimit(_ file: OpenFile, at offset: UInt64?) throws(Errno) -> Bool {
    let limit = group.limits[.fileSize].current
    guard limit != ResourceLimit.infinity, file.inode?.kind == .regular else { return false }
    if file.flags.contains(.append) { return UInt64(clamping: try file.attributes().size) >= limit }
    return offset ?? file.position >= limit
  }

  /// `RLIMIT_FSIZE`: shortens a write to a regular file. - Throws: `EFBIG`, after SIGXFSZ.
  func limitSize(of file: OpenFile, _ buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) {
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
