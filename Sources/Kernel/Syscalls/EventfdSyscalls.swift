import FileSystem
import LinuxABI

/// Event files: eventfd(2).
extension Syscalls {
  static let eventfdTable: [SyscallEntry] = [
    .init(.eventfd, eventfd),
    .init(.eventfd2, eventfd2),
  ]

  /// eventfd, the call without flags.
  static func eventfd(_ task: Task, _ initial: UInt32) throws(Errno) -> Int { try eventfd2(task, initial, []) }

  /// eventfd2, which eventfd(2) of glibc calls.
  static func eventfd2(_ task: Task, _ initial: UInt32, _ flags: EventFlags) throws(Errno) -> Int {
    let openFlags = try flags.subtracting(.semaphore).openFlags()
    let file = EventFile(initial: initial, isSemaphore: flags.contains(.semaphore), flags: openFlags)
    return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)).rawValue)
  }
}
