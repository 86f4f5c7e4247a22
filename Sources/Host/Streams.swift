import CStub
import LinuxABI

/// What a host descriptor refers to.
package enum HostStreamKind: Sendable, Equatable {
  case terminal, pipe, socket, regular, directory
  /// A device that never blocks (`/dev/null`, `/dev/zero` …).
  case memoryDevice
  case other
}

/// The caller's open files (standard input, output and error), whose descriptions are shared with other processes: these
/// calls never make them non-blocking.
extension Host {
  package enum Stream {
    /// fstat(2).
    package static func status(of descriptor: FileDescriptor) throws(Errno) -> Stat {
      var stat = Stat()
      try unsafe withUnsafeMutablePointer(to: &stat) { pointer throws(Errno) in
        _ = try call(.fstat, Int(descriptor.rawValue), Int(bitPattern: pointer))
      }
      return stat
    }

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
      let flags = flags.union([.closeOnExec, .noControllingTTY])
      return try openPath("/proc/self/fd/\(descriptor.rawValue)", flags)
    }

    /// openat(2) without a directory, of a path that Apus itself names.
    package static func openPath(_ path: String, _ flags: OpenFlags) throws(Errno) -> FileDescriptor {
      var path = Array(path.utf8) + [0]
      return try unsafe path.withUnsafeMutableBufferPointer { pointer throws(Errno) in
        FileDescriptor(
          rawValue: CInt(
            try call(.openat, -100, Int(bitPattern: pointer.baseAddress), Int(flags.rawValue))))
      }
    }

    /// The target of `/proc/self/fd/N` (readlink(2)).
    package static func name(of descriptor: FileDescriptor) throws(Errno) -> String {
      var path = Array("/proc/self/fd/\(descriptor.rawValue)".utf8) + [0]
      var target = [UInt8](repeating: 0, count: 4096)
      let count = try unsafe path.withUnsafeMutableBufferPointer { path throws(Errno) in
        try unsafe target.withUnsafeMutableBufferPointer { target throws(Errno) in
          try call(
            .readlink, Int(bitPattern: path.baseAddress), Int(bitPattern: target.baseAddress), target.count)
        }
      }
      return String(decoding: target[..<max(count, 0)], as: UTF8.self)
    }

    /// The text of a small file that Apus itself names.
    package static func contents(of path: String) throws(Errno) -> String {
      let descriptor = try openPath(path, .closeOnExec)
      defer { try? descriptor.close() }
      var text: [UInt8] = []
      while text.count < 1 << 22 {
        var part = [UInt8](repeating: 0, count: 1 << 16)
        let count = try unsafe part.withUnsafeMutableBufferPointer { buffer throws(Errno) in
          try call(.read, Int(descriptor.rawValue), Int(bitPattern: buffer.baseAddress), buffer.count)
        }
        if count <= 0 { break }
        text += part[..<count]
      }
      return String(decoding: text, as: UTF8.self)
    }

    /// A duplicate that is closed on exec (fcntl(2), `F_DUPFD_CLOEXEC`).
    package static func duplicate(_ descriptor: FileDescriptor) throws(Errno) -> FileDescriptor {
      FileDescriptor(rawValue: CInt(try call(.fcntl, Int(descriptor.rawValue), 1030, 3)))
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

    /// lseek(2).
    package static func seek(
      _ descriptor: FileDescriptor, to offset: Int64, whence: Int32
    ) throws(Errno) -> UInt64 {
      UInt64(try call(.lseek, Int(descriptor.rawValue), Int(offset), Int(whence)))
    }

    /// ftruncate(2).
    package static func truncate(_ descriptor: FileDescriptor, to size: UInt64) throws(Errno) {
      try call(.ftruncate, Int(descriptor.rawValue), Int(clamping: size))
    }

    /// fsync(2) or fdatasync(2).
    package static func synchronize(_ descriptor: FileDescriptor, dataOnly: Bool) throws(Errno) {
      try call(dataOnly ? .fdatasync : .fsync, Int(descriptor.rawValue))
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
