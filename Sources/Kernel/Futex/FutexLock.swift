import LinuxABI
import Memory

/// Priority-inheritance futexes: locks whose owner is in the futex word (futex(2)).
///
/// Apus has no priorities to inherit; what it keeps is the protocol: the kernel hands the lock to the first waiter.
extension Kernel {
  /// `FUTEX_LOCK_PI` and, with `isTrial`, `FUTEX_TRYLOCK_PI`.
  func lockFutex(
    _ task: Task, at address: GuestAddress, isPrivate: Bool, isTrial: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    if case .futex(let waiter) = task.call.kept, waiter.isQueued || waiter.isWoken {
      return try wait(waiter, task)
    }
    let key = try task.memory.futexKey(address, isPrivate: isPrivate)
    let me = FutexWord.owner(task.id)
    var word = try task.memory.loadWord(address)
    while true {
      let owner = word & FutexWord.ownerMask
      if owner == me { throw .deadlock }
      var desired = word | FutexWord.waiters
      if owner == 0 {
        desired = me | word & FutexWord.ownerDied
        if futexes.first(key) != nil { desired |= FutexWord.waiters }
      } else if isTrial {
        throw .resourceTemporarilyUnavailable
      } else {
        guard let holder = tasks[FutexWord.owner(of: word)], !holder.hasEnded else {
          throw .noSuchProcess
        }
        if let first = futexes.first(key), !first.locks { throw .invalidArgument }
      }
      let result = try task.memory.compareExchangeWord(address, expected: word, desired: desired)
      guard result.exchanged else {
        word = result.original
        continue
      }
      if owner == 0 { return .done(0) }
      break
    }
    let waiter = FutexWaiter(task, address: address, key: key, bitset: .max, locks: true)
    task.call.kept = .futex(waiter)
    futexes.add(waiter)
    return try wait(waiter, task)
  }

  /// `FUTEX_UNLOCK_PI`.
  func unlockFutex(_ task: Task, at address: GuestAddress, isPrivate: Bool) throws(Errno) {
    let key = try task.memory.futexKey(address, isPrivate: isPrivate)
    let me = FutexWord.owner(task.id)
    let word = try task.memory.loadWord(address)
    guard word & FutexWord.ownerMask == me else { throw .notPermitted }
    guard let heir = futexes.first(key) else {
      _ = try task.memory.updateWord(address) { _ in 0 }
      return
    }
    guard heir.locks else { throw .invalidArgument }
    let value = FutexWord.owner(heir.task.id) | FutexWord.waiters
    _ = try task.memory.updateWord(address) { _ in value }
    futexes.hand(to: heir)
  }
}
