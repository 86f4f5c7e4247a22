import LinuxABI

/// Advisory locks on files of the host. None of the calls waits.
extension Host {
  /// flock(2). - Throws: `EAGAIN` where another open file description has a lock in the way.
  package static func lockWhole(_ descriptor: FileDescriptor, _ operation: FlockOperation) throws(Errno) {
    try call(.flock, Int(descriptor.rawValue), operation.union(.nonBlocking).argument)
  }

  /// fcntl(2), `F_OFD_SETLK`. - Throws: `EAGAIN` where another open file description, or a process, has a lock in the way.
  package static func setLock(_ descriptor: FileDescriptor, _ lock: RecordLock) throws(Errno) {
    var lock = lock
    _ = try control(descriptor, .setDescriptionLock, &lock)
  }

  /// fcntl(2), `F_OFD_GETLK`: a lock in the way; of the kind `unlocked` where there is none.
  package static func testLock(_ descriptor: FileDescriptor, _ lock: RecordLock) throws(Errno) -> RecordLock {
    var lock = lock
    _ = try control(descriptor, .getDescriptionLock, &lock)
    return lock
  }

  private static func control(
    _ descriptor: FileDescriptor, _ command: FcntlCommand, _ lock: inout RecordLock
  ) throws(Errno) -> Int {
    try unsafe withUnsafeMutablePointer(to: &lock) { pointer throws(Errno) in
      try call(.fcntl, Int(descriptor.rawValue), command.argument, Int(bitPattern: pointer))
    }
  }
}
