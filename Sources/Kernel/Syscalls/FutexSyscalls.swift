import LinuxABI
import Memory

/// futex(2) and robust lists.
extension Syscalls {
  static let futexTable: [SyscallEntry] = [
    .init(.futex, futex, [.pointer, .futexOperation, .uint, .pointer, .pointer, .hex]),
    .init(.set_robust_list, setRobustList, [.pointer, .uint]),
    .init(.get_robust_list, getRobustList, [.pid, .pointer, .pointer]),
  ]

  /// futex(2). Without the requeueing of `FUTEX_WAIT` to priority-inheritance futexes.
  static func futex(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = FutexFlags(rawValue: a.uint(1)).intersection(.all)
    guard let operation = FutexOperation(rawValue: a.uint(1) & ~FutexFlags.all.rawValue) else { throw .noFunction }
    let isPrivate = flags.contains(.isPrivate)
    let usesRealTime = flags.contains(.clockRealTime)
    let kernel = task.kernel
    switch operation {
    case .wait, .waitBitset:
      let isAbsolute = operation == .waitBitset
      let bitset = isAbsolute ? a.uint(5) : .max
      try setDeadline(task, a[3], usesRealTime: usesRealTime, isAbsolute: isAbsolute)
      return try wait(task, a[0], value: a.uint(2), bitset: bitset, isPrivate: isPrivate)
    case .lock, .lockMonotonic:
      try setDeadline(task, a[3], usesRealTime: operation == .lock || usesRealTime, isAbsolute: true)
      try kernel.lockFutex(task, at: a[0], isPrivate: isPrivate, isTrial: false)
      return 0
    default: break
    }
    guard !usesRealTime else { throw .noFunction }
    switch operation {
    case .wake:
      return try kernel.futexes.wake(key(task, a[0], isPrivate), count: a.int(2), bitset: .max)
    case .wakeBitset:
      guard a.uint(5) != 0 else { throw .invalidArgument }
      return try kernel.futexes.wake(key(task, a[0], isPrivate), count: a.int(2), bitset: a.uint(5))
    case .requeue, .compareRequeue:
      let wakes = a.int(2)
      let moves = a.int(3)
      guard wakes >= 0, moves >= 0 else { throw .invalidArgument }
      let source = try key(task, a[0], isPrivate)
      let target = try key(task, a[4], isPrivate)
      if operation == .compareRequeue, try task.memory.loadWord(a[0]) != a.uint(5) {
        throw .resourceTemporarilyUnavailable
      }
      return try kernel.futexes.requeue(source, to: target, wakes: wakes, moves: moves)
    case .wakeOperation: return try wakeOperation(task, a, isPrivate: isPrivate)
    case .tryLock:
      try kernel.lockFutex(task, at: a[0], isPrivate: isPrivate, isTrial: true)
      return 0
    case .unlock:
      try kernel.unlockFutex(task, at: a[0], isPrivate: isPrivate)
      return 0
    case .wait, .waitBitset, .lock, .lockMonotonic, .waitRequeue, .compareRequeueToLock: throw .noFunction
    }
  }

  private static func key(_ task: Task, _ address: UInt64, _ isPrivate: Bool) throws(Errno) -> FutexKey {
    try task.memory.futexKey(address, isPrivate: isPrivate)
  }

  /// Takes the timeout of a call that waits, on its first run.
  private static func setDeadline(
    _ task: Task, _ address: UInt64, usesRealTime: Bool, isAbsolute: Bool
  ) throws(Errno) {
    guard address != 0, !task.retry.isRetry else { return }
    let time = try task.memory.readValue(address, as: Timespec.self)
    guard time.isValid else { throw .invalidArgument }
    task.retry.deadline = task.kernel.deadline(
      time, clock: usesRealTime ? ClockID.realTime : ClockID.monotonic, isAbsolute: isAbsolute)
  }

  /// `FUTEX_WAIT`: waits unless the word has changed.
  private static func wait(
    _ task: Task, _ address: UInt64, value: UInt32, bitset: UInt32, isPrivate: Bool
  ) throws(Errno) -> Int {
    if let waiter = task.retry.object as? FutexWaiter, waiter.isQueued || waiter.isWoken {
      try task.kernel.wait(waiter, task)
      return 0
    }
    guard bitset != 0 else { throw .invalidArgument }
    let key = try key(task, address, isPrivate)
    guard try task.memory.loadWord(address) == value else { throw .resourceTemporarilyUnavailable }
    let waiter = FutexWaiter(task, address: address, key: key, bitset: bitset)
    task.retry.object = waiter
    task.kernel.futexes.add(waiter)
    try task.kernel.wait(waiter, task)
    return 0
  }

  /// `FUTEX_WAKE_OP`: changes a second word, wakes waiters of the first and, depending on what was there, of the second.
  private static func wakeOperation(_ task: Task, _ a: SyscallArguments, isPrivate: Bool) throws(Errno) -> Int {
    let first = try key(task, a[0], isPrivate)
    let second = try key(task, a[4], isPrivate)
    guard let change = FutexWakeChange(a.uint(5)) else { throw .noFunction }
    let old = try task.memory.updateWord(a[4], change.changed)
    var woken = try task.kernel.futexes.wake(first, count: a.int(2), bitset: .max)
    if change.matches(old) { woken += try task.kernel.futexes.wake(second, count: a.int(3), bitset: .max) }
    return woken
  }

  /// set_robust_list(2).
  static func setRobustList(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] == RobustListHead.size else { throw .invalidArgument }
    task.robustList = a[0]
    return 0
  }

  /// get_robust_list(2).
  static func getRobustList(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let id = a.int(0)
    let target = id == 0 ? task : task.kernel.tasks[id]
    guard let target else { throw .noSuchProcess }
    if target.group !== task.group, target.credentials.uid != task.credentials.euid,
      !task.credentials.has(.sysPtrace)
    {
      throw .notPermitted
    }
    try task.memory.writeValue(a[2], RobustListHead.size)
    try task.memory.writeValue(a[1], target.robustList)
    return 0
  }
}
