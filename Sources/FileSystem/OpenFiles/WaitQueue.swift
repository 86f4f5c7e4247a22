import LinuxABI

/// Something that waits on wait queues: a parked task, or an epoll item.
package protocol Waiter: AnyObject {
  /// A queue this waiter is registered on has news. The waiter stays registered until it is removed.
  /// - Returns: whether anybody was woken who looks at the news.
  @discardableResult
  func wake(by queue: WaitQueue, events: PollEvents) -> Bool
}

/// The waiters of one object (wait queues of Linux). All calls are made with the kernel lock held.
///
/// A waiter must tolerate spurious wake-ups: it tries again and waits again. Thousands may wait on one queue, so taking one
/// out never looks at all of them.
public final class WaitQueue {
  /// What `add` returns, and `remove` takes. Registrations of one queue are numbered in the order in which they came.
  package struct Registration: Sendable {
    fileprivate let number: UInt64
  }

  private struct Entry {
    let number: UInt64
    /// Nil once it has been removed.
    var waiter: (any Waiter)?
    let events: PollEvents
    let exclusive: Bool
  }
  /// In ascending order of number; removed ones stay until there are many, or until nothing else is left.
  private var entries: [Entry] = []
  private var lastNumber: UInt64 = 0
  private var count = 0
  /// How many calls of `wake` and `wakeOne` are going through the entries, which only grow meanwhile.
  private var readers = 0

  package init() {}
  package var isEmpty: Bool { count == 0 }

  /// Registers a waiter for some events. An exclusive waiter is woken one at a time (`wakeOne`).
  @discardableResult
  package func add(_ waiter: any Waiter, events: PollEvents = .all, exclusive: Bool = false) -> Registration {
    lastNumber &+= 1
    entries.append(Entry(number: lastNumber, waiter: waiter, events: events, exclusive: exclusive))
    count += 1
    return Registration(number: lastNumber)
  }

  /// Ends a registration. Does nothing where that has happened before.
  package func remove(_ registration: Registration) {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].number < registration.number { low = middle + 1 } else { high = middle }
    }
    guard low < entries.count, entries[low].number == registration.number, entries[low].waiter != nil else { return }
    entries[low].waiter = nil
    count -= 1
    if readers == 0 { compact() }
  }

  private func compact() {
    if count == 0 {
      entries.removeAll(keepingCapacity: entries.count <= 16)
    } else if entries.count > 2 * count + 16 {
      entries.removeAll { $0.waiter == nil }
    }
  }

  /// Wakes all waiters that wait for any of `events`.
  package func wake(_ events: PollEvents = .all) {
    guard count > 0 else { return }
    readers += 1
    // Those who come while the others are woken wait for the next news.
    for index in 0..<entries.count where !entries[index].events.isDisjoint(with: events) {
      entries[index].waiter?.wake(by: self, events: events)
    }
    readers -= 1
    if readers == 0 { compact() }
  }

  /// Wakes all non-exclusive waiters that wait for any of `events`, and exclusive ones until one of them wakes somebody: an
  /// epoll instance that nobody waits on takes note, and leaves the news to the next.
  package func wakeOne(_ events: PollEvents = .all) {
    guard count > 0 else { return }
    readers += 1
    var woken = false
    for index in 0..<entries.count where !entries[index].events.isDisjoint(with: events) {
      if entries[index].exclusive && woken { continue }
      let wakes = entries[index].waiter?.wake(by: self, events: events) ?? false
      if entries[index].exclusive && wakes { woken = true }
    }
    readers -= 1
    if readers == 0 { compact() }
  }
}
