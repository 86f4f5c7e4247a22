import LinuxABI
import Memory

extension Kernel {
  /// Wakes one waiter of a futex.
  func wakeFutex(at address: GuestAddress, in memory: AddressSpace) {
    guard let key = try? memory.futexKey(address, isPrivate: false) else { return }
    _ = try? futexes.wake(key, count: 1, bitset: .max)
  }

  /// Parks a task on a futex; from the second run on, tells how the wait ended.
  func wait(_ waiter: FutexWaiter, _ task: Task) throws(Errno) -> CallOutcome<Int> {
    if waiter.isWoken { return .done(0) }
    if let deadline = task.call.deadline, deadline <= monotonicTime {
      futexes.remove(waiter)
      throw .timedOut
    }
    let suspension = task.wait(
      on: [], deadline: task.call.deadline, interrupted: task.call.deadline == nil ? .restartSys : .restartBlock)
    if suspension != .parked { futexes.remove(waiter) }
    return .suspended(suspension)
  }

  // MARK: The end of a task

  /// Takes an ending task out of futex queues, marks the robust futexes that it holds, and wakes their waiters
  /// (get_robust_list(2)).
  func releaseRobustFutexes(of task: Task) {
    if case .futex(let waiter) = task.call.kept { futexes.remove(waiter) }
    if !task.robustList.isNull { walkRobustList(of: task) }
    guard !futexes.isEmpty else { return }
    for waiter in futexes.lockWaiters { inheritLock(waiter, from: task) }
  }

  /// Most entries of a robust list that are looked at; the list may be a circle.
  private static let robustListLimit = 2048

  private func walkRobustList(of task: Task) {
    let memory = task.memory
    guard let head = try? memory.readValue(task.robustList, as: RobustListHead.self) else { return }
    let (offset, pending) = (head.futexOffset, head.pending)
    var entry = head.first
    for _ in 0..<Kernel.robustListLimit {
      guard entry.address != task.robustList else { break }
      // Read the link before the futex is released: its owner to be may free it at once.
      let next = try? memory.readValue(entry.address, as: RobustListLink.self)
      if entry.address != pending.address {
        guard ownerDied(task, entry.address &+ offset, locks: entry.locks, isPending: false) else { return }
      }
      guard let next else { return }
      entry = next
    }
    if !pending.address.isNull {
      _ = ownerDied(task, pending.address &+ offset, locks: pending.locks, isPending: true)
    }
  }

  /// Marks one robust futex of an ending task; false where its address is bad.
  private func ownerDied(_ task: Task, _ address: GuestAddress, locks: Bool, isPending: Bool) -> Bool {
    guard let value = try? task.memory.loadWord(address) else { return false }
    if isPending, !locks, value == 0 {
      // It was released, but whoever waits may not have been woken.
      wakeFutex(at: address, in: task.memory)
      return true
    }
    guard value & FutexWord.ownerMask == FutexWord.owner(task.id) else { return true }
    let old = try? task.memory.updateWord(address) { word in
      word & FutexWord.ownerMask == FutexWord.owner(task.id) ? word & FutexWord.waiters | FutexWord.ownerDied : word
    }
    guard let old else { return false }
    if !locks, old & FutexWord.waiters != 0 { wakeFutex(at: address, in: task.memory) }
    return true
  }

  /// Gives a lock of an ending task to the first task that waits for it.
  private func inheritLock(_ waiter: FutexWaiter, from task: Task) {
    let heir = waiter.task
    let dead = FutexWord.owner(task.id)
    guard let word = try? heir.memory.loadWord(waiter.address) else { return }
    let owner = word & FutexWord.ownerMask
    guard owner == dead || owner == 0 && word & FutexWord.ownerDied != 0 else { return }
    let value = FutexWord.owner(heir.id) | FutexWord.waiters | FutexWord.ownerDied
    _ = try? heir.memory.updateWord(waiter.address) { _ in value }
    futexes.hand(to: waiter)
  }
}
