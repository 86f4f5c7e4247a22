import CStub
import Host
import LinuxABI

/// The queue of a process's memory operations and the ring in its control area through which the agent gets them.
///
/// An entry is overwritten only after the agent has confirmed, through its pipe, that it is past it: guest code cannot
/// forge that, so a hostile guest cannot make the agent execute torn entries.
@safe struct OperationRing: ~Copyable, @unchecked Sendable {
  private let control: UnsafeMutableRawPointer
  private let slot: Int

  private(set) var pending = OperationList()
  /// Threads to be made before the next operation.
  var starts: [HostThread] = []
  var threads: [HostThread] = []
  /// Parked threads whose guest thread is over.
  var idleThreads: [HostThread] = []
  var agentCPU = -1
  var statistics = PlatformStatistics()

  /// Entries written, entries the agent has confirmed, and entries known to be done because a thread that was resumed
  /// behind them has trapped (a guest that forges that harms itself alone).
  private(set) var tail: UInt64 = 0
  private var confirmed: UInt64 = 0
  private var settled: UInt64 = 0
  private var lastConfirmation: UInt64 = 0
  /// The last confirmation posted, and where the entries ended at each of the last ones.
  private(set) var ticket: UInt64
  private var tailOfTicket = [UInt64](repeating: 0, count: Int(STUB_RING_COUNT))
  private var wantsConfirmation = false
  /// Confirmations asked for, and the tickets that answer them: confirmations that are posted only to keep the ring
  /// going may come before the operations that a request is about, and answer none.
  private var requests: UInt64 = 0
  private var answers: [(request: UInt64, ticket: UInt64)] = []
  private var answered: UInt64 = 0
  /// The ring position behind the last operation that named a registered file.
  private var lastFileOperation: UInt64 = 0
  private var hasBatch = false
  /// Confirmed once an emptied process has nothing mapped below the stub.
  private(set) var emptyTicket: UInt64 = 0
  var check: ParkedThreadCheck?
  var isBatchRunning = false

  init(control: UnsafeMutableRawPointer, slot: Int, ticket: UInt64) {
    unsafe self.control = control
    self.slot = slot
    self.ticket = ticket
    unsafe control.storeBytes(of: 0, toByteOffset: Int(STUB_CONTROL_TAIL), as: UInt32.self)
    unsafe control.storeBytes(of: 0, toByteOffset: Int(STUB_CONTROL_BATCH_COUNT), as: UInt32.self)
  }

  var hasWork: Bool { !pending.isEmpty || !starts.isEmpty || wantsConfirmation }
  var isSettled: Bool { settled >= tail }

  mutating func append(_ operation: MemoryOperation) { pending.append(operation) }

  mutating func requestConfirmation() -> UInt64 {
    if !wantsConfirmation {
      wantsConfirmation = true
      requests += 1
    }
    return requests
  }

  /// The last request whose operations, and all before it, are confirmed.
  mutating func answeredRequest(confirmedTicket: UInt64) -> UInt64 {
    var done = 0
    while done < answers.count, answers[done].ticket <= confirmedTicket {
      answered = answers[done].request
      done += 1
    }
    if done > 0 { answers.removeSubrange(0..<done) }
    return answered
  }

  private mutating func answerRequest() {
    guard wantsConfirmation else { return }
    wantsConfirmation = false
    answers.append((requests, ticket))
  }

  /// The thread is parked and the ring has been confirmed: nothing is on its way.
  mutating func settleAll() { settled = tail }

  func isParked(header: UInt64) -> Bool {
    switch check {
    case .some(let check): check.isParked(header: header)
    case .none: false
    }
  }

  /// Has the agent unmap everything below the stub and confirm that.
  /// - Returns: false if the agent is too far behind for that.
  mutating func empty(in process: StubProcess) -> Bool {
    pending.removeAll()
    pending.append(.unmap(address: .null, length: Stub.base))
    _ = requestConfirmation()
    isBatchRunning = false
    clearBatch()
    guard post(resuming: nil, in: process) == .complete else { return false }
    emptyTicket = ticket
    return true
  }

  mutating func settle(_ position: UInt64) { settled = max(settled, position) }

  /// True if no operation that names a registered file is queued or may still be executed.
  mutating func isDoneWithFiles(confirmedTicket: UInt64) -> Bool {
    note(confirmedTicket: confirmedTicket)
    if lastFileOperation > confirmed {
      _ = requestConfirmation()
      return false
    }
    return !pending.operations.contains { $0.namesFile }
  }

  // MARK: The agent's ring

  /// What became of an attempt to hand over everything queued.
  enum Posting {
    /// All is handed over, and the thread will be let go after it.
    case complete
    /// A part is: the agent lets go of the thread's flush word when it is done with that.
    case partial
    /// Nothing is: the ring has no room.
    case full
  }

  /// How much work is handed over at a time, before a thread that may have to be preempted.
  private static let workLimit: UInt64 = 2048
  /// Entries that are kept free for what follows the operations.
  private static let reserve: UInt64 = 8

  /// Hands what is queued to the agent, and then has it let a thread go. Never waits: what the ring has no room for, or
  /// what would take the agent longer than a moment, stays queued.
  mutating func post(resuming thread: HostThread?, in process: StubProcess) -> Posting {
    guard hasRoom(in: process) else {
      publish()
      return .full
    }
    statistics.flushes &+= 1
    let isComplete = emitQueued(within: thread == nil ? .max : OperationRing.workLimit, in: process)
    if isComplete, wantsConfirmation { emitConfirmation(in: process) }
    if let thread {
      let flushWord = thread.context.headerAddress + UInt64(STUB_HEADER_FLUSH)
      if isComplete {
        if thread.resumeWord == 0 { thread.hold() }
        emit(.futex, thread.context.headerAddress + thread.resumeWord, kind: STUB_KIND_RESUME, in: process)
      } else {
        emitConfirmation(answers: false, in: process)
      }
      // A CPU thread that waits busily for the trap leaves the CPU to the agent first.
      if !isComplete || thread.spins || thread.resumeWord != 0 {
        thread.context.flushWord.store(Stub.held | Stub.sleeps)
      }
      if !isComplete || thread.spins { emit(.futex, flushWord, kind: STUB_KIND_RESUME, in: process) }
      if isComplete { thread.settles = tail }
    }
    publish()
    return isComplete ? .complete : .partial
  }

  private static let contextProtection: MemoryProtection = [.read, .write]
  fileprivate static let sharedMapping: MapFlags = [.shared, .fixed]

  /// Writes entries for what is queued.
  /// - Returns: false if some of it is left.
  private mutating func emitQueued(within limit: UInt64, in process: StubProcess) -> Bool {
    while let start = starts.first {
      guard hasRoom(in: process) else { return false }
      let context = start.context
      emit(
        .mmap, context.address, UInt64(Stub.contextSize), UInt64(OperationRing.contextProtection.rawValue),
        UInt64(OperationRing.sharedMapping.rawValue), UInt64(STUB_FD_CONTEXTS), context.fileOffset, in: process)
      emit(.clone, context.headerAddress, kind: STUB_KIND_CLONE, in: process)
      starts.removeFirst()
    }
    var work: UInt64 = 0
    var count = 0
    while count < pending.operations.count, work < limit, hasRoom(in: process) {
      pending.split(at: count, after: limit - work)
      let operation = pending.operations[count]
      // What is too long in any case goes alone.
      if count > 0, work &+ operation.work > limit { break }
      work &+= operation.work
      count += 1
      statistics.memoryOperations &+= 1
      let (number, a, b, c, d, e, f) = operation.hostCall
      emit(number, a, b, c, d, e, f, in: process)
      if operation.namesFile { lastFileOperation = tail }
    }
    pending.removeFirst(count)
    return pending.isEmpty && work <= limit
  }

  private mutating func emit(
    _ number: SyscallNumber, _ a: UInt64, _ b: UInt64 = 0, _ c: UInt64 = 0, _ d: UInt64 = 0, _ e: UInt64 = 0,
    _ f: UInt64 = 0, kind: Int32 = STUB_KIND_CALL, in process: StubProcess
  ) {
    if tail - lastConfirmation >= 64 { emitConfirmation(answers: false, in: process) }
    write(number, a, b, c, d, e, f, kind: kind)
  }

  private mutating func emitConfirmation(answers: Bool = true, in process: StubProcess) {
    ticket += 1
    let index = Int(tail % Stub.ringCount)
    let payload =
      Stub.control + UInt64(STUB_CONTROL_RING) + UInt64(index * Int(STUB_ENTRY_SIZE))
      + UInt64(STUB_ENTRY_PAYLOAD)
    write(.write, UInt64(STUB_FD_CONFIRM), payload, 8, 0, 0, 0, kind: STUB_KIND_CALL)
    tailOfTicket[Int(ticket % Stub.ringCount)] = tail
    lastConfirmation = tail
    if answers { answerRequest() }
    process.platform.noteConfirmationPosted()
  }

  private mutating func write(
    _ number: SyscallNumber, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64, _ f: UInt64,
    kind: Int32
  ) {
    let offset = Int(STUB_CONTROL_RING) + Int(tail % Stub.ringCount) * Int(STUB_ENTRY_SIZE)
    store(number, a, b, c, d, e, f, kind: kind, at: offset)
    tail += 1
  }

  private func store(
    _ number: SyscallNumber, _ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64, _ e: UInt64, _ f: UInt64,
    kind: Int32, at offset: Int
  ) {
    unsafe control.storeBytes(
      of: (UInt64(number.rawValue) | UInt64(kind) << 32, a, b, c, d, e, f, UInt64(slot) << 48 | ticket),
      toByteOffset: offset, as: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64).self)
  }

  /// The agent works on the host CPU of the CPU thread that waits for it.
  mutating func bindAgent(to cpu: Int?, of process: StubProcess) {
    guard let cpu, cpu != agentCPU else { return }
    agentCPU = cpu
    Host.pin(thread: process.hostPID, to: cpu)
  }

  /// Shows the agent what has been written, and wakes it.
  func publish() {
    let word = unsafe SharedWord(control + Int(STUB_CONTROL_TAIL))
    word.store(UInt32(truncatingIfNeeded: tail))
    word.wake()
  }

  /// Tells whether there is room for one more operation and what may follow it.
  private mutating func hasRoom(in process: StubProcess) -> Bool {
    if tail - confirmed + OperationRing.reserve <= Stub.ringCount { return true }
    note(confirmedTicket: process.platform.confirmedTicket(ofSlot: slot))
    return tail - confirmed + OperationRing.reserve <= Stub.ringCount
  }

  private mutating func note(confirmedTicket: UInt64) {
    guard confirmedTicket <= ticket, ticket - confirmedTicket < Stub.ringCount else { return }
    confirmed = max(confirmed, tailOfTicket[Int(confirmedTicket % Stub.ringCount)])
  }

  // MARK: Trusted mode: the thread runs the operations itself

  /// True if a thread may run what is queued before it returns to the guest: it is the only one, and nothing is left
  /// for the agent to do.
  func runsInThread(_ thread: HostThread) -> Bool {
    threads.count == 1 && starts.isEmpty && !thread.isInCall && isSettled && pending.operations.count < Stub.batchCount
      && pending.work <= OperationRing.workLimit
  }

  mutating func postBatch(in process: StubProcess) {
    statistics.flushes &+= 1
    var offset = Int(STUB_CONTROL_BATCH)
    var count = 0
    for operation in pending.operations {
      statistics.memoryOperations &+= 1
      let (number, a, b, c, d, e, f) = operation.hostCall
      store(number, a, b, c, d, e, f, kind: STUB_KIND_CALL, at: offset)
      offset += Int(STUB_ENTRY_SIZE)
      count += 1
    }
    pending.removeAll()
    if wantsConfirmation {
      ticket += 1
      let payload = Stub.control + UInt64(offset) + UInt64(STUB_ENTRY_PAYLOAD)
      store(.write, UInt64(STUB_FD_CONFIRM), payload, 8, 0, 0, 0, kind: STUB_KIND_CALL, at: offset)
      tailOfTicket[Int(ticket % Stub.ringCount)] = tail
      answerRequest()
      process.platform.noteConfirmationPosted()
      count += 1
    }
    unsafe control.storeBytes(of: UInt32(count), toByteOffset: Int(STUB_CONTROL_BATCH_COUNT), as: UInt32.self)
    hasBatch = true
    isBatchRunning = true
  }

  /// The next thread that is resumed has nothing to run.
  mutating func clearBatch() {
    guard hasBatch else { return }
    unsafe control.storeBytes(of: 0, toByteOffset: Int(STUB_CONTROL_BATCH_COUNT), as: UInt32.self)
    hasBatch = false
  }
}

extension MemoryOperation {
  var namesFile: Bool {
    switch self {
    case .mapFile, .mapFileShared: true
    default: false
    }
  }

  @inline(__always)
  private static func map(
    _ address: GuestAddress, _ length: UInt64, _ protection: HostProtection, _ flags: MapFlags, _ file: UInt64,
    _ offset: UInt64
  ) -> (SyscallNumber, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) {
    (.mmap, address.rawValue, length, UInt64(protection.rawValue), UInt64(flags.rawValue), file, offset)
  }

  /// The host call that carries it out: number and arguments.
  fileprivate var hostCall: (SyscallNumber, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) {
    switch self {
    case .mapPhysical(let address, let length, let offset, let protection, let populate):
      MemoryOperation.map(
        address, length, protection, populate ? [.shared, .fixed, .populate] : [.shared, .fixed],
        UInt64(STUB_FD_PHYSICAL), offset)
    case .mapFile(let address, let length, let file, let offset, let protection):
      MemoryOperation.map(address, length, protection, [.private, .fixed], file.argument, offset)
    case .mapFileShared(let address, let length, let file, let offset, let protection):
      MemoryOperation.map(address, length, protection, [.shared, .fixed], file.argument, offset)
    case .unmap(let address, let length): (.munmap, address.rawValue, length, 0, 0, 0, 0)
    case .protect(let address, let length, let protection):
      (.mprotect, address.rawValue, length, UInt64(protection.rawValue), 0, 0, 0)
    }
  }
}

extension MappableFile {
  /// The descriptor that agents have for the file, as an argument.
  fileprivate var argument: UInt64 { UInt64(UInt32(bitPattern: number)) }
}
