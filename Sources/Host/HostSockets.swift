import CStub
import LinuxABI

/// Sockets of the host that carry those of guests: all non-blocking, so that no peer holds up Apus.
extension Host {
  package enum Socket {
    /// Makes a socket (socket(2)).
    package static func make(
      _ family: AddressFamily, _ type: SocketType, protocolNumber: Int32 = 0
    ) throws(Errno) -> FileDescriptor {
      let flags: SocketFlags = [.closeOnExec, .nonBlocking]
      return try descriptor(
        try call(.socket, Int(family.rawValue), Int(type.rawValue) | flags.argument, Int(protocolNumber)))
    }

    /// Begins to connect (connect(2)). - Throws: `EINPROGRESS`, `EALREADY` where that takes a while.
    package static func connect(_ socket: FileDescriptor, to address: [UInt8]) throws(Errno) {
      try unsafe address.withUnsafeBufferPointer { bytes throws(Errno) in
        _ = try call(.connect, Int(socket.rawValue), Int(bitPattern: bytes.baseAddress), bytes.count)
      }
    }

    /// Gives the socket a name (bind(2)).
    package static func bind(_ socket: FileDescriptor, to address: [UInt8]) throws(Errno) {
      try unsafe address.withUnsafeBufferPointer { bytes throws(Errno) in
        _ = try call(.bind, Int(socket.rawValue), Int(bitPattern: bytes.baseAddress), bytes.count)
      }
    }

    /// Takes connections from now on (listen(2)).
    package static func listen(_ socket: FileDescriptor, backlog: Int32) throws(Errno) {
      try call(.listen, Int(socket.rawValue), Int(backlog))
    }

    /// Takes a connection that waits (accept4(2)).
    package static func accept(_ socket: FileDescriptor) throws(Errno) -> FileDescriptor {
      let flags: SocketFlags = [.closeOnExec, .nonBlocking]
      return try descriptor(try call(.accept4, Int(socket.rawValue), 0, 0, flags.argument))
    }

    /// Ends one direction or both (shutdown(2)).
    package static func shutDown(_ socket: FileDescriptor, _ how: ShutdownHow) throws(Errno) {
      try call(.shutdown, Int(socket.rawValue), how.argument)
    }

    /// The socket's own name (getsockname(2)).
    package static func localAddress(of socket: FileDescriptor) throws(Errno) -> [UInt8] {
      try address { (bytes, size) throws(Errno) in try call(.getsockname, Int(socket.rawValue), bytes, size) }
    }

    /// The name of its peer (getpeername(2)).
    package static func peerAddress(of socket: FileDescriptor) throws(Errno) -> [UInt8] {
      try address { (bytes, size) throws(Errno) in try call(.getpeername, Int(socket.rawValue), bytes, size) }
    }

    private static func address(
      _ ask: (_ bytes: Int, _ size: Int) throws(Errno) -> Void
    ) throws(Errno) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: SocketAddress.maximumSize)
      var size = Int32(bytes.count)
      try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
        try unsafe withUnsafeMutablePointer(to: &size) { pointer throws(Errno) in
          try ask(Int(bitPattern: buffer.baseAddress), Int(bitPattern: pointer))
        }
      }
      return Array(bytes.prefix(Int(size)))
    }

    // MARK: Options

    /// The value of an option, of at most `room` bytes (getsockopt(2)).
    package static func option(
      _ option: SocketOption, of socket: FileDescriptor, room: Int = 256
    ) throws(Errno) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: room)
      var size = Int32(room)
      try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
        try unsafe withUnsafeMutablePointer(to: &size) { pointer throws(Errno) in
          _ = try call(
            .getsockopt, Int(socket.rawValue), option.level.argument, Int(option.number),
            Int(bitPattern: buffer.baseAddress), Int(bitPattern: pointer))
        }
      }
      return Array(bytes.prefix(Int(size)))
    }

    /// Sets an option (setsockopt(2)).
    package static func setOption(
      _ option: SocketOption, of socket: FileDescriptor, to value: [UInt8]
    ) throws(Errno) {
      try unsafe value.withUnsafeBufferPointer { bytes throws(Errno) in
        _ = try call(
          .setsockopt, Int(socket.rawValue), option.level.argument, Int(option.number),
          Int(bitPattern: bytes.baseAddress), bytes.count)
      }
    }

    /// Turns on an option that is a flag.
    package static func enable(_ option: SocketOption, of socket: FileDescriptor) throws(Errno) {
      try setOption(option, of: socket, to: SocketOptionValue(true).bytes)
    }

    /// A count that ioctl(2) gives: bytes that can be read, or that wait to be sent.
    package static func count(_ request: UInt32, of socket: FileDescriptor) throws(Errno) -> Int32 {
      var value: Int32 = 0
      try unsafe withUnsafeMutablePointer(to: &value) { pointer throws(Errno) in
        _ = try call(.ioctl, Int(socket.rawValue), Int(request), Int(bitPattern: pointer))
      }
      return value
    }

    // MARK: Messages

    /// What goes with the bytes of a message.
    package struct Message: Sendable {
      /// Where it goes, or whence it came: a `struct sockaddr`.
      package var name: [UInt8] = []
      /// Control messages, as cmsg(3) lays them out.
      package var control: [UInt8] = []
      package var flags: MessageFlags = []
      /// Bytes received.
      package var count = 0
      package init() {}
    }

    /// Sends bytes without waiting (sendmsg(2)).
    package static func send(
      _ message: Message, on socket: FileDescriptor, from segments: [UnsafeMutableRawBufferPointer]
    ) throws(Errno) -> Int {
      var (name, control) = (message.name, message.control)
      let flags = message.flags.union([.dontWait, .noSignal])
      return try unsafe withHeader(&name, &control, segments) { header throws(Errno) in
        try unsafe withUnsafeMutablePointer(to: &header) { pointer throws(Errno) in
          try call(.sendmsg, Int(socket.rawValue), Int(bitPattern: pointer), flags.argument)
        }
      }
    }

    /// Receives bytes without waiting (recvmsg(2)), and up to `controlRoom` bytes of control messages.
    package static func receive(
      on socket: FileDescriptor, into segments: [UnsafeMutableRawBufferPointer], _ flags: MessageFlags,
      controlRoom: Int = 0
    ) throws(Errno) -> Message {
      var name = [UInt8](repeating: 0, count: SocketAddress.maximumSize)
      var control = [UInt8](repeating: 0, count: controlRoom)
      var message = Message()
      let flags = flags.union([.dontWait, .closeOnExec])
      let sizes = try unsafe withHeader(&name, &control, segments) { header throws(Errno) in
        message.count = try unsafe withUnsafeMutablePointer(to: &header) { pointer throws(Errno) in
          try call(.recvmsg, Int(socket.rawValue), Int(bitPattern: pointer), flags.argument)
        }
        message.flags = header.flags.subtracting(.closeOnExec)
        return (Int(header.nameLength), Int(clamping: header.controlLength))
      }
      message.name = Array(name.prefix(sizes.0))
      message.control = Array(control.prefix(sizes.1))
      return message
    }

    /// Sends bytes to the peer without waiting (sendto(2)).
    package static func send(_ bytes: [UInt8], on socket: FileDescriptor) throws(Errno) -> Int {
      let flags: MessageFlags = [.dontWait, .noSignal]
      return try unsafe bytes.withUnsafeBufferPointer { bytes throws(Errno) in
        try call(
          .sendto, Int(socket.rawValue), Int(bitPattern: bytes.baseAddress), bytes.count, flags.argument, 0, 0)
      }
    }

    /// Receives up to `limit` bytes without waiting (recvfrom(2)).
    package static func receive(on socket: FileDescriptor, limit: Int) throws(Errno) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: limit)
      let count = try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
        try call(
          .recvfrom, Int(socket.rawValue), Int(bitPattern: buffer.baseAddress), buffer.count,
          MessageFlags.dontWait.argument, 0, 0)
      }
      return Array(bytes.prefix(count))
    }

    private static func withHeader<Result>(
      _ name: inout [UInt8], _ control: inout [UInt8], _ segments: [UnsafeMutableRawBufferPointer],
      _ body: (inout MessageHeader) throws(Errno) -> Result
    ) throws(Errno) -> Result {
      func address(_ pointer: UnsafeMutablePointer<UInt8>?) -> GuestAddress {
        GuestAddress(UInt64(UInt(bitPattern: pointer)))
      }
      var vectors = unsafe segments.map { segment in
        IOVector(base: UInt64(UInt(bitPattern: segment.baseAddress)), count: UInt64(segment.count))
      }
      return try unsafe name.withUnsafeMutableBufferPointer { name throws(Errno) in
        try unsafe control.withUnsafeMutableBufferPointer { control throws(Errno) in
          try unsafe vectors.withUnsafeMutableBufferPointer { vectors throws(Errno) in
            var header = MessageHeader()
            if !name.isEmpty { header.name = unsafe address(name.baseAddress) }
            header.nameLength = UInt32(name.count)
            header.vectors = GuestAddress(UInt64(UInt(bitPattern: vectors.baseAddress)))
            header.vectorCount = UInt64(vectors.count)
            if !control.isEmpty { header.control = unsafe address(control.baseAddress) }
            header.controlLength = UInt64(control.count)
            return try body(&header)
          }
        }
      }
    }
  }
}
