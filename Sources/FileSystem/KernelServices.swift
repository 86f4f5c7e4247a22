import LinuxABI
import Memory
import Platform

/// What file systems and files need from the kernel around them. One object for each sandbox.
///
/// All calls are made with the kernel lock held.
package protocol KernelServices: AnyObject {
  /// CLOCK_MONOTONIC of the host.
  var monotonicTime: MonotonicTime { get }
  /// CLOCK_REALTIME of the host, since the epoch.
  var realTime: Nanoseconds { get }
  /// Any clock of the host that is not one of processor time, by its `CLOCK_*` number. - Throws: `EINVAL`.
  func time(of clock: ClockNumber) throws(Errno) -> Timespec
  /// Random bytes (getrandom(2)).
  func randomBytes(count: Int) -> [UInt8]
  var physicalMemory: PhysicalMemory { get }
  var platform: any Platform { get }
  /// Calls `timer.expire()` with the lock held once CLOCK_MONOTONIC reaches `deadline`; replaces an earlier deadline
  /// of the same timer.
  func arm(_ timer: KernelTimer, deadline: MonotonicTime)
  /// Takes back `arm`.
  func disarm(_ timer: KernelTimer)
  /// Wakes `queue` with the events once when the host descriptor reports any of them (one-shot; ask again after each
  /// wake-up). For descriptors that epoll(7) refuses (regular files) the queue is woken at once.
  func watch(_ descriptor: FileDescriptor, for events: PollEvents, waking queue: WaitQueue)
  /// Forgets a watched descriptor; call it before closing.
  func unwatch(_ descriptor: FileDescriptor)
  /// Brings part of a host file into the host's page cache on another host thread without the lock, then wakes `queue`.
  func readAhead(_ descriptor: FileDescriptor, offset: UInt64, count: Int, waking queue: WaitQueue)
}

extension KernelServices {
  /// Counts what files, and all else that Apus keeps for guests, take.
  package var kernelMemory: KernelMemory { physicalMemory.kernelMemory }
}

/// A timer of the kernel. See `KernelServices.arm`.
package class KernelTimer {
  /// Position in the timer heap; nil while not armed. Belongs to the kernel.
  package final var deadline: MonotonicTime?
  package final var generation: UInt64 = 0
  private let action: () -> Void
  /// A timer that calls `action` with the kernel lock held when its deadline has passed.
  package init(_ action: @escaping () -> Void = {}) { self.action = action }
  /// Called with the kernel lock held when the deadline has passed.
  package func expire() { action() }
}
