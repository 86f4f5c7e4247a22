import LinuxABI
import Memory

/// futex(2) and robust lists.
extension Syscalls {
  static let futexTable: [SyscallEntry] = [
    .init(.futex, futex, .partial("no requeueing of FUTEX_WAIT to priority-inheritance futexes")),
    .init(.set_robust_list, setRobustList),
    .init(.get_robust_list, getRobustList),
  ]

  /// futex(2). Without the requeueing of `FUTEX_WAIT` to priority-inheritance futexes.
  static func futex(
    _ task: Task, _ word: GuestAddress, _ command: FutexCommand, _ value: UInt32,
    _ timeout: FutexArgument<GuestAddress>, _ secondWord: FutexArgument<GuestAddress>,
    _ thirdValue: FutexArgument<Hexadecimal<UInt32>>
  ) throws(Errno) -> CallOutcome<Int> {
    guard let operation = command.operation else { throw .noFunction }
    let isPrivate = command.flags.contains(.isPrivate)
    let usesRealTime = command.flags.contains(.clockRealTime)
    let (word, secondWord, thirdValue) = (word.rawValue, secondWord.value.rawValue, thirdValue.value.value)
    let count = Int32(bitPattern: value)
    // Operations that move or wake waiters of the second word take a count in place of a timeout.
    let secondCount = Int32(truncatingIfNeeded: timeout.value.rawValue)
    let timeout = timeout.value
    let kernel = task.kernel
    switch operation {
    case .wait, .waitBitset:
      let isAbsolute = operation == .waitBitset
      let bitset = isAbsolute ? thirdValue : .max
      try setDeadline(task, timeout, usesRealTime: usesRealTime, isAbsolute: isAbsolute)
      return try wait(task, word, value: value, bitset: bitset, isPrivate: isPrivate)
    case .lock, .lockMonotonic:
      try setDeadline(task, timeout, usesRealTime: operation == .lock || usesRealTime, isAbsolute: true)
      return try kernel.lockFutex(task, at: GuestAddress(word), isPrivate: isPrivate, isTrial: false)
    default: break
    }
    guard !usesRealTime else { throw .noFunction }
    switch operation {
    case .wake:
      return .done(try kernel.futexes.wake(key(task, word, isPrivate), count: count, bitset: .max))
    case .wakeBitset:
      guard thirdValue != 0 else { throw .invalidArgument }
      return .done(try kernel.futexes.wake(key(task, word, isPrivate), count: count, bitset: thirdValue))
    case .requeue, .compareRequeue:
      guard count >= 0, secondCount >= 0 else { throw .invalidArgument }
      let source = try key(task, word, isPrivate)
      let target = try key(task, secondWord, isPrivate)
      if operation == .compareRequeue, try task.memory.loadWord(GuestAddress(word)) != thirdValue {
        throw .resourceTemporarilyUnavailable
      }
      return .done(try kernel.futexes.requeue(source, to: target, wakes: count, moves: secondCount))
    case .wakeOperation:
      // Changes the second word, wakes waiters of the first and, depending on what was there, of the second.
      let first = try key(task, word, isPrivate)
      let second = try key(task, secondWord, isPrivate)
      guard let change = FutexWakeChange(thirdValue) else { throw .noFunction }
      let old = try task.memory.updateWord(GuestAddress(secondWord), change.changed)
      var woken = try kernel.futexes.wake(first, count: count, bitset: .max)
      if change.matches(old) { woken += try kernel.futexes.wake(second, count: secondCount, bitset: .max) }
      return .done(woken)
    case .tryLock:
      return try kernel.lockFutex(task, at: GuestAddress(word), isPrivate: isPrivate, isTrial: true)
    case .unlock:
      try kernel.unlockFutex(task, at: GuestAddress(word), isPrivate: isPrivate)
      return .done(0)
    case .wait, .waitBitset, .lock, .lockMonotonic, .waitRequeue, .compareRequeueToLock: throw .noFunction
    }
  }

  private static func key(_ task: Task, _ address: UInt64, _ isPrivate: Bool) throws(Errno) -> FutexKey {
    try task.memory.futexKey(GuestAddress(address), isPrivate: isPrivate)
  }

  /// Takes the timeout of a call that waits, on its first run.
  private static func setDeadline(
    _ task: Task, _ timeout: GuestAddress, usesRealTime: Bool, isAbsolute: Bool
  ) throws(Errno) {
    guard !timeout.isNull, !task.call.isRetry else { return }
    let time = try task.memory.readValue(timeout, as: Timespec.self)
    guard time.isValid else { throw .invalidArgument }
    task.call.deadline = task.kernel.deadline(
      time, clock: usesRealTime ? .realTime : .monotonic, isAbsolute: isAbsolute)
  }

  /// `FUTEX_WAIT`: waits unless the word has changed.
  private static func wait(
    _ task: Task, _ address: UInt64, value: UInt32, bitset: UInt32, isPrivate: Bool
  ) throws(Errno) -> CallOutcome<Int> {
    if case .futex(let waiter) = task.call.kept, waiter.isQueued || waiter.isWoken {
      return try task.kernel.wait(waiter, task)
    }
    guard bitset != 0 else { throw .invalidArgument }
    let key = try key(task, address, isPrivate)
    guard try task.memory.loadWord(GuestAddress(address)) == value else { throw .resourceTemporarilyUnavailable }
    let waiter = FutexWaiter(task, address: GuestAddress(address), key: key, bitset: bitset)
    task.call.kept = .futex(waiter)
    task.kernel.futexes.add(waiter)
    return try task.kernel.wait(waiter, task)
  }

  /// set_robust_list(2).
  static func setRobustList(_ task: Task, _ head: GuestAddress, _ size: UInt64) throws(Errno) -> Int {
    guard size == RobustListHead.size else { throw .invalidArgument }
    task.robustList = head
    return 0
  }

  /// get_robust_list(2).
  static func getRobustList(
    _ task: Task, _ id: ProcessID, _ head: OutPointer<UInt64>, _ size: OutPointer<UInt64>
  ) throws(Errno) -> Int {
    if id == .initial { throw .notPermitted }
    let target = id == .zero ? task : task.kernel.tasks[id]
    guard let target else { throw .noSuchProcess }
    guard task.mayAccess(target) else { throw .notPermitted }
    try task.store(RobustListHead.size, to: size)
    try task.store(target.robustList.rawValue, to: head)
    return 0
  }
}

/// The operation of futex(2), with the flags beside it.
struct FutexCommand: SyscallArgument {
  let flags: FutexFlags
  private let number: UInt32
  /// Nil for a number that is none.
  var operation: FutexOperation? { FutexOperation(rawValue: number) }

  init(register: UInt64) {
    let value = UInt32(truncatingIfNeeded: register)
    flags = FutexFlags(rawValue: value).intersection(.all)
    number = value & ~FutexFlags.all.rawValue
  }

  func describe(in call: CallFormatter) -> String? {
    ConstantName.one(UInt64(number), FutexOperation.names) + (flags.contains(.isPrivate) ? "_PRIVATE" : "")
      + (flags.contains(.clockRealTime) ? "|FUTEX_CLOCK_REALTIME" : "")
  }
}

/// An argument of futex(2) that not all operations have.
struct FutexArgument<Value: SyscallArgument>: SyscallArgument {
  let value: Value
  init(register: UInt64) { value = Value(register: register) }

  func describe(in call: CallFormatter) -> String? {
    let count =
      switch call.argument(FutexCommand.self)?.operation {
      case .wake, .unlock, .tryLock: 3
      case .wait, .lock, .lockMonotonic: 4
      default: 6
      }
    return call.index < count ? value.describe(in: call) : nil
  }
}
