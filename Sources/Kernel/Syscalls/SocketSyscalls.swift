import FileSystem
import LinuxABI
import Memory

/// Socket pairs (socketpair(2), unix(7)). There are no other sockets: socket(2) knows no address family.
extension Syscalls {
  static let socketTable: [SyscallEntry] = [
    .init(.socket, socket, [.socketFamily, .int, .int]),
    .init(.socketpair, socketpair, [.socketFamily, .int, .int, .fdPair]),
    .init(.sendto, sendto, [.fd, .bytes(count: 2), .uint, .hex, .pointer, .uint]),
    .init(.recvfrom, recvfrom, [.fd, .resultBytes, .uint, .hex, .pointer, .pointer]),
    .init(.sendmsg, sendmsg, [.fd, .pointer, .hex]),
    .init(.recvmsg, recvmsg, [.fd, .pointer, .hex]),
    .init(.shutdown, shutdown, [.fd, .int]),
    .init(.getsockname, getsockname, [.fd, .pointer, .pointer]),
    .init(.getpeername, getsockname, [.fd, .pointer, .pointer]),
    .init(.getsockopt, getsockopt, [.fd, .int, .int, .pointer, .pointer]),
    .init(.setsockopt, setsockopt, [.fd, .int, .int, .pointer, .uint]),
    .init(.bind, refuseConnected, [.fd, .pointer, .uint]),
    .init(.listen, refuseConnected, [.fd, .int]),
    .init(.accept, refuseConnected, [.fd, .pointer, .pointer]),
    .init(.accept4, refuseConnected, [.fd, .pointer, .pointer, .hex]),
    .init(.connect, connect, [.fd, .pointer, .uint]),
  ]

  private static let unixFamily: Int32 = 1

  /// socket(2): no address family is supported.
  static func socket(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int { throw .addressFamilyNotSupported }

  /// socketpair(2).
  static func socketpair(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a.int(0) == unixFamily else { throw .addressFamilyNotSupported }
    let flags = try descriptorFlags(a.uint(1) & ~0xf)
    guard let kind = PairSocket.Kind(rawValue: a.int(1) & 0xf) else { throw .socketTypeNotSupported }
    guard a.int(2) == 0 || a.int(2) == unixFamily else { throw .protocolNotSupported }
    let (first, second) = PairSocket.makePair(
      kind, flags: flags, owner: task.senderCredentials, passed: task.kernel.passedFiles)
    try task.addPair(first, second, closeOnExec: flags.contains(.closeOnExec), to: a[3])
    return 0
  }

  private static func pairSocket(_ task: Task, _ descriptor: Int32) throws(Errno) -> PairSocket {
    guard let socket = try task.openFile(descriptor) as? PairSocket else { throw .notSocket }
    return socket
  }

  // MARK: Sending

  /// sendto(2).
  static func sendto(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try pairSocket(task, a.int(0))
    if a[4] != 0 { throw .socketIsConnected }
    let source = Task.GuestBuffer.single(address: a[1], count: try Task.transferCount(a[2]))
    return try send(task, socket, source, files: [], MessageFlags(rawValue: a.uint(3)))
  }

  /// sendmsg(2), with `SCM_RIGHTS`. `SCM_CREDENTIALS` must name the sender itself.
  static func sendmsg(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try pairSocket(task, a.int(0))
    let header = try task.memory.readValue(a[1], as: MessageHeader.self)
    if header.name != 0, header.nameLength != 0 { throw .socketIsConnected }
    let files = try readControl(task, header)
    let source = try task.readVector(header.vectors, count: header.vectorCount)
    return try send(task, socket, source, files: files, MessageFlags(rawValue: a.uint(2)))
  }

  private static func send(
    _ task: Task, _ socket: PairSocket, _ source: Task.GuestBuffer, files: [OpenFile], _ flags: MessageFlags
  ) throws(Errno) -> Int {
    guard !flags.contains(.outOfBand) else { throw .notSupportedOnSocket }
    var buffer = try task.resolve(source, for: .read)
    buffer.advance(task.retry.transferred)
    while true {
      do throws(Errno) {
        task.retry.transferred += try socket.send(
          &buffer, files: task.retry.transferred == 0 ? files : [], sender: task.senderCredentials)
      } catch {
        var outcome = error
        if error == .brokenPipe, !flags.contains(.noSignal) { outcome = task.outcome(of: error, socket, .writable) }
        if error == .wouldBlock, !flags.contains(.dontWait) { outcome = task.waitError(socket, .writable) }
        if outcome == .parked || task.retry.transferred == 0 { throw outcome }
        return task.retry.transferred
      }
      if buffer.remaining == 0 || socket.kind != .stream { return task.retry.transferred }
    }
  }

  /// The files that a message carries.
  private static func readControl(_ task: Task, _ header: MessageHeader) throws(Errno) -> [OpenFile] {
    guard header.control != 0, header.controlLength > 0 else { return [] }
    guard header.controlLength <= 20480 else { throw .noBufferSpace }
    var files: [OpenFile] = []
    var offset: UInt64 = 0
    let size = UInt64(MemoryLayout<ControlHeader>.size)
    while offset + size <= header.controlLength {
      let entry = try task.memory.readValue(header.control &+ offset, as: ControlHeader.self)
      guard entry.length >= size, entry.length <= header.controlLength - offset else { throw .invalidArgument }
      guard entry.level == ControlHeader.socketLevel else { throw .invalidArgument }
      let data = header.control &+ offset &+ size
      switch entry.type {
      case ControlHeader.rights:
        let count = Int(entry.length - size) / 4
        guard count + files.count <= 253 else { throw .invalidArgument }
        for descriptor in try task.memory.readArray(data, count: count, as: Int32.self) {
          files.append(try task.files.file(descriptor))
        }
      case ControlHeader.credentials:
        guard entry.length - size == 12 else { throw .invalidArgument }
        let claimed = try task.memory.readValue(data, as: SocketCredentials.self)
        guard claimed == task.senderCredentials || task.credentials.has(.sysAdmin) else { throw .notPermitted }
      default: throw .invalidArgument
      }
      offset += (entry.length + 7) & ~7
    }
    return files
  }

  // MARK: Receiving

  /// recvfrom(2).
  static func recvfrom(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try pairSocket(task, a.int(0))
    let flags = MessageFlags(rawValue: a.uint(3))
    let target = Task.GuestBuffer.single(address: a[1], count: try Task.transferCount(a[2]))
    let received = try receive(task, socket, target, flags)
    PairSocket.drop(received.files)
    if a[5] != 0 { try task.memory.writeValue(a[5], UInt32(0)) }
    return flags.contains(.truncated) && socket.kind.keepsBorders ? received.fullCount : received.count
  }

  /// recvmsg(2).
  static func recvmsg(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try pairSocket(task, a.int(0))
    let flags = MessageFlags(rawValue: a.uint(2))
    var header = try task.memory.readValue(a[1], as: MessageHeader.self)
    let target = try task.readVector(header.vectors, count: header.vectorCount)
    let received = try receive(task, socket, target, flags)
    defer { PairSocket.drop(received.files) }
    var shown: MessageFlags = received.isTruncated ? .truncated : []
    if socket.kind == .sequencedPacket, received.sender != nil { shown.insert(.endOfRecord) }
    if flags.contains(.closeOnExec) { shown.insert(.closeOnExec) }
    header.controlLength = try writeControl(
      task, header, socket, received, closeOnExec: flags.contains(.closeOnExec), &shown)
    header.nameLength = 0
    header.flags = shown.rawValue
    try task.memory.writeValue(a[1], header)
    return flags.contains(.truncated) && socket.kind.keepsBorders ? received.fullCount : received.count
  }

  private static func receive(
    _ task: Task, _ socket: PairSocket, _ target: Task.GuestBuffer, _ flags: MessageFlags
  ) throws(Errno) -> PairSocket.Received {
    guard !flags.contains(.outOfBand) else { throw .notSupportedOnSocket }
    var buffer = try task.resolve(target, for: .write)
    buffer.advance(task.retry.transferred)
    do throws(Errno) {
      var received = try socket.receive(into: &buffer, peeks: flags.contains(.peek))
      // MSG_WAITALL: what came so far is counted, and the rest is waited for.
      let isPart =
        flags.contains(.waitAll) && socket.kind == .stream && !flags.contains(.peek) && received.files.isEmpty
      if isPart, received.count > 0, buffer.remaining > 0, !flags.contains(.dontWait) {
        task.retry.transferred += received.count
        let error = task.waitError(socket, .readable)
        if error == .parked { throw error }
        received.count = 0
      }
      received.count += task.retry.transferred
      return received
    } catch {
      guard error == .wouldBlock, !flags.contains(.dontWait) else { throw error }
      let outcome = task.waitError(socket, .readable)
      guard outcome != .parked, task.retry.transferred > 0 else { throw outcome }
      var received = PairSocket.Received()
      received.count = task.retry.transferred
      return received
    }
  }

  /// Writes the ancillary data of a message; returns its length. What does not fit is dropped (`MSG_CTRUNC`).
  private static func writeControl(
    _ task: Task, _ header: MessageHeader, _ socket: PairSocket, _ received: PairSocket.Received, closeOnExec: Bool,
    _ flags: inout MessageFlags
  ) throws(Errno) -> UInt64 {
    let size = UInt64(MemoryLayout<ControlHeader>.size)
    let room = header.control == 0 ? 0 : header.controlLength
    var used: UInt64 = 0
    if socket.passesCredentials, let sender = received.sender {
      if room >= size + 12 {
        let entry = ControlHeader(
          length: size + 12, level: ControlHeader.socketLevel, type: ControlHeader.credentials)
        try task.memory.writeValue(header.control, entry)
        try task.memory.writeValue(header.control &+ size, sender)
        used = min(size + 16, room)
      } else {
        flags.insert(.controlTruncated)
      }
    }
    guard !received.files.isEmpty else { return used }
    var descriptors: [Int32] = []
    if room >= used + size + 4 {
      for file in received.files.prefix(Int((room - used - size) / 4)) {
        guard let descriptor = try? task.addFile(file, closeOnExec: closeOnExec) else { break }
        descriptors.append(descriptor)
      }
    }
    if descriptors.count < received.files.count { flags.insert(.controlTruncated) }
    guard !descriptors.isEmpty else { return used }
    let length = size + UInt64(descriptors.count) * 4
    let entry = ControlHeader(length: length, level: ControlHeader.socketLevel, type: ControlHeader.rights)
    try task.memory.writeValue(header.control &+ used, entry)
    try task.memory.writeArray(header.control &+ used &+ size, descriptors)
    return min(used + (length + 7) & ~7, room)
  }

  // MARK: The rest

  /// shutdown(2).
  static func shutdown(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try pairSocket(task, a.int(0))
    guard (0...2).contains(a.int(1)) else { throw .invalidArgument }
    socket.shutDown(reading: a.int(1) != 1, writing: a.int(1) != 0)
    return 0
  }

  /// getsockname(2) and getpeername(2): the ends of a pair have no name.
  static func getsockname(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    _ = try pairSocket(task, a.int(0))
    let length = try task.memory.readValue(a[2], as: Int32.self)
    guard length >= 0 else { throw .invalidArgument }
    if length >= 2 { try task.memory.writeValue(a[1], UInt16(unixFamily)) }
    try task.memory.writeValue(a[2], UInt32(2))
    return 0
  }

  /// getsockopt(2).
  static func getsockopt(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try pairSocket(task, a.int(0))
    guard a.int(1) == ControlHeader.socketLevel else { throw .notSupportedOnSocket }
    guard let option = SocketOption(rawValue: a.int(2)) else { throw .protocolNotAvailable }
    let room = try task.memory.readValue(a[4], as: Int32.self)
    guard room >= 0 else { throw .invalidArgument }
    var words: [Int32]
    switch option {
    case .type: words = [socket.kind.rawValue]
    case .error, .acceptsConnections, .protocolNumber: words = [0]
    case .sendBuffer, .receiveBuffer: words = [Int32(PairSocket.capacity)]
    case .passCredentials: words = [socket.passesCredentials ? 1 : 0]
    case .peerCredentials:
      words = [
        socket.owner.process, Int32(bitPattern: socket.owner.uid), Int32(bitPattern: socket.owner.gid),
      ]
    case .domain: words = [unixFamily]
    }
    let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    let count = min(Int(room), bytes.count)
    try task.memory.write(a[3], Array(bytes[..<count]))
    try task.memory.writeValue(a[4], Int32(count))
    return 0
  }

  /// setsockopt(2). Buffer sizes are hints, and have no effect.
  static func setsockopt(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let socket = try pairSocket(task, a.int(0))
    guard a.int(1) == ControlHeader.socketLevel else { throw .notSupportedOnSocket }
    guard a.int(4) >= 4 else { throw .invalidArgument }
    let value = try task.memory.readValue(a[3], as: Int32.self)
    switch SocketOption(rawValue: a.int(2)) {
    case .passCredentials: socket.passesCredentials = value != 0
    case .sendBuffer, .receiveBuffer: break
    default: throw .protocolNotAvailable
    }
    return 0
  }

  /// connect(2): a pair is connected already.
  static func connect(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    _ = try pairSocket(task, a.int(0))
    throw .socketIsConnected
  }

  /// Calls that a connected socket refuses.
  private static func refuseConnected(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    _ = try pairSocket(task, a.int(0))
    throw .invalidArgument
  }
}

extension Task {
  /// What `SO_PEERCRED` and `SCM_CREDENTIALS` say of this task.
  var senderCredentials: SocketCredentials {
    .init(process: group.id, uid: credentials.euid, gid: credentials.egid)
  }
}
