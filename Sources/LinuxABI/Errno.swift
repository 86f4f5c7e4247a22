@_exported import SystemPackage

/// Results that only the syscall dispatcher sees; they never reach a guest (the numbers follow Linux's
/// `include/linux/errno.h`, which keeps them from user space too).
extension Errno {
  /// A signal interrupted the call: run it again if the handler has `SA_RESTART`, else `EINTR`.
  package static let restartSys = Errno(rawValue: 512)
  /// Run the call again whatever the handler says.
  package static let restartNoIntr = Errno(rawValue: 513)
  /// `EINTR` if a handler runs, else run the call again.
  package static let restartNoHand = Errno(rawValue: 514)
  /// `EINTR` if a handler runs, else go on with the deadline kept in the task.
  package static let restartBlock = Errno(rawValue: 516)
  /// The task is registered on wait queues: park it and run the call again when it is woken.
  package static let parked = Errno(rawValue: 600)
}
