import FileSystem
import LinuxABI
import Memory

/// Descriptors as system calls use them.
extension Task {
  /// What files need from the kernel.
  var services: any KernelServices { kernel.services }

  /// The description behind a descriptor that isn't `O_PATH`. - Throws: `EBADF`.
  func openFile(_ descriptor: FileDescriptorNumber) throws(Errno) -> OpenFile {
    let file = try file(descriptor)
    guard !file.flags.contains(.path) else { throw .badFileDescriptor }
    return file
  }

  /// The same, open for reading.
  func readableFile(_ descriptor: FileDescriptorNumber) throws(Errno) -> OpenFile {
    let file = try file(descriptor)
    guard file.flags.isReadable else { throw .badFileDescriptor }
    return file
  }

  /// The same, open for writing.
  func writableFile(_ descriptor: FileDescriptorNumber) throws(Errno) -> OpenFile {
    let file = try file(descriptor)
    guard file.flags.isWritable else { throw .badFileDescriptor }
    return file
  }

  /// Descriptors this task may have (`RLIMIT_NOFILE`).
  var descriptorLimit: UInt64 { min(group.limits[.openFiles].current, 1 << 20) }

  /// Gives a file the lowest free descriptor. - Throws: `EMFILE`, `ENFILE`; a file that has no other is closed then.
  func addFile(
    _ file: OpenFile, closeOnExec: Bool, minimum: FileDescriptorNumber = .lowest
  ) throws(Errno) -> FileDescriptorNumber {
    do throws(Errno) {
      try kernel.openFiles.admit(file, isPrivileged: credentials.has(.sysAdmin))
      return try files.add(file, closeOnExec: closeOnExec, minimum: minimum, limit: descriptorLimit)
    } catch {
      if file.descriptorCount == 0 {
        // As if it had had one: other files may wait in it.
        file.retainDescriptor()
        FileTable.letGo(file)
      }
      throw error
    }
  }

  /// Gives two files descriptors and writes them to guest memory, or leaves neither (pipe(2), socketpair(2)).
  func addPair(_ first: OpenFile, _ second: OpenFile, closeOnExec: Bool, to result: OutPointer<DescriptorPair>)
    throws(Errno)
  {
    let one: FileDescriptorNumber
    do throws(Errno) {
      one = try addFile(first, closeOnExec: closeOnExec)
    } catch {
      second.close()
      throw error
    }
    do throws(Errno) {
      let two = try addFile(second, closeOnExec: closeOnExec)
      do throws(Errno) {
        try store(DescriptorPair(one, two), to: result)
      } catch {
        try files.close(two)
        throw error
      }
    } catch {
      try files.close(one)
      throw error
    }
  }

  /// Makes the descriptor table this task's own (`CLONE_FILES` of unshare(2)). - Throws: `ENOMEM`.
  func unshareFiles() throws(Errno) {
    guard files.sharers > 1 else { return }
    let own = try files.copy()
    files.release()
    files = own
  }

  /// A deadline of a system call, the same in all its runs: `timeout` after its first run.
  func deadline(after timeout: Nanoseconds) -> MonotonicTime {
    if let deadline = call.deadline { return deadline }
    let deadline = kernel.monotonicTime + timeout
    call.deadline = deadline
    return deadline
  }

  /// Runs a call that has a signal mask of its own while it waits (ppoll(2), pselect(2), epoll_pwait(2)). Where a
  /// signal ends the wait, its delivery restores the mask.
  func withTemporaryMask(
    _ mask: InPointer<SignalSet>, size: UInt64, _ body: () throws(Errno) -> CallOutcome<Int>
  ) throws(Errno) -> CallOutcome<Int> {
    guard !mask.isNull else { return try body() }
    if signals.maskToRestore == nil {
      guard size == SignalSet.size else { throw .invalidArgument }
      setTemporaryMask(try load(mask))
    }
    do throws(Errno) {
      let outcome = try body()
      if case .done = outcome { restoreMask() }
      return outcome
    } catch {
      restoreMask()
      throw error
    }
  }

  private func restoreMask() {
    guard let mask = signals.maskToRestore else { return }
    signals.mask = mask
    signals.maskToRestore = nil
  }
}
