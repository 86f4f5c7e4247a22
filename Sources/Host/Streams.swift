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
      switch FileMode(rawValue: status.mode).kind {
      case .fifo: return .pipe
      case .socket: return .socket
      case .regular, .blockDevice: return .regular
      case .directory: return .directory
      case .characterDevice:
        if (status.specialDevice >> 8 & 0xfff) == 1 { return .memoryDevice }
        var settings = [UInt8](repeating: 0, count: 64)
        return (try? ioctl(descriptor, Ioctl.tcGets, &settings)) != nil ? .terminal : .other
      default: return .other
      }
    }

    /// Status flags and access mode (fcntl(2), `F_GETFL`).
    package static func statusFlags(of descriptor: FileDescriptor) throws(Errno) -> OpenFlags {
      OpenFlags(rawValue: UInt32(truncatingIfNeeded: try call(.fcntl, Int(descriptor.rawValue), 3)))
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
    package static func poll(_ descriptor: FileDescriptor, events: UInt16) -> UInt16 {
      var entry = PollDescriptor(descriptor: descriptor.rawValue, events: events)
      let count = unsafe withUnsafeMutablePointer(to: &entry) { pointer in
        (try? call(.poll, Int(bitPattern: pointer), 1, 0)) ?? 0
      }
      return count > 0 ? entry.returned : 0
    }

    /// `RWF_NOWAIT` of preadv2(2).
    package static let noWait = 8

    /// Reads at the file's position (preadv2(2) with offset −1).
    package static func read(
      _ descriptor: FileDescriptor, into segments: [UnsafeMutableRawBufferPointer], flags: Int = 0
    ) throws(Errno) -> Int {
      try unsafe vectorCall(flags == 0 ? .readv : .preadv2, descriptor, segments, position: -1, flags: flags)
    }

    /// Reads at an offset (preadv(2)).
    package static func read(
      _ descriptor: FileDescriptor, into segments: [UnsafeMutableRawBufferPointer], at offset: UInt64
    ) throws(Errno) -> Int {
      try unsafe vectorCall(.preadv, descriptor, segments, position: Int(clamping: offset), flags: 0)
    }

    /// Writes at the file's position (pwritev2(2) with offset −1).
    package static func write(
      _ descriptor: FileDescriptor, from segments: [UnsafeMutableRawBufferPointer], flags: Int = 0
    ) throws(Errno) -> Int {
      try unsafe vectorCall(flags == 0 ? .writev : .pwritev2, descriptor, segments, position: -1, flags: flags)
    }

    /// Writes at an offset (pwritev(2)).
    package static func write(
      _ descriptor: FileDescriptor, from segments: [UnsafeMutableRawBufferPointer], at offset: UInt64
    ) throws(Errno) -> Int {
      try unsafe vectorCall(.pwritev, descriptor, segments, position: Int(clamping: offset), flags: 0)
    }

    private static func vectorCall(
      _ number: SyscallNumber, _ descriptor: FileDescriptor, _ segments: [UnsafeMutableRawBufferPointer],
      position: Int, flags: Int
    ) throws(Errno) -> Int {
      let vectors = unsafe segments.map { segment in
        IOVector(base: UInt64(UInt(bitPattern: segment.baseAddress)), count: UInt64(segment.count))
      }
      return try unsafe vectors.withUnsafeBufferPointer { pointer throws(Errno) in
        try call(
          number, Int(descriptor.rawValue), Int(bitPattern: pointer.baseAddress), pointer.count, position, 0, flags)
      }
    }

    /// Receives from a socket without waiting (recvfrom(2), `MSG_DONTWAIT`).
    package static func receive(
      _ descriptor: FileDescriptor, into segment: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
      try call(
        .recvfrom, Int(descriptor.rawValue), Int(bitPattern: segment.baseAddress), segment.count, 0x40, 0, 0)
    }

    /// Sends on a socket without waiting (sendto(2), `MSG_DONTWAIT | MSG_NOSIGNAL`).
    package static func send(
      _ descriptor: FileDescriptor, from segment: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
      try call(
        .sendto, Int(descriptor.rawValue), Int(bitPattern: segment.baseAddress), segment.count, 0x4040, 0, 0)
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
