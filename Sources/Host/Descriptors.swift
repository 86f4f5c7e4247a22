import LinuxABI

extension Host {
  /// The first number that a descriptor of Apus may have. Those below belong to the caller's streams: one of Apus there
  /// would be taken for a stream, and handed to a guest.
  private static let firstOwnDescriptor = 3

  /// What a host call returned that made a descriptor: one of Apus, moved out of the streams' way where it has to be.
  static func descriptor(_ number: Int) throws(Errno) -> FileDescriptor {
    let descriptor = FileDescriptor(rawValue: CInt(truncatingIfNeeded: number))
    guard number < firstOwnDescriptor else { return descriptor }
    defer { close(descriptor) }
    return try duplicate(descriptor)
  }

  /// Duplicates a descriptor, close-on-exec (fcntl(2)).
  package static func duplicate(_ descriptor: FileDescriptor) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      rawValue: CInt(
        truncatingIfNeeded: try call(
          .fcntl, Int(descriptor.rawValue), FcntlCommand.duplicateCloseOnExec.argument, firstOwnDescriptor)))
  }

  /// Tells whether a number is that of an open descriptor (fcntl(2)).
  package static func isOpen(_ descriptor: FileDescriptor) -> Bool {
    (try? call(.fcntl, Int(descriptor.rawValue), FcntlCommand.getDescriptorFlags.argument)) != nil
  }

  /// Opens `/dev/null` in place of each standard stream that is closed, so that nothing else gets its number.
  package static func fillStandardDescriptors() throws(Errno) {
    for number in 0..<firstOwnDescriptor where !isOpen(FileDescriptor(rawValue: CInt(number))) {
      // The lowest free number is this one.
      try withPath(Array("/dev/null".utf8)) { (path) throws(Errno) in
        _ = try call(.openat, Int(AtFlags.workingDirectory), path, OpenFlags.readWrite.argument, 0)
      }
    }
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
