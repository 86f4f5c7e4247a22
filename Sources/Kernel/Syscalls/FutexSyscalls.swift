import LinuxABI
import Memory

/// futex(2) and robust lists.
extension Syscalls {
  static let futexTable: [SyscallEntry] = [
    .init(.futex, futex, [.pointer, .futexOperation, .uint, .pointer, .pointer, .hex]),
    .init(.set_robust_list, setRobustList, [.pointer, .uint]),
    .init(.get_robust_list, getRobustList, [.pid, .pointer, .pointer]),
  ]

  private enum FutexOperation: Int32 {
    case wait = 0
    case wake = 1
    case requeue = 3
    case compareRequeue = 4
    case wakeOperation = 5
    case lock = 6
    case unlock = 7
    case tryLock = 8
    case waitBitset = 9
    case wakeBitset = 10
    case lockMonotonic = 13
  }
  private static let privateFlag: Int32 = 128
  private static let realTimeFlag: Int32 = 256

  /// futex(2). Without the requeueing of `FUTEX_WAIT` to priority-inheritance futexes.
  static func futex(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let flags = a.int(1)
    guard let operation = FutexOperation(rawValue: flags & ~(privateFlag | realTimeFlag)) else { throw .noFunction }
    let isPrivate = flags & privateFlag != 0
    let usesRealTime = flags & realTimeFlag != 0
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
    default:
      try kernel.unlockFutex(task, at: a[0], isPrivate: isPrivate)
      return 0
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
    let code = a.uint(5)
    let first = try key(task, a[0], isPrivate)
    let second = try key(task, a[4], isPrivate)
    // Both arguments are signed, 12 bits wide.
    var operand = Int32(bitPattern: code << 8) >> 20
    let comparand = Int32(bitPattern: code << 20) >> 20
    if code & 0x8000_0000 != 0 { operand = 1 << (operand & 31) }
    let bits = UInt32(bitPattern: operand)
    let change: (UInt32) -> UInt32
    switch code >> 28 & 7 {
    case 0: change = { _ in bits }
    case 1: change = { $0 &+ bits }
    case 2: change = { $0 | bits }
    case 3: change = { $0 & ~bits }
    case 4: change = { $0 ^ bits }
    default: throw .noFunction
    }
    guard code >> 24 & 15 <= 5 else { throw .noFunction }
    let old = Int32(bitPattern: try task.memory.updateWord(a[4], change))
    var woken = try task.kernel.futexes.wake(first, count: a.int(2), bitset: .max)
    let matches: Bool
    switch code >> 24 & 15 {
    case 0: matches = old == comparand
    case 1: matches = old != comparand
    case 2: matches = old < comparand
    case 3: matches = old <= comparand
    case 4: matches = old > comparand
    default: matches = old >= comparand
    }
    if matches { woken += try task.kernel.futexes.wake(second, count: a.int(3), bitset: .max) }
    return woken
  }

  /// set_robust_list(2).
  static func setRobustList(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    guard a[1] == robustListHeadSize else { throw .invalidArgument }
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
    try task.memory.writeValue(a[2], robustListHeadSize)
    try task.memory.writeValue(a[1], target.robustList)
    return 0
  }

  /// `sizeof(struct robust_list_head)`.
  private static let robustListHeadSize: UInt64 = 24
}
