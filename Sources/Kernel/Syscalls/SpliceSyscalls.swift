import FileSystem
import LinuxABI
import Memory

extension SpliceFlags: SyscallArgument {}

/// Moving bytes from file to file.
extension Syscalls {
  static let spliceTable: [SyscallEntry] = [
    .init(.sendfile, sendfile),
    .init(.splice, splice),
    .init(.tee, tee),
    .init(.vmsplice, vmsplice, .partial("copies: what is written to the memory later is not seen in the pipe")),
  ]

  /// Bytes moved in one step.
  private static let chunk = 1 << 17

  /// sendfile(2).
  static func sendfile(
    _ task: Task, _ output: FileDescriptorNumber, _ input: FileDescriptorNumber, _ position: InOutPointer<Int64>,
    _ count: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    let input = try task.readableFile(input)
    guard position.isNull || !input.isPollable else { throw .illegalSeek }
    let given = try fileOffset(task, position)
    let output = try task.writableFile(output)
    let count = try Task.transferCount(count)
    guard output.pipe != nil || !output.flags.contains(.append) else { throw .invalidArgument }
    guard count > 0 else { return .done(0) }
    guard !input.isPollable, input.inode?.kind != .directory else { throw .invalidArgument }
    try VFS.removePrivileges(of: output, task.credentials)
    let start: UInt64
    if let given {
      start = given
    } else {
      start = try input.seek(to: 0, whence: .current)
    }
    // What an earlier run moved is counted in `transferred`; the position was moved along with it.
    var offset = position.isNull ? start : start &+ UInt64(task.call.transferred)
    var failure: Errno?
    var waitsForInput = false
    let pause = task.call.transferred + Task.transferPart
    while task.call.transferred < count {
      if task.call.transferred >= pause { return .suspended(task.giveWay()) }
      do throws(Errno) {
        let (moved, isShort) = try move(
          task, from: input, at: offset, to: output, limit: min(chunk, count - task.call.transferred), &waitsForInput)
        if moved == 0 { break }
        task.call.transferred += moved
        offset &+= UInt64(moved)
        if position.isNull { _ = try input.seek(to: Int64(clamping: offset), whence: .start) }
        // An eventfd(2) takes 8 bytes of each chunk.
        if isShort && !output.writesFully { break }
      } catch {
        failure = error
        break
      }
    }
    if let failure {
      let outcome = try task.endingTransfer { () throws(Errno) in
        waitsForInput
          ? try task.wait(for: input, .readable) : try task.wait(after: failure, of: output, for: .writable)
      }
      if case .suspended = outcome { return outcome }
    }
    if !position.isNull { try task.store(Int64(clamping: offset), to: position) }
    return .done(task.call.transferred)
  }

  private static func isWritable(_ output: OpenFile) -> Bool {
    if let pipe = output.pipe { return pipe.free > 0 }
    return output.waitQueue == nil || output.readiness().contains(.output)
  }

  /// Reads at an offset and writes at the output's position. What the output doesn't take stays unread.
  /// - Parameter waitsForInput: set where it is the input that would block (the host has to read it from disk).
  private static func move(
    _ task: Task, from input: OpenFile, at offset: UInt64, to output: OpenFile, limit: Int, _ waitsForInput: inout Bool
  ) throws(Errno) -> (moved: Int, isShort: Bool) {
    var room = limit
    if let pipe = output.pipe {
      guard pipe.hasReaders else { throw .brokenPipe }
      room = pipe.room(for: room)
      guard room > 0 else { throw .wouldBlock }
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
    let written = try write(task, output, &source, at: nil)
    return (written, written < bytes.count)
  }

  /// Writes as far as RLIMIT_FSIZE allows. Linux then tries the rest: there is the signal, but no error any more.
  private static func write(
    _ task: Task, _ output: OpenFile, _ buffer: inout IOBuffer, at offset: UInt64?
  ) throws(Errno) -> Int {
    let wanted = buffer.remaining
    try task.limitSize(of: output, &buffer, at: offset)
    let isLimited = buffer.remaining < wanted
    let written = try output.write(from: &buffer, at: offset)
    if isLimited, buffer.remaining == 0 { task.kernel.raise(Signal.xfsz, on: task) }
    return written
  }

  /// splice(2): at least one side is a pipe. The bytes are copied.
  static func splice(
    _ task: Task, _ input: FileDescriptorNumber, _ inputOffset: InOutPointer<Int64>, _ output: FileDescriptorNumber,
    _ outputOffset: InOutPointer<Int64>, _ count: UInt64, _ flags: SpliceFlags
  ) throws(Errno) -> CallOutcome<Int> {
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    let input = try task.readableFile(input)
    let output = try task.writableFile(output)
    let count = try Task.transferCount(count)
    if count == 0 { return .done(0) }
    if input.pipe != nil, !inputOffset.isNull { throw .illegalSeek }
    if output.pipe != nil, !outputOffset.isNull { throw .illegalSeek }
    let mayWait = !flags.contains(.nonBlocking)
    switch (input.pipe, output.pipe) {
    case (let source?, let target?):
      guard source !== target else { throw .invalidArgument }
      return try splice(task, source, input, target, output, count, mayWait: mayWait, keeps: false)
    case (let source?, nil):
      return try spliceOut(task, source, input, output, outputOffset, count, mayWait: mayWait)
    case (nil, let target?):
      return try spliceIn(task, input, inputOffset, target, output, count, mayWait: mayWait)
    case (nil, nil): throw .invalidArgument
    }
  }

  /// Pipe to pipe; `keeps` leaves the bytes where they are, too.
  private static func splice(
    _ task: Task, _ source: Pipe, _ input: OpenFile, _ target: Pipe, _ output: OpenFile, _ count: Int, mayWait: Bool,
    keeps: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    guard target.hasReaders else { return .suspended(try task.wait(after: .brokenPipe, of: output, for: .writable)) }
    guard source.count > 0 else {
      if !source.hasWriters { return .done(0) }
      return try wait(task, for: input, .readable, mayWait)
    }
    let room = target.room(for: min(count, source.count))
    guard room > 0 else { return try wait(task, for: output, .writable, mayWait) }
    let bytes = source.peek(room)
    target.append(bytes)
    if !keeps { source.discard(bytes.count) }
    return .done(bytes.count)
  }

  private static func wait(
    _ task: Task, for file: OpenFile, _ events: PollEvents, _ mayWait: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    guard mayWait else { throw .wouldBlock }
    return .suspended(try task.wait(for: file, events))
  }

  /// Pipe to file.
  private static func spliceOut(
    _ task: Task, _ source: Pipe, _ input: OpenFile, _ output: OpenFile, _ position: InOutPointer<Int64>, _ count: Int,
    mayWait: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    if output.flags.contains(.append) { throw .invalidArgument }
    let offset = try fileOffset(task, position)
    guard source.count > 0 else {
      if !source.hasWriters { return .done(0) }
      return try wait(task, for: input, .readable, mayWait)
    }
    try VFS.removePrivileges(of: output, task.credentials)
    var buffer = IOBuffer(bytes: source.peek(count))
    do throws(Errno) {
      let written = try write(task, output, &buffer, at: offset)
      source.discard(written)
      if let offset { try task.store(Int64(clamping: offset &+ UInt64(written)), to: position) }
      return .done(written)
    } catch {
      if error == .wouldBlock, !mayWait { throw error }
      return .suspended(try task.wait(after: error, of: output, for: .writable))
    }
  }

  /// File to pipe.
  private static func spliceIn(
    _ task: Task, _ input: OpenFile, _ position: InOutPointer<Int64>, _ target: Pipe, _ output: OpenFile, _ count: Int,
    mayWait: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    guard target.hasReaders else { return .suspended(try task.wait(after: .brokenPipe, of: output, for: .writable)) }
    let room = target.room(for: count)
    guard room > 0 else { return try wait(task, for: output, .writable, mayWait) }
    let offset = try fileOffset(task, position)
    var buffer = IOBuffer(collecting: room)
    do throws(Errno) {
      let read = try input.read(into: &buffer, at: offset)
      if read > 0 { target.append(buffer.collected) }
      if let offset { try task.store(Int64(clamping: offset &+ UInt64(read)), to: position) }
      return .done(read)
    } catch {
      guard error == .wouldBlock, mayWait else { throw error }
      return .suspended(try task.wait(for: input, .readable))
    }
  }

  /// tee(2).
  static func tee(
    _ task: Task, _ input: FileDescriptorNumber, _ output: FileDescriptorNumber, _ count: UInt64, _ flags: SpliceFlags
  ) throws(Errno) -> CallOutcome<Int> {
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    let input = try task.readableFile(input)
    let output = try task.writableFile(output)
    guard let source = input.pipe, let target = output.pipe, source !== target else { throw .invalidArgument }
    let count = try Task.transferCount(count)
    if count == 0 { return .done(0) }
    return try splice(
      task, source, input, target, output, count, mayWait: !flags.contains(.nonBlocking), keeps: true)
  }

  /// vmsplice(2): memory to or from a pipe; the bytes are copied. It waits for room, and gives what fits.
  static func vmsplice(
    _ task: Task, _ file: FileDescriptorNumber, _ vectors: VectorPointer, _ count: UInt64, _ flags: SpliceFlags
  ) throws(Errno) -> CallOutcome<Int> {
    guard flags.isSubset(of: .all) else { throw .invalidArgument }
    let file = try task.openFile(file)
    guard file.pipe != nil else { throw .badFileDescriptor }
    let vector = try task.readVector(vectors, count: count)
    let noWait = flags.contains(.nonBlocking)
    guard file.flags.isWritable else { return try task.read(file, vector, noWait: noWait) }
    do throws(Errno) {
      return try task.write(file, vector, noWait: true)
    } catch {
      guard error == .wouldBlock, !noWait else { throw error }
      return .suspended(try task.wait(for: file, .writable))
    }
  }
}
