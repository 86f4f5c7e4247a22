import LinuxABI

extension Host {
  /// Duplicates a descriptor, close-on-exec (fcntl(2), `F_DUPFD_CLOEXEC`).
  package static func duplicate(_ descriptor: FileDescriptor) throws(Errno) -> FileDescriptor {
    FileDescriptor(rawValue: CInt(try call(.fcntl, Int(descriptor.rawValue), 1030, 3)))
  }

  /// Reads at an offset into an array (pread64(2)).
  package static func read(
    _ descriptor: FileDescriptor, into bytes: inout [UInt8], count: Int, at offset: UInt64
  ) throws(Errno) -> Int {
    let count = min(count, bytes.count)
    return try unsafe bytes.withUnsafeMutableBufferPointer { buffer throws(Errno) in
      try call(
        .pread64, Int(descriptor.rawValue), Int(bitPattern: buffer.baseAddress), count, Int(truncatingIfNeeded: offset))
    }
  }
}
