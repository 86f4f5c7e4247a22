import FileSystem
import LinuxABI
import Memory
import Network

/// Messages of sockets (send(2), recv(2), cmsg(3)).
extension Syscalls {
  static let messageTable: [SyscallEntry] = [
    .init(.sendto, sendto),
    .init(.recvfrom, recvfrom),
    .init(.sendmsg, sendmsg),
    .init(.recvmsg, recvmsg),
  ]

  // MARK: Sending

  /// sendto(2).
  static func sendto(
    _ task: Task, _ socket: FileDescriptorNumber, _ bytes: InBuffer, _ count: UInt64, _ flags: MessageFlags,
    _ address: InBuffer, _ addressSize: Int32
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    var message = OutgoingMessage(sender: task.socketCredentials)
    message.flags = flags
    if !address.address.isNull, addressSize != 0 {
      message.destination = (try task.socketAddress(address.address, size: addressSize), task.socketCaller)
    }
    let source = Task.GuestBuffer.single(address: bytes.address, count: try Task.transferCount(count))
    return try send(task, socket, source, message)
  }

  /// sendmsg(2).
  static func sendmsg(
    _ task: Task, _ socket: FileDescriptorNumber, _ header: InPointer<MessageHeader>, _ flags: MessageFlags
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    let header = try task.load(header)
    let message = try message(task, header, flags)
    let vector = try task.readVector(VectorPointer(header.vectors), count: header.vectorCount)
    let outcome = try send(task, socket, vector, message)
    if case .suspended(.parked) = outcome, task.call.kept.isNothing {
      for file in message.files { file.retainDescriptor() }
      task.call.kept = .sending(message)
    }
    return outcome
  }

  /// What goes with the bytes: the same in all runs of the call.
  private static func message(
    _ task: Task, _ header: MessageHeader, _ flags: MessageFlags
  ) throws(Errno) -> OutgoingMessage {
    if case .sending(let message) = task.call.kept { return message }
    var message = OutgoingMessage(sender: task.socketCredentials)
    message.flags = flags
    if !header.name.isNull, header.nameLength != 0 {
      let size = Int32(clamping: header.nameLength)
      message.destination = (try task.socketAddress(header.name, size: size), task.socketCaller)
    }
    try task.readControl(header, into: &message)
    return message
  }

  private static func send(
    _ task: Task, _ socket: Socket, _ source: Task.GuestBuffer, _ message: OutgoingMessage
  ) throws(Errno) -> CallOutcome<Int> {
    var buffer = try task.resolve(source, for: .read)
    buffer.advance(task.call.transferred)
    var message = message
    while true {
      // What comes with the bytes goes with the first of them.
      if task.call.transferred > 0 {
        message.files = []
        message.control = []
      }
      do throws(Errno) {
        task.call.transferred += try socket.send(&buffer, message)
      } catch {
        let flags = message.flags
        return try task.endingTransfer { () throws(Errno) in
          if error == .brokenPipe, flags.contains(.noSignal) { throw error }
          if error == .wouldBlock, flags.contains(.dontWait) { throw error }
          return try task.wait(after: error, of: socket, for: .writable)
        }
      }
      if buffer.remaining == 0 || !socket.writesFully { return .done(task.call.transferred) }
    }
  }

  // MARK: Receiving

  /// recvfrom(2).
  static func recvfrom(
    _ task: Task, _ socket: FileDescriptorNumber, _ bytes: OutBuffer, _ count: UInt64, _ flags: MessageFlags,
    _ address: GuestAddress, _ addressSize: InOutPointer<Int32>
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    let target = Task.GuestBuffer.single(address: bytes.address, count: try Task.transferCount(count))
    let received: ReceivedMessage
    switch try receive(task, socket, target, flags) {
    case .done(let message): received = message
    case .suspended(let suspension): return .suspended(suspension)
    }
    PassedFiles.drop(received.files)
    if !address.isNull { try task.store(received.source, to: address, addressSize) }
    return .done(received.count)
  }

  /// recvmsg(2).
  static func recvmsg(
    _ task: Task, _ socket: FileDescriptorNumber, _ message: InOutPointer<MessageHeader>, _ flags: MessageFlags
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    var header = try task.load(message)
    let target = try task.readVector(VectorPointer(header.vectors), count: header.vectorCount)
    let received: ReceivedMessage
    switch try receive(task, socket, target, flags) {
    case .done(let message): received = message
    case .suspended(let suspension): return .suspended(suspension)
    }
    defer { PassedFiles.drop(received.files) }
    if !header.name.isNull {
      let name = received.source?.bytes ?? []
      try task.memory.write(header.name, Array(name.prefix(Int(header.nameLength))))
      header.nameLength = UInt32(name.count)
    }
    let control = task.control(
      of: received, capacity: header.control.isNull ? 0 : Int(clamping: header.controlLength),
      closeOnExec: flags.contains(.closeOnExec))
    try task.memory.write(header.control, control.bytes)
    header.controlLength = UInt64(control.bytes.count)
    var shown = received.flags.union(flags.intersection(.closeOnExec))
    if control.isTruncated { shown.insert(.controlTruncated) }
    header.flags = shown
    try task.store(header, to: message)
    return .done(received.count)
  }

  private static func receive(
    _ task: Task, _ socket: Socket, _ target: Task.GuestBuffer, _ flags: MessageFlags
  ) throws(Errno) -> CallOutcome<ReceivedMessage> {
    var buffer = try task.resolve(target, for: .write)
    buffer.advance(task.call.transferred)
    do throws(Errno) {
      var received = try socket.receive(into: &buffer, flags)
      // MSG_WAITALL: what came so far is counted, and the rest is waited for.
      let isPart =
        flags.contains(.waitAll) && socket.type == .stream && !flags.contains(.peek) && received.files.isEmpty
      if isPart, received.count > 0, buffer.remaining > 0, !flags.contains(.dontWait) {
        task.call.transferred += received.count
        if (try? task.wait(for: socket, .readable)) == .parked { return .suspended(.parked) }
        received.count = 0
      }
      received.count += task.call.transferred
      return .done(received)
    } catch {
      guard error == .wouldBlock, !flags.contains(.dontWait) else { throw error }
      let outcome = try task.endingTransfer { () throws(Errno) in try task.wait(for: socket, .readable) }
      switch outcome {
      case .done(let count): return .done(ReceivedMessage(count: count))
      case .suspended(let suspension): return .suspended(suspension)
      }
    }
  }
}

/// Control messages as sockets take and give them: open files in place of descriptors.
extension Task {
  /// `net.core.optmem_max`.
  private static let maximumControlSize: UInt64 = 20480
  /// `SCM_MAX_FD`: files in one message.
  private static let maximumPassedFiles = 253

  /// Reads what a message carries beside its bytes. - Throws: `ENOBUFS`, `EINVAL`, `EBADF`, `EPERM`.
  fileprivate func readControl(_ header: MessageHeader, into message: inout OutgoingMessage) throws(Errno) {
    guard !header.control.isNull, header.controlLength > 0 else { return }
    guard header.controlLength <= Task.maximumControlSize else { throw .noBufferSpace }
    let bytes = try memory.readArray(header.control, count: Int(header.controlLength), as: UInt8.self)
    for entry in try ControlMessage.decode(bytes) {
      switch entry {
      case .rights(let descriptors):
        guard descriptors.count + message.files.count <= Task.maximumPassedFiles else { throw .invalidArgument }
        for descriptor in descriptors { message.files.append(try files.file(descriptor)) }
      case .credentials(let claimed):
        guard claimed == message.sender || credentials.has(.sysAdmin) else { throw .notPermitted }
      case .other: message.control.append(entry)
      }
    }
  }

  /// The control buffer that a received message fills, with new descriptors for its files.
  fileprivate func control(of received: ReceivedMessage, capacity: Int, closeOnExec: Bool) -> ControlBuffer {
    var buffer = ControlBuffer(capacity: capacity)
    if let credentials = received.credentials { buffer.append(.credentials(credentials)) }
    for entry in received.control { buffer.append(entry) }
    var descriptors: [FileDescriptorNumber] = []
    for file in received.files.prefix(buffer.descriptorRoom) {
      guard let descriptor = try? addFile(file, closeOnExec: closeOnExec) else { break }
      descriptors.append(descriptor)
    }
    if !descriptors.isEmpty { buffer.append(.rights(descriptors)) }
    if descriptors.count < received.files.count { buffer.isTruncated = true }
    return buffer
  }
}
