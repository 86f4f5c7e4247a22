import CStub
import LinuxABI

/// A place for one thread to sleep until another signals it; a signal given early is kept (futex(2)).
@safe package final class Wakeup: @unchecked Sendable {
  private let word: UnsafeMutablePointer<UInt32>

  package init() {
    unsafe word = .allocate(capacity: 1)
    unsafe word.initialize(to: 0)
  }
  deinit { unsafe word.deallocate() }

  private static func operation(_ operation: FutexOperation) -> Int {
    operation.argument | FutexFlags.isPrivate.argument
  }

  /// Sleeps until `signal()` is called, unless it was already.
  package func sleep() {
    while !exchange(expected: 1, desired: 0) {
      _ = try? unsafe Host.call(.futex, Int(bitPattern: word), Wakeup.operation(.wait), 0, 0)
    }
  }

  /// Sleeps until `signal()` is called, unless it was already, but no longer than until `deadline` (CLOCK_MONOTONIC,
  /// nanoseconds).
  package func sleep(until deadline: UInt64) {
    while !exchange(expected: 1, desired: 0) {
      var time = Timespec(nanoseconds: Int64(clamping: deadline))
      // Of the operations that wait, this one has an absolute time limit.
      let result = unsafe withUnsafeMutablePointer(to: &time) { time in
        unsafe Host.result(
          .futex, Int(bitPattern: word), Wakeup.operation(.waitBitset), 0, Int(bitPattern: time), 0, Int(UInt32.max))
      }
      if result == Int(-Errno.timedOut.rawValue) { return }
    }
  }

  /// Wakes the sleeper, or lets its next sleep end at once.
  package func signal() {
    if exchange(expected: 0, desired: 1) {
      _ = try? unsafe Host.call(.futex, Int(bitPattern: word), Wakeup.operation(.wake), 1)
    }
  }

  private func exchange(expected: UInt32, desired: UInt32) -> Bool {
    unsafe apus_compare_exchange(word, expected, desired)
  }
}
