import CStub
import LinuxABI

/// What a host descriptor refers to.
package enum HostStreamKind: Sendable, Equatable {
  case terminal, pipe, socket, regular, directory
  /// A device that never blocks (`/dev/null`, `/dev/zero` …).
  case memoryDevice
  case other
}

/// The caller's open files (standard input, output and error), whose descriptions are shared with other processes:
/// these calls never make them non-blocking.
extension Host {
  package enum Stream {
    /// Tells what a descriptor refers to.
    package static func kind(of descriptor: FileDescriptor, _ status: Stat) -> HostStreamKind {
      switch status.mode.kind {
      case .fifo: return .pipe
      case .socket: return .socket
      case .regular, .blockDevice: return .regular
      case .directory: return .directory
      case .characterDevice:
        if DeviceNumber.major(status.specialDevice) == 1 { return .memoryDevice }
        var settings = [UInt8](repeating: 0, count: 64)
        return (try? ioctl(descriptor, Ioctl.tcGets, &settings)) != nil ? .terminal : .other
      default: return .other
      }
    }

    /// Status flags and access mode (fcntl(2)).
    package static func statusFlags(of descriptor: FileDescriptor) throws(Errno) -> OpenFlags {
      OpenFlags(
        rawValue: UInt32(
          truncatingIfNeeded: try call(.fcntl, Int(descriptor.rawValue), FcntlCommand.getStatusFlags.argument)))
    }

    /// Opens what a descriptor refers to once more, as a description of our own.
    package static func reopen(_ descriptor: FileDescriptor, _ flags: OpenFlags) throws(Errno) -> FileDescriptor {
      try open(at: try processFileSystem(), link(to: descriptor), flags.union(.noControllingTTY))
    }

    /// The target of `/proc/self/fd/N` (readlink(2)).
    package static func name(of descriptor: FileDescriptor) throws(Errno) -> String {
      String(decoding: try path(of: descriptor), as: UTF8.self)
    }

    /// What is ready now (poll(2) with a timeout of zero).
    package static func poll(_ descriptor: FileDescriptor, events: PollEvents) -> PollEvents {
      var entry = PollDescriptor(
        descriptor: FileDescriptorNumber(rawValue: descriptor.rawValue),
        events: UInt16(truncatingIfNeeded: events.rawValue))
      let count = unsafe withUnsafeMutablePointer(to: &entry) { pointer in
        (try? call(.poll, Int(bitPattern: pointer), 1, 0)) ?? 0
      }
      return PollEvents(rawValue: count > 0 ? UInt32(entry.returned) : 0)
    }

    /// Reads at an offset, or at the file's position (readv(2), preadv(2), preadv2(2)).
    package static func read(
      _ descriptor: FileDescriptor, into segments: [UnsafeMutableRawBufferPointer], at offset: UInt64? = nil,
      flags: TransferFlags = []
    ) throws(Errno) -> Int {
      let call: SyscallNumber = !flags.isEmpty ? .preadv2 : offset == nil ? .readv : .preadv
      return try unsafe vectorCall(call, descriptor, segments, offset, flags)
    }

    /// Writes at an offset, or at the file's position (writev(2), pwritev(2), pwritev2(2)).
    package static func write(
      _ descriptor: FileDescriptor, from segments: [UnsafeMutableRawBufferPointer], at offset: UInt64? = nil,
      flags: TransferFlags = []
    ) throws(Errno) -> Int {
      let call: SyscallNumber = !flags.isEmpty ? .pwritev2 : offset == nil ? .writev : .pwritev
      return try unsafe vectorCall(call, descriptor, segments, offset, flags)
    }

    private static func vectorCall(
      _ number: SyscallNumber, _ descriptor: FileDescriptor, _ segments: [UnsafeMutableRawBufferPointer],
      _ offset: UInt64?, _ flags: TransferFlags
    ) throws(Errno) -> Int {
      let vectors = unsafe segments.map { segment in
        IOVector(base: UInt64(UInt(bitPattern: segment.baseAddress)), count: UInt64(segment.count))
      }
      return try unsafe vectors.withUnsafeBufferPointer { pointer throws(Errno) in
        // An offset of -1 is the file's position.
        try call(
          number, Int(descriptor.rawValue), Int(bitPattern: pointer.baseAddress), pointer.count,
          offset.map { Int(clamping: $0) } ?? -1, 0, flags.argument)
      }
    }

    /// Receives from a socket without waiting (recvfrom(2)).
    package static func receive(
      _ descriptor: FileDescriptor, into segment: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
      try call(
        .recvfrom, Int(descriptor.rawValue), Int(bitPattern: segment.baseAddress), segment.count,
        MessageFlags.dontWait.argument)
    }

    /// Sends on a socket without waiting (sendto(2)).
    package static func send(
      _ descriptor: FileDescriptor, from segment: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
      let flags: MessageFlags = [.dontWait, .noSignal]
      return try call(
        .sendto, Int(descriptor.rawValue), Int(bitPattern: segment.baseAddress), segment.count, flags.argument)
    }

    /// Device control with an argument block that the host may read and write (ioctl(2)).
    package static func ioctl(
      _ descriptor: FileDescriptor, _ request: UInt32, _ block: inout [UInt8]
    ) throws(Errno) -> Int {
      try unsafe block.withUnsafeMutableBufferPointer { bytes throws(Errno) in
        try call(.ioctl, Int(descriptor.rawValue), Int(request), Int(bitPattern: bytes.baseAddress))
      }
    }

    /// Device control with an argument that is a number.
    package static func ioctl(
      _ descriptor: FileDescriptor, _ request: UInt32, value: UInt64
    ) throws(Errno) -> Int {
      try call(.ioctl, Int(descriptor.rawValue), Int(request), Int(truncatingIfNeeded: value))
    }

    /// Fills the buffer with random bytes (getrandom(2)); returns how many.
    package static func randomBytes(_ segment: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
      try call(.getrandom, Int(bitPattern: segment.baseAddress), segment.count, 0)
    }

    /// Random bytes (getrandom(2)).
    package static func randomBytes(count: Int) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: count)
      var done = 0
      while done < count {
        let part = unsafe bytes.withUnsafeMutableBytes { buffer in
          (try? unsafe randomBytes(UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))) ?? 0
        }
        if part <= 0 { break }
        done += part
      }
      return bytes
    }
  }
}
