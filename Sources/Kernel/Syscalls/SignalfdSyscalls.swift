import FileSystem
import LinuxABI

/// Signal files: signalfd(2).
extension Syscalls {
  static let signalfdTable: [SyscallEntry] = [
    .init(.signalfd, signalfd),
    .init(.signalfd4, signalfd4),
  ]

  /// signalfd, the call without flags.
  static func signalfd(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ mask: InPointer<SignalSet>, _ size: UInt64
  ) throws(Errno) -> Int {
    try signalfd4(task, descriptor, mask, size, [])
  }

  /// signalfd4, which signalfd(2) of glibc calls. The descriptor -1 asks for a new file.
  static func signalfd4(
    _ task: Task, _ descriptor: FileDescriptorNumber, _ mask: InPointer<SignalSet>, _ size: UInt64,
    _ flags: SignalFileFlags
  ) throws(Errno) -> Int {
    guard size == SignalSet.size else { throw .invalidArgument }
    let flags = try flags.openFlags()
    let mask = try task.load(mask).subtracting(.unblockable)
    guard descriptor.rawValue == -1 else {
      guard let file = try task.openFile(descriptor) as? SignalFile else { throw .invalidArgument }
      file.mask = mask
      return Int(descriptor.rawValue)
    }
    let kernel = task.kernel
    let file = SignalFile(mask: mask, flags: flags) { [unowned kernel] in kernel.servedTask }
    return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)).rawValue)
  }
}
