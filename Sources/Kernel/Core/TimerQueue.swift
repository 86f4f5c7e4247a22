import FileSystem
import HeapModule
import Host
import LinuxABI

/// The armed timers in order of deadline. The interrupt thread sleeps until the first one.
final class TimerQueue {
  private struct Entry: Comparable {
    let deadline: UInt64
    let generation: UInt64
    let timer: KernelTimer
    /// Neither disarmed nor armed anew.
    var isLive: Bool { timer.deadline != nil && timer.generation == generation }
    static func < (a: Entry, b: Entry) -> Bool { a.deadline < b.deadline }
    static func == (a: Entry, b: Entry) -> Bool { a.deadline == b.deadline && a.generation == b.generation }
  }
  private var heap = Heap<Entry>()
  /// Disarmed entries that may still be in the heap.
  private var stale = 0
  /// The interrupt thread sleeps until this time; nil: without a deadline, `.max` while it is awake.
  var sleepingUntil: UInt64?
  /// True while the interrupt thread holds the kernel lock.
  var isExpiring = false
  private let interrupts: InterruptController

  init(interrupts: InterruptController) { self.interrupts = interrupts }

  func arm(_ timer: KernelTimer, deadline: UInt64) {
    timer.generation &+= 1
    timer.deadline = deadline
    heap.insert(Entry(deadline: deadline, generation: timer.generation, timer: timer))
    if deadline < sleepingUntil ?? .max, !isExpiring {
      sleepingUntil = deadline
      interrupts.poke()
    }
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

  /// Expires what is due and returns the next deadline.
  func expire() -> UInt64? {
    let now = Host.monotonicTime
    while let first = heap.min, !first.isLive || first.deadline <= now {
      heap.removeMin()
      guard first.isLive else { continue }
      first.timer.deadline = nil
      first.timer.expire()
    }
    return heap.min?.deadline
  }
}
