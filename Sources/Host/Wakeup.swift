import CStub
import LinuxABI

/// A place for one thread to sleep until another signals it; a signal given early is kept (futex(2)).
@safe package final class Wakeup: @unchecked Sendable {
  private let word: UnsafeMutablePointer<UInt32>
  // Used by the thread that sleeps: how much it has helped of late to look before a sleep, and for how many sleeps in a row
  // that was left out.
  private var luck = Wakeup.mostLuck
  private var sleepsWithoutLook = 0

  private static let signaled: UInt32 = 1
  private static let sleeping: UInt32 = 2
  /// How often a thread looks before it sleeps: for as long as it takes to wake one on another host CPU, some 60 µs.
  private static let looks = 1500
  private static let mostLuck = 8
  /// So many sleeps after luck has run out, it is tried again.
  private static let restraint = 16

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
    while beginSleep() {
      _ = try? unsafe Host.call(
        .futex, Int(bitPattern: word), Wakeup.operation(.wait), Int(Wakeup.sleeping), 0)
    }
  }

  /// The same, but waits busily for a while first, where that has often helped of late: for threads that have a host CPU
  /// to themselves.
  package func waitThenSleep() {
    if luck > 0 || sleepsWithoutLook >= Wakeup.restraint {
      sleepsWithoutLook = 0
      luck = look() ? min(luck + 3, Wakeup.mostLuck) : max(luck - 1, 0)
    } else {
      sleepsWithoutLook += 1
    }
    sleep()
  }

  private func look() -> Bool {
    for _ in 0..<Wakeup.looks {
      if unsafe apus_atomic_load(word) == Wakeup.signaled { return true }
      Host.pause()
    }
    return false
  }

  /// Sleeps until `signal()` is called, unless it was already, but no longer than until `deadline` (CLOCK_MONOTONIC,
  /// nanoseconds).
  package func sleep(until deadline: UInt64) {
    while beginSleep() {
      var time = Timespec(nanoseconds: Int64(clamping: deadline))
      // Of the operations that wait, this one has an absolute time limit.
      let result = unsafe withUnsafeMutablePointer(to: &time) { time in
        unsafe Host.result(
          .futex, Int(bitPattern: word), Wakeup.operation(.waitBitset), Int(Wakeup.sleeping), Int(bitPattern: time), 0,
          Int(UInt32.max))
      }
      if result == Int(-Errno.timedOut.rawValue), exchange(expected: Wakeup.sleeping, desired: 0) { return }
    }
  }

  /// Wakes the sleeper, or lets its next sleep end at once.
  package func signal() {
    if unsafe apus_atomic_exchange(word, Wakeup.signaled) == Wakeup.sleeping {
      _ = try? unsafe Host.call(.futex, Int(bitPattern: word), Wakeup.operation(.wake), 1)
    }
  }

  /// Takes a signal, or says that a thread sleeps from now on. - Returns: false where there was a signal.
  private func beginSleep() -> Bool {
    if exchange(expected: Wakeup.signaled, desired: 0) { return false }
    _ = exchange(expected: 0, desired: Wakeup.sleeping)
    return true
  }

  private func exchange(expected: UInt32, desired: UInt32) -> Bool {
    unsafe apus_compare_exchange(word, expected, desired)
  }
}
