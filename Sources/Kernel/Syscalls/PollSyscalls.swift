import FileSystem
import LinuxABI
import Memory

/// poll(2) and select(2).
extension Syscalls {
  static let pollTable: [SyscallEntry] = [
    .init(.poll, poll),
    .init(.ppoll, ppoll),
    .init(.select, select),
    .init(.pselect6, pselect6),
  ]

  /// poll(2).
  static func poll(_ task: Task, _ list: PollList, _ count: UInt32, _ timeout: Int32) throws(Errno) -> CallOutcome<Int>
  {
    try poll(task, list, count: count, timeout: milliseconds(timeout), interrupted: .restartBlock)
  }

  /// ppoll(2). Like Linux, it writes the time that is left back.
  static func ppoll(
    _ task: Task, _ list: PollList, _ count: UInt32, _ timeout: InOutPointer<Timespec>, _ mask: InPointer<SignalSet>,
    _ size: UInt64
  ) throws(Errno) -> CallOutcome<Int> {
    let limit = try firstTimeout(task, timeout)
    return try task.withTemporaryMask(mask, size: size) { () throws(Errno) in
      try returningTimeLeft(task, to: timeout) { () throws(Errno) in
        try poll(task, list, count: count, timeout: limit, interrupted: .restartNoHand)
      }
    }
  }

  private static func poll(
    _ task: Task, _ list: PollList, count: UInt32, timeout: Nanoseconds?, interrupted restart: RestartKind
  ) throws(Errno) -> CallOutcome<Int> {
    guard UInt64(count) <= task.descriptorLimit else { throw .invalidArgument }
    var entries = try task.memory.readArray(list.address, count: Int(count), as: PollDescriptor.self)
    var wait = PollWait()
    var ready = 0
    for index in entries.indices {
      let entry = entries[index]
      entries[index].returned = 0
      guard entry.descriptor.rawValue >= 0 else { continue }
      guard let file = try? task.openFile(entry.descriptor) else {
        entries[index].returned = UInt16(PollEvents.invalid.rawValue)
        ready += 1
        continue
      }
      let wanted = PollEvents(rawValue: UInt32(entry.events)).union([.error, .hangUp])
      let events = wait.check(file, wanted)
      entries[index].returned = UInt16(truncatingIfNeeded: events.rawValue)
      if !events.isEmpty { ready += 1 }
    }
    if ready == 0, !wait.isOver(task, timeout: timeout) { return .suspended(try wait.park(task, interrupted: restart)) }
    // Only `revents` changes, but the entries lie side by side.
    if !entries.isEmpty { try task.memory.writeArray(list.address, entries) }
    return .done(ready)
  }

  /// select(2). Like Linux, it writes the time that is left back.
  static func select(
    _ task: Task, _ count: Int32, _ reading: DescriptorSetPointer, _ writing: DescriptorSetPointer,
    _ exceptional: DescriptorSetPointer, _ timeout: InOutPointer<Timeval>
  ) throws(Errno) -> CallOutcome<Int> {
    var limit: Nanoseconds?
    if !timeout.isNull {
      limit = .zero
      if !task.call.isRetry {
        let value = try task.load(timeout)
        guard value.seconds >= 0, value.microseconds >= 0 else { throw .invalidArgument }
        let (rest, overflow) = value.microseconds.multipliedReportingOverflow(by: 1000)
        limit = Timespec(seconds: value.seconds, nanoseconds: overflow ? .max : rest).duration
      }
    }
    let write = { (left: Nanoseconds) throws(Errno) in try task.store(Timeval(left), to: timeout) }
    return try returningTimeLeft(task, write) { () throws(Errno) in
      try select(task, count, [reading, writing, exceptional], timeout: limit)
    }
  }

  /// pselect6, which pselect(2) of glibc calls.
  static func pselect6(
    _ task: Task, _ count: Int32, _ reading: DescriptorSetPointer, _ writing: DescriptorSetPointer,
    _ exceptional: DescriptorSetPointer, _ timeout: InOutPointer<Timespec>, _ mask: InPointer<SignalMaskReference>
  ) throws(Errno) -> CallOutcome<Int> {
    let limit = try firstTimeout(task, timeout)
    let mask = mask.isNull ? SignalMaskReference() : try task.load(mask)
    return try task.withTemporaryMask(InPointer(register: mask.address.rawValue), size: mask.size) { () throws(Errno) in
      try returningTimeLeft(task, to: timeout) { () throws(Errno) in
        try select(task, count, [reading, writing, exceptional], timeout: limit)
      }
    }
  }

  /// Looks at the descriptors below `count` that are in one of the sets: for reading, for writing, and for exceptional
  /// conditions.
  private static func select(
    _ task: Task, _ count: Int32, _ pointers: [DescriptorSetPointer], timeout: Nanoseconds?
  ) throws(Errno) -> CallOutcome<Int> {
    guard count >= 0 else { throw .invalidArgument }
    let count = min(Int(count), max(task.files.count, DescriptorSetPointer.capacity))
    let words = (count + 63) / 64
    let asked: [PollEvents] = [
      [.input, .readNormal, .readBand], [.output, .writeNormal, .writeBand], .priority,
    ]
    let shown: [PollEvents] = [asked[0].union([.hangUp, .error]), asked[1].union(.error), asked[2]]
    var sets: [[UInt64]] = []
    for pointer in pointers {
      let address = pointer.address
      sets.append(address.isNull ? [] : try task.memory.readArray(address, count: words, as: UInt64.self))
    }
    var results = sets.map { [UInt64](repeating: 0, count: $0.count) }
    var wait = PollWait()
    var ready = 0
    for descriptor in 0..<count {
      let (word, bit) = (descriptor / 64, UInt64(1) << UInt64(descriptor % 64))
      var wanted: PollEvents = []
      for index in 0..<3 where !sets[index].isEmpty && sets[index][word] & bit != 0 {
        wanted.formUnion(asked[index])
      }
      guard !wanted.isEmpty else { continue }
      let file = try task.openFile(FileDescriptorNumber(rawValue: Int32(descriptor)))
      let events = wait.check(file, wanted.union([.error, .hangUp]))
      for index in 0..<3 where !sets[index].isEmpty && sets[index][word] & bit != 0 {
        guard !events.isDisjoint(with: shown[index]) else { continue }
        results[index][word] |= bit
        ready += 1
      }
    }
    if ready == 0, !wait.isOver(task, timeout: timeout) {
      return .suspended(try wait.park(task, interrupted: .restartNoHand))
    }
    for (pointer, result) in zip(pointers, results) where !result.isEmpty {
      try task.memory.writeArray(pointer.address, result)
    }
    return .done(ready)
  }

  // MARK: Timeouts

  /// A timeout in milliseconds; nil for a negative one, which is without end.
  static func milliseconds(_ value: Int32) -> Nanoseconds? { value < 0 ? nil : .milliseconds(UInt64(value)) }

  /// A timeout in guest memory; nil where there is none. - Throws: `EINVAL`.
  static func timeout(_ task: Task, _ timeout: InPointer<Timespec>) throws(Errno) -> Nanoseconds? {
    guard !timeout.isNull else { return nil }
    let value = try task.load(timeout)
    guard value.isValid else { throw .invalidArgument }
    return value.duration
  }

  /// The same for a call that writes the time left there: its later runs go by the deadline of the first.
  private static func firstTimeout(_ task: Task, _ timeout: InOutPointer<Timespec>) throws(Errno) -> Nanoseconds? {
    if task.call.isRetry, !timeout.isNull { return .zero }
    return try self.timeout(task, InPointer(register: timeout.address.rawValue))
  }

  private static func returningTimeLeft(
    _ task: Task, to timeout: InOutPointer<Timespec>, _ body: () throws(Errno) -> CallOutcome<Int>
  ) throws(Errno) -> CallOutcome<Int> {
    let write = { (left: Nanoseconds) throws(Errno) in try task.store(Timespec(left), to: timeout)
    }
    return try returningTimeLeft(task, write, body)
  }

  /// Writes the time left to the deadline, unless there is none, the task was parked, or it wants its timeouts left alone.
  /// What can't be written stays as it is, as in Linux.
  private static func returningTimeLeft(
    _ task: Task, _ write: (Nanoseconds) throws(Errno) -> Void, _ body: () throws(Errno) -> CallOutcome<Int>
  ) throws(Errno) -> CallOutcome<Int> {
    func report() {
      guard let deadline = task.call.deadline, !task.attributes.personality.keepsTimeouts else { return }
      try? write(deadline - task.kernel.monotonicTime)
    }
    do throws(Errno) {
      let outcome = try body()
      if case .suspended(.parked) = outcome {} else { report() }
      return outcome
    } catch {
      report()
      throw error
    }
  }
}

/// The address of an array of `struct pollfd`. Their count is the next argument.
struct PollList: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? { call.list(address, count: call.next, of: PollDescriptor.self) }
}

/// The address of a set of descriptors, one bit for each, of which the first argument says how many count (select(2)).
struct DescriptorSetPointer: SyscallArgument {
  /// `FD_SETSIZE`: as many descriptors as an `fd_set` of C has.
  static let capacity = 1024
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }

  func describe(in call: CallFormatter) -> String? {
    guard !address.isNull else { return "NULL" }
    let count = min(max(Int(call.argument(Int32.self) ?? 0), 0), DescriptorSetPointer.capacity)
    guard let words = try? call.task.memory.readArray(address, count: (count + 63) / 64, as: UInt64.self)
    else { return pointer(address.rawValue) }
    let members = (0..<count).filter { words[$0 / 64] >> UInt64($0 % 64) & 1 != 0 }
    return "[\(members.map { "\($0)" }.joined(separator: " "))]"
  }
}

/// The files that a poll or select waits for. As in Linux, those of its first run wake it, and each run looks at what the
/// descriptors are then.
struct PollWait {
  private var queues: [WaitQueue] = []
  private var files: [(file: OpenFile, events: PollEvents)] = []
  private var events: PollEvents = []

  /// What of `wanted` a file is ready for; remembers it for `park` where that is nothing.
  mutating func check(_ file: OpenFile, _ wanted: PollEvents) -> PollEvents {
    let ready = file.readiness().intersection(wanted)
    if ready.isEmpty, let queue = file.waitQueue {
      queues.append(queue)
      files.append((file, wanted))
      events.formUnion(wanted)
    }
    return ready
  }

  /// The timeout (nil: none) has passed.
  func isOver(_ task: Task, timeout: Nanoseconds?) -> Bool {
    guard let timeout else { return false }
    if timeout == .zero, !task.call.isRetry { return true }
    return task.kernel.monotonicTime >= task.deadline(after: timeout)
  }

  /// Parks the task until one of the files has news. - Throws: `ENOMEM`.
  func park(_ task: Task, interrupted restart: RestartKind) throws(Errno) -> Suspension {
    try task.reserveRegistrations(queues.count)
    if case .polling(let first) = task.call.kept { return first.wait(task, interrupted: restart) }
    let suspension = wait(task, interrupted: restart)
    if suspension == .parked, task.files.sharers > 1, !files.isEmpty {
      for (file, _) in files { file.retainDescriptor() }
      task.call.kept = .polling(self)
    }
    return suspension
  }

  /// The call ends.
  func letGo() { for (file, _) in files { FileTable.letGo(file) } }

  private func wait(_ task: Task, interrupted restart: RestartKind) -> Suspension {
    let suspension = task.wait(on: queues, events: events, deadline: task.call.deadline, interrupted: restart)
    if suspension == .parked { for (file, events) in files { file.prepareToWait(for: events) } }
    return suspension
  }
}
