import LinuxABI
import Memory
import Testing

@testable import Kernel

@Suite struct FutexTests {
  let machine: TestMachine
  var task: Task { machine.first }
  let word = TestMachine.data
  let other = TestMachine.data + 8
  private let again = -Int(Errno.resourceTemporarilyUnavailable.rawValue)

  init() throws { machine = try TestMachine() }

  private func futex(_ task: Task, _ address: UInt64, _ operation: UInt64, _ rest: UInt64...) throws -> Int? {
    let words = rest + [UInt64](repeating: 0, count: 4 - rest.count)
    return try machine.call(task, .futex, address, operation | 128, words[0], words[1], words[2], words[3])
  }

  private func waiters(_ count: Int, at address: UInt64? = nil) throws -> [Task] {
    let threads = try (0..<count).map { _ in try machine.thread(of: task) }
    for thread in threads { #expect(try futex(thread, address ?? word, 0, 0) == nil) }
    return threads
  }

  @Test func waitLooksAtTheWord() throws {
    try task.memory.writeValue(GuestAddress(word), UInt32(5))
    #expect(try futex(task, word, 0, 4) == again)
    #expect(try futex(task, word + 2, 0, 4) == -Int(Errno.invalidArgument.rawValue))
    #expect(try futex(task, 0x7000_0000, 0, 4) == -Int(Errno.badAddress.rawValue))
  }

  @Test func wakesInOrderAndTheWordDoesNotMatterAnyMore() throws {
    let threads = try waiters(3)
    #expect(try futex(task, word, 1, 2) == 2)
    // The word is still what they waited for; those that were woken must not sleep again.
    #expect(machine.finish(threads[0]) == 0)
    #expect(machine.finish(threads[1]) == 0)
    #expect(machine.finish(threads[2]) == nil)
    #expect(try futex(task, word, 1, 10) == 1)
    #expect(try futex(task, word, 1, 10) == 0)
    #expect(machine.kernel.futexes.isEmpty)
  }

  @Test func bitsetsSelect() throws {
    let threads = try (0..<2).map { _ in try machine.thread(of: task) }
    #expect(try futex(threads[0], word, 9, 0, 0, 0, 1) == nil)
    #expect(try futex(threads[1], word, 9, 0, 0, 0, 2) == nil)
    #expect(try futex(task, word, 10, 5, 0, 0, 2) == 1)
    #expect(machine.finish(threads[0]) == nil)
    #expect(machine.finish(threads[1]) == 0)
    #expect(try futex(task, word, 9, 0, 0, 0, 0) == -Int(Errno.invalidArgument.rawValue))
  }

  @Test func requeuedWaitersAreWokenAtTheirNewPlace() throws {
    let threads = try waiters(4)
    #expect(try futex(task, word, 4, 1, 2, other, 7) == again)
    #expect(try futex(task, word, 4, 1, 2, other, 0) == 3)
    #expect(machine.finish(threads[0]) == 0)
    #expect(try futex(task, other, 1, 10) == 2)
    #expect(machine.finish(threads[1]) == 0)
    #expect(machine.finish(threads[2]) == 0)
    #expect(machine.finish(threads[3]) == nil)
  }

  /// Wakes all waiters of a futex, and tells in which order.
  private func order(of tasks: [Task], at address: UInt64) throws -> [ProcessID] {
    var order: [ProcessID] = []
    while try futex(task, address, 1, 1) == 1 {
      let woken = tasks.filter { $0.state == .runnable && !order.contains($0.id) }
      try #require(woken.count == 1)
      order.append(woken[0].id)
    }
    return order
  }

  @Test func requeuedWaitersQueueUpBehindThoseThatWereThere() throws {
    let moved = try waiters(3)
    let there = try waiters(2, at: other)
    #expect(try futex(task, word, 3, 0, 2, other) == 2)
    #expect(try order(of: moved + there, at: other) == (there + moved.prefix(2)).map(\.id))
    #expect(try order(of: [moved[2]], at: word) == [moved[2].id])
    #expect(machine.kernel.futexes.isEmpty)
  }

  @Test func requeueingToTheSameFutexKeepsTheOrder() throws {
    let threads = try waiters(3)
    #expect(try futex(task, word, 3, 0, 10, word) == 3)
    #expect(try order(of: threads, at: word) == threads.map(\.id))
  }

  @Test func requeueRefusesNegativeCountsAndLocks() throws {
    let invalid = -Int(Errno.invalidArgument.rawValue)
    let negative = UInt64(UInt32(bitPattern: -1))
    #expect(try futex(task, word, 3, negative, 0, other) == invalid)
    #expect(try futex(task, word, 3, 0, negative, other) == invalid)
    let thread = try machine.thread(of: task)
    #expect(try futex(task, word, 6) == 0)
    #expect(try futex(thread, word, 6) == nil)
    #expect(try futex(task, word, 3, 1, 1, other) == invalid)
    #expect(machine.finish(thread) == nil)
  }

  @Test func aRequeuedWaiterStillTimesOut() throws {
    try task.memory.writeValue(GuestAddress(other + 8), Timespec(nanoseconds: 3_000_000))
    let thread = try machine.thread(of: task)
    #expect(try futex(thread, word, 0, 0, other + 8) == nil)
    #expect(try futex(task, word, 3, 0, 1, other) == 1)
    try machine.wait { thread.state == .runnable }
    #expect(machine.finish(thread) == -Int(Errno.timedOut.rawValue))
    #expect(machine.kernel.futexes.isEmpty)
  }

  @Test func wakeOperationChangesAndCompares() throws {
    let first = try waiters(1)[0]
    let second = try waiters(1, at: other)[0]
    // *other += 3; wake there too if it was equal to 0.
    let operation: UInt64 = 1 << 28 | 0 << 24 | 3 << 12 | 0
    #expect(try futex(task, word, 5, 1, 1, other, operation) == 2)
    #expect(try task.memory.readValue(GuestAddress(other), as: UInt32.self) == 3)
    #expect(machine.finish(first) == 0)
    #expect(machine.finish(second) == 0)
    // *other |= 1 << 5; the comparison with −1 (signed) fails.
    let shifted: UInt64 = 10 << 28 | 0 << 24 | 5 << 12 | 0xfff
    #expect(try futex(task, word, 5, 1, 1, other, shifted) == 0)
    #expect(try task.memory.readValue(GuestAddress(other), as: UInt32.self) == 35)
  }

  @Test func waitTimesOut() throws {
    try task.memory.writeValue(GuestAddress(other), Timespec(nanoseconds: 2_000_000))
    #expect(try futex(task, word, 0, 0, other) == nil)
    try machine.wait { task.state == .runnable }
    #expect(machine.finish(task) == -Int(Errno.timedOut.rawValue))
    #expect(machine.kernel.futexes.isEmpty)
    // An absolute time that is past, on either clock.
    try task.memory.writeValue(GuestAddress(other), Timespec(nanoseconds: 1))
    for operation: UInt64 in [9, 9 | 256] {
      #expect(try futex(task, word, operation, 0, other, 0, 1) == -Int(Errno.timedOut.rawValue))
    }
    try task.memory.writeValue(GuestAddress(other), Timespec(seconds: 0, nanoseconds: -1))
    #expect(try futex(task, word, 0, 0, other) == -Int(Errno.invalidArgument.rawValue))
  }

  @Test func timedWaitGoesOnWithItsDeadlineAfterAnIgnoredSignal() throws {
    try task.memory.writeValue(GuestAddress(other), Timespec(nanoseconds: 20_000_000))
    #expect(try futex(task, word, 0, 0, other) == nil)
    let deadline = try #require(task.call.deadline)
    task.signals.pending.add(SignalInfo(signal: Signal.winch, code: 0))
    machine.kernel.kick(task)
    machine.enter(task)
    #expect(machine.kernel.futexes.isEmpty)
    #expect(machine.repeatCall(task) == nil)
    #expect(task.call.deadline == deadline)
    try machine.wait { task.state == .runnable }
    #expect(machine.finish(task) == -Int(Errno.timedOut.rawValue))
  }

  @Test func signalEndsAWaitAndLeavesTheQueue() throws {
    try machine.handle(task, Signal.usr1)
    #expect(try futex(task, word, 0, 0) == nil)
    machine.send(Signal.usr1, to: task)
    machine.enter(task)
    #expect(Int64(bitPattern: try machine.frame(of: task).context.machine.registers.rax) == -4)
    #expect(machine.kernel.futexes.isEmpty)
  }

  @Test func endingTaskDoesNotTakeAWakeup() throws {
    let threads = try waiters(2)
    threads[0].mustExit = true
    machine.kernel.kick(threads[0])
    machine.enter(threads[0])
    #expect(threads[0].state == .dead)
    #expect(try futex(task, word, 1, 1) == 1)
    #expect(machine.finish(threads[1]) == 0)
  }

  // MARK: Locks

  @Test func locksAreHandedOver() throws {
    let thread = try machine.thread(of: task)
    #expect(try futex(task, word, 6) == 0)
    #expect(try task.memory.readValue(GuestAddress(word), as: UInt32.self) == UInt32(task.id))
    #expect(try futex(task, word, 6) == -Int(Errno.deadlock.rawValue))
    #expect(try futex(thread, word, 8) == again)
    #expect(try futex(thread, word, 7) == -Int(Errno.notPermitted.rawValue))
    #expect(try futex(thread, word, 6) == nil)
    #expect(try task.memory.readValue(GuestAddress(word), as: UInt32.self) == UInt32(task.id) | FutexWord.waiters)
    #expect(try futex(task, word, 7) == 0)
    #expect(machine.finish(thread) == 0)
    #expect(try task.memory.readValue(GuestAddress(word), as: UInt32.self) & FutexWord.ownerMask == UInt32(thread.id))
    #expect(try futex(thread, word, 7) == 0)
    #expect(try task.memory.readValue(GuestAddress(word), as: UInt32.self) == 0)
  }

  @Test func locksGoToThoseWhoWaitInTheirOrder() throws {
    let threads = try (0..<4).map { _ in try machine.thread(of: task) }
    #expect(try futex(task, word, 6) == 0)
    for thread in threads { #expect(try futex(thread, word, 6) == nil) }
    // One gives up: the others keep their places.
    threads[1].mustExit = true
    machine.kernel.kick(threads[1])
    machine.enter(threads[1])
    var owner = task
    for next in [threads[0], threads[2], threads[3]] {
      #expect(try futex(owner, word, 7) == 0)
      #expect(machine.finish(next) == 0)
      // Nobody takes the lock from the one whose turn it is.
      #expect(try futex(task, word, 8) == again)
      #expect(try task.memory.readValue(GuestAddress(word), as: UInt32.self) & FutexWord.ownerMask == UInt32(next.id))
      owner = next
    }
    #expect(try futex(owner, word, 7) == 0)
    #expect(try task.memory.readValue(GuestAddress(word), as: UInt32.self) == 0)
    #expect(machine.kernel.futexes.isEmpty)
  }

  @Test func aLockThatIsNotHadInTimeLeavesTheQueue() throws {
    let threads = try (0..<2).map { _ in try machine.thread(of: task) }
    #expect(try futex(task, word, 6) == 0)
    // FUTEX_LOCK_PI takes an absolute time of CLOCK_REALTIME.
    let limit = machine.services.realTime + 5_000_000
    try task.memory.writeValue(GuestAddress(other), Timespec(limit))
    #expect(try futex(threads[0], word, 6, 0, other) == nil)
    #expect(try futex(threads[1], word, 6) == nil)
    try machine.wait { threads[0].state == .runnable }
    #expect(machine.services.realTime >= limit)
    #expect(machine.finish(threads[0]) == -Int(Errno.timedOut.rawValue))
    #expect(try futex(task, word, 7) == 0)
    #expect(machine.finish(threads[1]) == 0)
  }

  @Test func lockOfADeadOwnerIsInherited() throws {
    let thread = try machine.thread(of: task)
    #expect(try futex(thread, word, 6) == 0)
    #expect(try futex(task, word, 6) == nil)
    try machine.call(thread, .exit, 0)
    #expect(machine.finish(task) == 0)
    let expected = UInt32(task.id) | FutexWord.ownerDied | FutexWord.waiters
    #expect(try task.memory.readValue(GuestAddress(word), as: UInt32.self) == expected)
  }

  // MARK: Robust lists

  @Test func robustFutexesAreMarkedAndTheirWaitersWoken() throws {
    let thread = try machine.thread(of: task)
    let head = TestMachine.data + 0x100
    let entry = TestMachine.data + 0x200
    // The list holds one entry whose futex lies 16 bytes behind it.
    try task.memory.writeArray(GuestAddress(head), [entry, 16, 0])
    try task.memory.writeValue(GuestAddress(entry), head)
    try task.memory.writeValue(GuestAddress(entry + 16), UInt32(thread.id) | FutexWord.waiters)
    #expect(try machine.call(thread, .set_robust_list, head, 24) == 0)
    #expect(try machine.call(thread, .set_robust_list, head, 23) == -Int(Errno.invalidArgument.rawValue))
    // Linux wakes those that wait without FUTEX_PRIVATE_FLAG.
    let value = UInt64(UInt32(thread.id) | FutexWord.waiters)
    #expect(try machine.call(task, .futex, entry + 16, 0, value, 0, 0, 0) == nil)
    try machine.call(thread, .exit, 0)
    #expect(machine.finish(task) == 0)
    let left = try task.memory.readValue(GuestAddress(entry + 16), as: UInt32.self)
    #expect(left == FutexWord.ownerDied | FutexWord.waiters)
  }

  @Test func robustListsMayBeCircularOrBad() throws {
    let thread = try machine.thread(of: task)
    let head = TestMachine.data + 0x100
    let entry = TestMachine.data + 0x200
    try task.memory.writeArray(GuestAddress(head), [entry, 16, 0x8])
    try task.memory.writeValue(GuestAddress(entry), entry)
    #expect(try machine.call(thread, .set_robust_list, head, 24) == 0)
    try machine.call(thread, .exit, 0)
    #expect(thread.state == .dead)
    let second = try machine.thread(of: task)
    try task.memory.writeArray(GuestAddress(head), [UInt64.max, UInt64.max, UInt64.max])
    #expect(try machine.call(second, .set_robust_list, head, 24) == 0)
    try machine.call(second, .exit, 0)
    #expect(second.state == .dead)
  }
}
