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
    .init(.sendmmsg, sendmmsg),
    .init(.recvmmsg, recvmmsg),
  ]

  // MARK: Sending

  /// sendto(2).
  static func sendto(
    _ task: Task, _ socket: FileDescriptorNumber, _ bytes: InBuffer, _ count: UInt64, _ flags: MessageFlags,
    _ address: InBuffer, _ addressSize: Int32
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    var message = OutgoingMessage(sender: task.senderCredentials)
    message.capabilities = task.credentials.effective
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
    try sendMessage(task, try task.socket(socket), header, flags)
  }

  private static func sendMessage(
    _ task: Task, _ socket: Socket, _ header: InPointer<MessageHeader>, _ flags: MessageFlags
  ) throws(Errno) -> CallOutcome<Int> {
    let header = try task.load(header)
    let message = try message(task, header, flags)
    let outcome = try send(task, socket, try vector(task, header), message)
    if case .suspended(.parked) = outcome, task.call.kept.isNothing {
      for file in message.files { file.retainDescriptor() }
      task.call.kept = .sending(message)
    }
    return outcome
  }

  /// The buffers of a message. - Throws: `EMSGSIZE` for too many.
  private static func vector(_ task: Task, _ header: MessageHeader) throws(Errno) -> Task.GuestBuffer {
    guard header.vectorCount <= maximumVectors else { throw .messageTooLong }
    return try task.readVector(VectorPointer(header.vectors), count: header.vectorCount)
  }

  /// `UIO_MAXIOV`: buffers of one message, and messages of one call.
  private static let maximumVectors: UInt64 = 1024

  /// sendmmsg(2).
  static func sendmmsg(
    _ task: Task, _ socket: FileDescriptorNumber, _ list: GuestAddress, _ count: UInt32, _ flags: MessageFlags
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    return try eachMessage(task, list, count) { (header, _) throws(Errno) in
      try sendMessage(task, socket, InPointer(register: header.rawValue), flags)
    }
  }

  /// Moves one message of a list after the other, and writes down how long each was. An error, a signal or something else
  /// to wait for ends the call, whose result is the number of messages, if there is one.
  /// - Parameter move: is given the message and how many there were before it.
  private static func eachMessage(
    _ task: Task, _ list: GuestAddress, _ count: UInt32,
    _ move: (GuestAddress, Int) throws(Errno) -> CallOutcome<Int>
  ) throws(Errno) -> CallOutcome<Int> {
    let count = Int(min(UInt64(count), maximumVectors))
    while task.call.messages < count {
      let header = GuestAddress(list.rawValue &+ UInt64(task.call.messages) &* MessageListEntry.size)
      do throws(Errno) {
        switch try move(header, task.call.messages) {
        case .done(let length):
          let place = GuestAddress(header.rawValue &+ MessageListEntry.lengthOffset)
          try task.memory.writeValue(place, UInt32(clamping: length))
        case .suspended(let suspension):
          guard suspension != .parked, task.call.messages > 0 else { return .suspended(suspension) }
          return .done(task.call.messages)
        }
      } catch {
        guard task.call.messages > 0 else { throw error }
        return .done(task.call.messages)
      }
      task.call.countMessage()
    }
    return .done(task.call.messages)
  }

  /// What goes with the bytes: the same in all runs of the call.
  private static func message(
    _ task: Task, _ header: MessageHeader, _ flags: MessageFlags
  ) throws(Errno) -> OutgoingMessage {
    if case .sending(let message) = task.call.kept { return message }
    var message = OutgoingMessage(sender: task.senderCredentials)
    message.capabilities = task.credentials.effective
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
    try receiveMessage(task, try task.socket(socket), message, flags)
  }

  /// recvmmsg(2). As in Linux, the timeout counts when a message has come, and wakes nobody.
  static func recvmmsg(
    _ task: Task, _ socket: FileDescriptorNumber, _ list: GuestAddress, _ count: UInt32, _ flags: MessageFlags,
    _ timeout: InOutPointer<Timespec>
  ) throws(Errno) -> CallOutcome<Int> {
    let socket = try task.socket(socket)
    var end: MonotonicTime?
    if !timeout.isNull {
      let limit = try task.load(timeout)
      guard limit.isValid else { throw .invalidArgument }
      end = task.call.messagesEnd ?? task.kernel.monotonicTime + limit.duration
      task.call.messagesEnd = end
    }
    if let error = socket.takePendingError() { throw error }
    let outcome = try eachMessage(task, list, count) { (header, index) throws(Errno) in
      if index > 0, let end, task.kernel.monotonicTime >= end { throw .wouldBlock }
      let waits = index == 0 || !flags.contains(.waitForOne)
      return try receiveMessage(
        task, socket, InOutPointer(register: header.rawValue), waits ? flags : flags.union(.dontWait))
    }
    if case .done = outcome, let end { try task.store(Timespec(end - task.kernel.monotonicTime), to: timeout) }
    return outcome
  }

  private static func receiveMessage(
    _ task: Task, _ socket: Socket, _ message: InOutPointer<MessageHeader>, _ flags: MessageFlags
  ) throws(Errno) -> CallOutcome<Int> {
    var header = try task.load(message)
    let target = try vector(task, header)
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
    let total = buffer.remaining
    buffer.advance(task.call.transferred)
    do throws(Errno) {
      var received = try socket.receive(into: &buffer, flags)
      // A blocked receive of a stream waits for as much as it wants; what came so far is counted.
      let mayWait = socket.type == .stream && flags.isDisjoint(with: [.peek, .dontWait, .outOfBand])
      if mayWait, received.count > 0, received.files.isEmpty {
        task.call.transferred += received.count
        received.count = task.call.transferred
        let wanted = flags.contains(.waitAll) ? total : min(total, Int(socket.settings.receiveLowWater))
        if received.count < wanted, (try? task.wait(for: socket, .readable)) == .parked {
          // What came while this was taken, as it does from outside, has woken nobody.
          if !socket.readiness().isDisjoint(with: .readable) { socket.waitQueue?.wake(.readable) }
          return .suspended(.parked)
        }
      } else {
        received.count += task.call.transferred
      }
      return .done(received)
    } catch {
      guard error == .wouldBlock, !flags.contains(.dontWait) else {
        if task.call.transferred == 0 { throw error }
        if error != .wouldBlock { socket.pendingError = error }
        return .done(ReceivedMessage(count: task.call.transferred))
      }
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
        message.user = credentials.uid
        if !credentials.has(.sysResource), !credentials.has(.sysAdmin) {
          message.fileLimit = group.limits[.openFiles].current
        }
      case .credentials(let claimed):
        try checkMayClaim(claimed)
        message.sender = claimed
        message.statesSender = true
      case .processDescriptor, .other: message.control.append(entry)
      }
    }
  }

  /// Whether this task may send credentials (unix(7), `SCM_CREDENTIALS`). - Throws: `EPERM`, `ESRCH`.
  private func checkMayClaim(_ claimed: SocketCredentials) throws(Errno) {
    let mine = credentials
    let isOwnUser = [mine.uid, mine.euid, mine.suid].contains(claimed.uid)
    let isOwnGroup = [mine.gid, mine.egid, mine.sgid].contains(claimed.gid)
    guard claimed.process == group.id || mine.has(.sysAdmin), isOwnUser || mine.has(.setuid),
      isOwnGroup || mine.has(.setgid)
    else { throw .notPermitted }
    guard claimed.process == group.id || kernel.groups[claimed.process] != nil else { throw .noSuchProcess }
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
    if let process = received.process { addProcessDescriptor(of: process, to: &buffer) }
    return buffer
  }

  /// `SCM_PIDFD`.
  private func addProcessDescriptor(of process: ProcessID, to buffer: inout ControlBuffer) {
    guard buffer.hasDescriptorSpace else { return buffer.isTruncated = true }
    guard let descriptor = try? addProcessDescriptor(process) else { return }
    buffer.append(.processDescriptor(descriptor))
  }
}
