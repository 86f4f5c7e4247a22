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
/// A waiter must tolerate spurious wake-ups: it tries again and waits again.
public final class WaitQueue {
  private struct Entry {
    let waiter: any Waiter
    let events: PollEvents
    let exclusive: Bool
  }
  private var entries: [Entry] = []

  package init() {}
  package var isEmpty: Bool { entries.isEmpty }

  /// Registers a waiter for some events. An exclusive waiter is woken one at a time (`wakeOne`).
  package func add(_ waiter: any Waiter, events: PollEvents = .all, exclusive: Bool = false) {
    entries.append(Entry(waiter: waiter, events: events, exclusive: exclusive))
  }

  /// Removes every registration of a waiter.
  package func remove(_ waiter: any Waiter) {
    entries.removeAll { $0.waiter === waiter }
  }

  /// Wakes all waiters that wait for any of `events`.
  package func wake(_ events: PollEvents = .all) {
    guard !entries.isEmpty else { return }
    for entry in entries where !entry.events.isDisjoint(with: events) {
      entry.waiter.wake(by: self, events: events)
    }
  }

  /// Wakes all non-exclusive waiters that wait for any of `events`, and exclusive ones until one of them wakes somebody: an
  /// epoll instance that nobody waits on takes note, and leaves the news to the next.
  package func wakeOne(_ events: PollEvents = .all) {
    guard !entries.isEmpty else { return }
    var woken = false
    for entry in entries where !entry.events.isDisjoint(with: events) {
      if entry.exclusive && woken { continue }
      let wakes = entry.waiter.wake(by: self, events: events)
      if entry.exclusive && wakes { woken = true }
    }
  }
}
