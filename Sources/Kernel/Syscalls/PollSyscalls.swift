import FileSystem
import LinuxABI
import Memory

/// poll(2) and select(2).
extension Syscalls {
  static let pollTable: [SyscallEntry] = [
    .init(.poll, poll, [.pollfds, .uint, .int]),
    .init(.ppoll, ppoll, [.pollfds, .uint, .timespec, .signalSet, .uint]),
    .init(.select, select, [.int, .pointer, .pointer, .pointer, .timeval]),
    .init(.pselect6, pselect6, [.int, .pointer, .pointer, .pointer, .timespec, .pointer]),
  ]

  /// poll(2).
  static func poll(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    try poll(task, a[0], count: a.uint(1), timeout: milliseconds(a.int(2)), interrupted: .restartBlock)
  }

  /// ppoll(2). Like Linux, it writes the time that is left back.
  static func ppoll(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    let timeout = task.retry.isRetry ? 0 : try nanoseconds(task, timespec: a[2])
    return try task.withTemporaryMask(GuestAddress(a[3]), size: a[4]) { () throws(Errno) in
      try returningTimeLeft(task, a[2], isTimeval: false) { () throws(Errno) in
        try poll(
          task, a[0], count: a.uint(1), timeout: task.retry.isRetry && a[2] == 0 ? nil : timeout,
          interrupted: .restartNoHand)
      }
    }
  }

  private static func poll(
    _ task: Task, _ address: UInt64, count: UInt32, timeout: UInt64?, interrupted: Errno
  ) throws(Errno) -> Int {
    guard UInt64(count) <= task.descriptorLimit else { throw .invalidArgument }
    var entries = try task.memory.readArray(GuestAddress(address), count: Int(count), as: PollDescriptor.self)
    var wait = PollWait()
    var ready = 0
    for index in entries.indices {
      let entry = entries[index]
      entries[index].returned = 0
      guard entry.descriptor >= 0 else { continue }
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
    if ready == 0 {
      if try wait.isOver(task, timeout: timeout) {} else { throw wait.park(task, interrupted: interrupted) }
    }
    // Only `revents` changes, but the entries lie side by side.
    if !entries.isEmpty { try task.memory.writeArray(GuestAddress(address), entries) }
    return ready
  }

  /// select(2). Like Linux, it writes the time that is left back.
  static func select(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    var timeout: UInt64?
    if a[4] != 0 {
      if task.retry.isRetry {
        timeout = 0
      } else {
        let value = try task.memory.readValue(GuestAddress(a[4]), as: Timespec.self)
        guard value.seconds >= 0, value.nanoseconds >= 0 else { throw .invalidArgument }
        let (micro, overflow) = value.nanoseconds.multipliedReportingOverflow(by: 1000)
        let total = Timespec(seconds: value.seconds, nanoseconds: overflow ? .max : micro).totalNanoseconds
        timeout = UInt64(total)
      }
    }
    return try returningTimeLeft(task, a[4], isTimeval: true) { () throws(Errno) in
      try select(task, a, timeout: timeout)
    }
  }

  /// pselect6, which pselect(2) of glibc calls.
  static func pselect6(_ task: Task, _ a: SyscallArguments) throws(Errno) -> Int {
    var timeout: UInt64? = 0
    if !task.retry.isRetry || a[4] == 0 { timeout = try nanoseconds(task, timespec: a[4]) }
    var mask: UInt64 = 0
    var size: UInt64 = 0
    if a[5] != 0 {
      let words = try task.memory.readArray(GuestAddress(a[5]), count: 2, as: UInt64.self)
      (mask, size) = (words[0], words[1])
    }
    return try task.withTemporaryMask(GuestAddress(mask), size: size) { () throws(Errno) in
      try returningTimeLeft(task, a[4], isTimeval: false) { () throws(Errno) in
        try select(task, a, timeout: timeout)
      }
    }
  }

  private static func select(_ task: Task, _ a: SyscallArguments, timeout: UInt64?) throws(Errno) -> Int {
    guard a.int(0) >= 0 else { throw .invalidArgument }
    let count = min(Int(a.int(0)), max(task.files.count, 1024))
    let words = (count + 63) / 64
    let asked: [PollEvents] = [
      [.input, .readNormal, .readBand], [.output, .writeNormal, .writeBand], .priority,
    ]
    let shown: [PollEvents] = [asked[0].union([.hangUp, .error]), asked[1].union(.error), asked[2]]
    var sets: [[UInt64]] = []
    for index in 0..<3 {
      let address = a[1 + index]
      sets.append(address == 0 ? [] : try task.memory.readArray(GuestAddress(address), count: words, as: UInt64.self))
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
      let file = try task.openFile(Int32(descriptor))
      let events = wait.check(file, wanted.union([.error, .hangUp]))
      for index in 0..<3 where !sets[index].isEmpty && sets[index][word] & bit != 0 {
        guard !events.isDisjoint(with: shown[index]) else { continue }
        results[index][word] |= bit
        ready += 1
      }
    }
    if ready == 0 {
      if try wait.isOver(task, timeout: timeout) {} else { throw wait.park(task, interrupted: .restartNoHand) }
    }
    for index in 0..<3 where a[1 + index] != 0 && words > 0 {
      try task.memory.writeArray(GuestAddress(a[1 + index]), results[index])
    }
    return ready
  }

  /// Writes the time left to the deadline to where the timeout came from, unless the task was parked or wants it left
  /// alone. What can't be written stays as it is, as in Linux.
  private static func returningTimeLeft(
    _ task: Task, _ address: UInt64, isTimeval: Bool, _ body: () throws(Errno) -> Int
  ) throws(Errno) -> Int {
    func report() {
      guard address != 0, let deadline = task.retry.deadline, !task.attributes.personality.keepsTimeouts else { return }
      let now = task.kernel.monotonicTime
      var left = Timespec(nanoseconds: Int64(clamping: deadline > now ? deadline - now : 0))
      if isTimeval { left.nanoseconds /= 1000 }
      try? task.memory.writeValue(GuestAddress(address), left)
    }
    do throws(Errno) {
      let result = try body()
      report()
      return result
    } catch {
      if error != .parked { report() }
      throw error
    }
  }
}

/// The files that a poll or select waits for.
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
  func isOver(_ task: Task, timeout: UInt64?) throws(Errno) -> Bool {
    guard let timeout else { return false }
    if timeout == 0, !task.retry.isRetry { return true }
    return task.kernel.monotonicTime >= task.deadline(after: timeout)
  }

  /// Parks the task until one of the files has news.
  func park(_ task: Task, interrupted: Errno) -> Errno {
    let error = task.wait(on: queues, events: events, deadline: task.retry.deadline, interrupted: interrupted)
    if error == .parked { for (file, events) in files { file.prepareToWait(for: events) } }
    return error
  }
}
