import LinuxABI
import Memory

/// A task that waits on a futex. Its system call keeps it.
final class FutexWaiter {
  unowned let task: Task
  let address: GuestAddress
  /// `FUTEX_WAIT_BITSET`: woken only by wakers that share a bit.
  let bitset: UInt32
  /// Waits for a priority-inheritance futex (`FUTEX_LOCK_PI`): what it is woken with is the lock.
  let locks: Bool
  /// Where it waits; `FUTEX_REQUEUE` changes it.
  fileprivate(set) var key: FutexKey
  /// Another task has woken it, however long it takes to notice.
  fileprivate(set) var isWoken = false
  fileprivate(set) var isQueued = false
  fileprivate var next: FutexWaiter?
  fileprivate weak var previous: FutexWaiter?

  init(_ task: Task, address: GuestAddress, key: FutexKey, bitset: UInt32, locks: Bool = false) {
    self.task = task
    self.address = address
    self.key = key
    self.bitset = bitset
    self.locks = locks
  }

  func wake() {
    isWoken = true
    task.wakeUp()
  }
}

/// The waiters of one futex, first come, first served.
private final class FutexQueue {
  var first: FutexWaiter?
  var last: FutexWaiter?

  func append(_ waiter: FutexWaiter) {
    waiter.previous = last
    waiter.next = nil
    if let last { last.next = waiter } else { first = waiter }
    last = waiter
    waiter.isQueued = true
  }

  func remove(_ waiter: FutexWaiter) {
    if let previous = waiter.previous { previous.next = waiter.next } else { first = waiter.next }
    if let next = waiter.next { next.previous = waiter.previous } else { last = waiter.previous }
    waiter.previous = nil
    waiter.next = nil
    waiter.isQueued = false
  }
}

/// All futexes that tasks wait on (futex(2)).
final class FutexTable {
  private var queues: [FutexKey: FutexQueue] = [:]

  var isEmpty: Bool { queues.isEmpty }

  func add(_ waiter: FutexWaiter) {
    if let queue = queues[waiter.key] {
      queue.append(waiter)
    } else {
      let queue = FutexQueue()
      queue.append(waiter)
      queues[waiter.key] = queue
    }
  }

  func remove(_ waiter: FutexWaiter) {
    guard waiter.isQueued, let queue = queues[waiter.key] else { return }
    queue.remove(waiter)
    if queue.first == nil { queues[waiter.key] = nil }
  }

  /// The task that has waited for a futex the longest.
  func first(_ key: FutexKey) -> FutexWaiter? { queues[key]?.first }

  /// Wakes up to `count` waiters (but at least one, as Linux does) that share a bit with `bitset`; returns how many.
  /// - Throws: `EINVAL` where a waiter is in `FUTEX_LOCK_PI`.
  func wake(_ key: FutexKey, count: Int32, bitset: UInt32) throws(Errno) -> Int {
    var woken = 0
    var next = queues[key]?.first
    while let waiter = next {
      next = waiter.next
      if waiter.locks { throw .invalidArgument }
      guard waiter.bitset & bitset != 0 else { continue }
      remove(waiter)
      waiter.wake()
      woken += 1
      if woken >= Int(count) { break }
    }
    return woken
  }

  /// Wakes up to `wakes` waiters and moves up to `moves` others to another futex; returns how many it touched.
  func requeue(_ key: FutexKey, to target: FutexKey, wakes: Int32, moves: Int32) throws(Errno) -> Int {
    var touched = 0
    var next = queues[key]?.first
    while let waiter = next, touched < Int(wakes) + Int(moves) {
      next = waiter.next
      if waiter.locks { throw .invalidArgument }
      touched += 1
      if touched <= Int(wakes) {
        remove(waiter)
        waiter.wake()
      } else if key != target {
        remove(waiter)
        waiter.key = target
        add(waiter)
      }
    }
    return touched
  }

  /// Waiters for locks, one for each lock: the first in line.
  var lockWaiters: [FutexWaiter] {
    queues.values.compactMap { $0.first }.filter(\.locks).sorted { $0.task.id < $1.task.id }
  }

  /// Hands a lock to a waiter: it is woken as the owner.
  func hand(to waiter: FutexWaiter) {
    remove(waiter)
    waiter.wake()
  }
}
