import FileSystem
import HeapModule
import LinuxABI

/// The armed timers in order of deadline, and the time at which the machine will look at them next.
package final class TimerQueue {
  private struct Entry: Comparable {
    let deadline: MonotonicTime
    let generation: UInt64
    let timer: KernelTimer
    /// It has been neither disarmed nor armed again since.
    var isLive: Bool { timer.deadline != nil && timer.generation == generation }
    static func < (a: Entry, b: Entry) -> Bool { a.deadline < b.deadline }
    static func == (a: Entry, b: Entry) -> Bool { a.deadline == b.deadline && a.generation == b.generation }
  }
  private var heap = Heap<Entry>()
  /// Disarmed entries that may still be in the heap.
  private var stale = 0
  /// The machine serves interrupts at this time at the latest; nil: at no time that it knows of.
  private var alarm: MonotonicTime?
  /// Interrupts are served: what is armed now is looked at before the machine waits again.
  private(set) var isServing = false

  package init() {}

  /// Arms a timer, or moves its deadline. True where the machine has to be told, because it would wake up too late.
  func arm(_ timer: KernelTimer, deadline: MonotonicTime) -> Bool {
    if timer.deadline != nil { disarm(timer) }
    timer.generation &+= 1
    timer.deadline = deadline
    heap.insert(Entry(deadline: deadline, generation: timer.generation, timer: timer))
    guard deadline < alarm ?? .never, !isServing else { return false }
    alarm = deadline
    return true
  }

  func disarm(_ timer: KernelTimer) {
    guard timer.deadline != nil else { return }
    timer.deadline = nil
    timer.generation &+= 1
    stale += 1
    if stale > 1000 {
      heap = Heap(heap.unordered.filter(\.isLive))
      stale = 0
    }
  }

  /// Interrupts begin to be served.
  package func beginServing() { isServing = true }

  /// Expires what is due at `now`, as the last of the interrupts; returns when to come back at the latest.
  package func finishServing(at now: MonotonicTime) -> MonotonicTime? {
    while let first = heap.min, !first.isLive || first.deadline <= now {
      heap.removeMin()
      guard first.isLive else { continue }
      first.timer.deadline = nil
      first.timer.expire()
    }
    isServing = false
    alarm = heap.min?.deadline
    return alarm
  }
}
