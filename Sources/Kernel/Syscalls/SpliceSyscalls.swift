import FileSystem
import LinuxABI
import Memory

/// Moving bytes from file to file.
extension Syscalls {
  static let spliceTable: [SyscallEntry] = [
    .init(.sendfile, sendfile, [.fd, .fd, .pointer, .uint]),
    .init(.splice, splice, [.fd, .pointer, .fd, .pointer, .uint, .hex]),
    .init(.tee, tee, [.fd, .fd, .uint, .hex]),
    .init(.vmsplice, vmsplice, [.fd, .iovec, .uint, .hex]),
  ]

  /// Bytes moved in one step.
  private static let chunk = 1 << 17
  /// Bytes that sendfile(2) moves at most: the kernel lock is held meanwhile. Callers expect partial transfers.
  private static let sendfileLimit = 16 << 20

  /// sendfile(2).
  static func sendfile(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let output = try task.writableFile(a.int(0))
    let input = try task.readableFile(a.int(1))
    let count = min(try Task.transferCount(a[3]), sendfileLimit)
    guard !output.flags.contains(.append), !input.isPollable else { throw .invalidArgument }
    let start: UInt64
    if a[2] != 0 {
      start = try fileOffset(try task.memory.readValue(GuestAddress(a[2]), as: Int64.self))
    } else {
      start = try input.seek(to: 0, whence: .current)
    }
    // What an earlier run moved is counted in `transferred`; the position was moved along with it.
    var offset = a[2] != 0 ? start &+ UInt64(task.retry.transferred) : start
    var failure: Errno?
    var waitsForInput = false
    while task.retry.transferred < count {
      do throws(Errno) {
        let (moved, isShort) = try move(
          from: input, at: offset, to: output, limit: min(chunk, count - task.retry.transferred), &waitsForInput)
        if moved == 0 { break }
        task.retry.transferred += moved
        offset &+= UInt64(moved)
        if a[2] == 0 { _ = try input.seek(to: Int64(clamping: offset), whence: .start) }
        // An eventfd(2) takes 8 bytes of each chunk.
        if isShort && !output.writesFully { break }
      } catch {
        failure = error
        break
      }
    }
    if let failure {
      let outcome =
        waitsForInput ? task.waitError(input, .readable) : task.outcome(of: failure, output, .writable)
      if outcome == .parked || task.retry.transferred == 0 { throw outcome }
    }
    if a[2] != 0 { try task.memory.writeValue(GuestAddress(a[2]), Int64(clamping: offset)) }
    return task.retry.transferred
  }

  private static func isWritable(_ output: OpenFile) -> Bool {
    if let pipe = output.pipe { return pipe.free > 0 }
    return output.waitQueue == nil || output.readiness().contains(.output)
  }

  /// Reads at an offset and writes at the output's position. What the output doesn't take stays unread.
  /// - Parameter waitsForInput: set where it is the input that would block (the host has to read it from disk).
  private static func move(
    from input: OpenFile, at offset: UInt64, to output: OpenFile, limit: Int, _ waitsForInput: inout Bool
  ) throws(Errno) -> (moved: Int, isShort: Bool) {
    var room = limit
    if let pipe = output.pipe {
      guard pipe.hasReaders else { throw .brokenPipe }
      guard pipe.free > 0 else { throw .wouldBlock }
      room = min(room, pipe.free)
    } else if output.isPollable, output.readiness().isDisjoint(with: [.output, .error, .hangUp]) {
      throw .wouldBlock
    }
    var buffer = IOBuffer(collecting: room)
    do throws(Errno) {
      guard try input.read(into: &buffer, at: offset) > 0 else { return (0, true) }
    } catch {
      waitsForInput = error == .wouldBlock
      throw error
    }
    let bytes = buffer.collected
    if let pipe = output.pipe {
      pipe.append(bytes)
      return (bytes.count, false)
    }
    var source = IOBuffer(bytes: bytes)
    let written = try output.write(from: &source, at: nil)
    return (written, written < bytes.count)
  }

  /// splice(2): at least one side is a pipe. The bytes are copied.
  static func splice(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = SpliceFlags(rawValue: a.uint(5))
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    let input = try task.readableFile(a.int(0))
    let output = try task.writableFile(a.int(2))
    let count = try Task.transferCount(a[4])
    if count == 0 { return 0 }
    if input.pipe != nil, a[1] != 0 { throw .illegalSeek }
    if output.pipe != nil, a[3] != 0 { throw .illegalSeek }
    let mayWait = !flags.contains(.nonBlocking)
    switch (input.pipe, output.pipe) {
    case (let source?, let target?):
      guard source !== target else { throw .invalidArgument }
      return try splice(task, source, input, target, output, count, mayWait: mayWait, keeps: false)
    case (let source?, nil):
      return try spliceOut(task, source, input, output, a[3], count, mayWait: mayWait)
    case (nil, let target?):
      return try spliceIn(task, input, a[1], target, output, count, mayWait: mayWait)
    case (nil, nil): throw .invalidArgument
    }
  }

  /// Pipe to pipe; `keeps` leaves the bytes where they are, too.
  private static func splice(
    _ task: Task, _ source: Pipe, _ input: OpenFile, _ target: Pipe, _ output: OpenFile, _ count: Int, mayWait: Bool,
    keeps: Bool
  ) throws(Errno) -> Int {
    guard target.hasReaders else { throw task.outcome(of: .brokenPipe, output, .writable) }
    guard source.count > 0 else {
      if !source.hasWriters { return 0 }
      throw mayWait ? task.waitError(input, .readable) : .wouldBlock
    }
    guard target.free > 0 else { throw mayWait ? task.waitError(output, .writable) : .wouldBlock }
    let bytes = source.peek(min(count, target.free))
    target.append(bytes)
    if !keeps { source.discard(bytes.count) }
    return bytes.count
  }

  /// Pipe to file.
  private static func spliceOut(
    _ task: Task, _ source: Pipe, _ input: OpenFile, _ output: OpenFile, _ offsetAddress: UInt64, _ count: Int,
    mayWait: Bool
  ) throws(Errno) -> Int {
    if output.flags.contains(.append) { throw .invalidArgument }
    let offset =
      offsetAddress == 0 ? nil : try fileOffset(try task.memory.readValue(GuestAddress(offsetAddress), as: Int64.self))
    guard source.count > 0 else {
      if !source.hasWriters { return 0 }
      throw mayWait ? task.waitError(input, .readable) : .wouldBlock
    }
    var buffer = IOBuffer(bytes: source.peek(count))
    do throws(Errno) {
      let written = try output.write(from: &buffer, at: offset)
      source.discard(written)
      if let offset {
        try task.memory.writeValue(GuestAddress(offsetAddress), Int64(clamping: offset &+ UInt64(written)))
      }
      return written
    } catch {
      if error == .wouldBlock, !mayWait { throw error }
      throw task.outcome(of: error, output, .writable)
    }
  }

  /// File to pipe.
  private static func spliceIn(
    _ task: Task, _ input: OpenFile, _ offsetAddress: UInt64, _ target: Pipe, _ output: OpenFile, _ count: Int,
    mayWait: Bool
  ) throws(Errno) -> Int {
    guard target.hasReaders else { throw task.outcome(of: .brokenPipe, output, .writable) }
    guard target.free > 0 else { throw mayWait ? task.waitError(output, .writable) : .wouldBlock }
    let offset =
      offsetAddress == 0 ? nil : try fileOffset(try task.memory.readValue(GuestAddress(offsetAddress), as: Int64.self))
    var buffer = IOBuffer(collecting: min(count, target.free))
    do throws(Errno) {
      let read = try input.read(into: &buffer, at: offset)
      if read > 0 { target.append(buffer.collected) }
      if let offset { try task.memory.writeValue(GuestAddress(offsetAddress), Int64(clamping: offset &+ UInt64(read))) }
      return read
    } catch {
      guard error == .wouldBlock, mayWait else { throw error }
      throw task.waitError(input, .readable)
    }
  }

  /// tee(2).
  static func tee(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = SpliceFlags(rawValue: a.uint(3))
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    let input = try task.readableFile(a.int(0))
    let output = try task.writableFile(a.int(1))
    guard let source = input.pipe, let target = output.pipe, source !== target else { throw .invalidArgument }
    let count = try Task.transferCount(a[2])
    if count == 0 { return 0 }
    return try splice(
      task, source, input, target, output, count, mayWait: !flags.contains(.nonBlocking), keeps: true)
  }

  /// vmsplice(2): memory to or from a pipe; the bytes are copied. It waits for room, and gives what fits.
  static func vmsplice(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = SpliceFlags(rawValue: a.uint(3))
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    let file = try task.openFile(a.int(0))
    guard file.pipe != nil else { throw .badFileDescriptor }
    let vector = try task.readVector(GuestAddress(a[1]), count: a[2])
    let noWait = flags.contains(.nonBlocking)
    guard file.flags.isWritable else { return try task.read(file, vector, noWait: noWait) }
    do throws(Errno) {
      return try task.write(file, vector, noWait: true)
    } catch {
      guard error == .wouldBlock, !noWait else { throw error }
      throw task.waitError(file, .writable)
    }
  }
}
