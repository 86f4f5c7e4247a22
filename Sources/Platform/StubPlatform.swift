import CStub
import Host
import LinuxABI
import Synchronization

/// Both platforms' common part: the zygote, the shared memories, the pool of host processes.
final class StubPlatform: Platform {
  let kind: PlatformKind
  let isTrusted: Bool
  let gracePeriod: UInt64
  let contexts: SharedMapping
  /// Offset in a context above which signal frames of this host lie.
  let frameFloor: Int
  let mappingLimit: Int
  var threadsAreBoundToCPUThreads: Bool { kind == .ptrace }
  var callEntry: GuestAddress? { kind == .seccomp ? GuestAddress(StubCall.entry) : nil }
  /// Watches parked threads; none where their tracer keeps them stopped.
  let auditor: Auditor?
  private let poolLimit: Int
  private let zygote: Zygote
  private let control: SharedMapping
  private let contextsFile: FileDescriptor
  private let controlFile: FileDescriptor
  private let confirmations: FileDescriptor

  private struct State {
    var freeSlots: [Int] = []
    /// The process of each slot; slot 0 is the zygote's.
    var processes: [StubProcess?] = [nil]
    /// The last ticket given out in each slot: later processes go on counting from there.
    var lastTickets: [UInt64] = [0]
    var freeContexts: [Int] = []
    var contextCount = 0
    /// Processes whose guest is over, being emptied or empty; the last one is the most recent.
    var idle: [StubProcess] = []
    /// Processes that were killed and may not have ended yet.
    var dying: [StubProcess] = []
    var statistics = PlatformStatistics()
  }
  private let state = Mutex(State())
  private let files: Mutex<RegisteredFiles>
  /// The highest ticket confirmed in each slot.
  private let confirmedTickets = Mutex<[UInt64]>([UInt64](repeating: 0, count: 64))
  private let unreadConfirmations = Atomic<Int>(0)

  init(_ configuration: PlatformConfiguration) throws(PlatformError) {
    kind = configuration.kind
    isTrusted = configuration.trusted && configuration.kind == .seccomp
    gracePeriod = configuration.gracePeriod
    poolLimit = configuration.poolLimit
    auditor = configuration.kind == .seccomp ? Auditor() : nil
    let frameSize = Int(Host.auxiliaryValue(.minimumSignalStack)) + 1024
    guard frameSize <= Stub.headerOffset else {
      throw PlatformError(
        cause: "Signal frames of this processor need \(frameSize) bytes, more than a context holds",
        remedy: "This version of Apus does not support the processor.")
    }
    frameFloor = (Stub.headerOffset - frameSize) & ~4095
    mappingLimit = max(1024, StubPlatform.hostMappingLimit() - 64)
    do throws(Errno) {
      controlFile = try Host.makeMemoryFile(name: "apus-control", size: Stub.slotLimit * Stub.controlStride)
      contextsFile = try Host.makeMemoryFile(name: "apus-contexts", size: Stub.contextLimit * Stub.contextSize)
      control = try Host.mapShared(controlFile, length: Stub.slotLimit * Stub.controlStride)
      contexts = try Host.mapShared(contextsFile, length: Stub.contextLimit * Stub.contextSize)
    } catch {
      throw PlatformError("Cannot make memory shared with guest processes", error)
    }
    StubPlatform.fillConstants(control, kind: configuration.kind, trusted: isTrusted)
    let pipe: (read: FileDescriptor, write: FileDescriptor)
    do throws(Errno) {
      pipe = try Host.makePipe()
    } catch {
      throw PlatformError("Cannot make a pipe", error)
    }
    confirmations = pipe.read
    defer { Host.close(pipe.write) }
    zygote = try Zygote(
      physicalMemory: configuration.physicalMemory, control: controlFile, contexts: contextsFile,
      confirmations: pipe.write, page: control)
    files = Mutex(RegisteredFiles())
  }

  deinit {
    control.unmap()
    contexts.unmap()
  }

  private static func hostMappingLimit() -> Int {
    guard let text = try? Host.readSmallFile("/proc/sys/vm/max_map_count", limit: 64) else { return 65530 }
    return text.prefix { $0 >= 48 && $0 <= 57 }.reduce(0) { $0 &* 10 &+ Int($1 - 48) }
  }

  /// Fills in the constants page: flags, the handler's registration, the filters.
  private static func fillConstants(_ control: SharedMapping, kind: PlatformKind, trusted: Bool) {
    let page = unsafe control.base + 4096
    let codeLength = apus_stub_length()
    let hasFSGSBase = Host.hardwareCapabilities2.contains(.segmentBaseInstructions)
    var flags: UInt32 = 0
    if hasFSGSBase { flags |= UInt32(STUB_FLAG_FSGSBASE) }
    if trusted { flags |= UInt32(STUB_FLAG_SHARE_FILES) }
    if kind == .ptrace { flags |= UInt32(STUB_FLAG_TRACED) }
    unsafe page.storeBytes(of: flags, toByteOffset: Int(STUB_CONSTANTS_FLAGS), as: UInt32.self)
    var action = SignalAction()
    action.handler = Stub.base + apus_stub_handler_offset()
    action.flags = [.information, .onStack, .hasRestorer]
    action.restorer = Stub.base + apus_stub_restorer_offset()
    action.mask = .all
    unsafe page.storeBytes(of: action, toByteOffset: Int(STUB_CONSTANTS_SIGACTION), as: SignalAction.self)
    if kind == .seccomp {
      unsafe store(
        .guest(codeLength: codeLength, hasFSGSBase: hasFSGSBase, trusted: trusted), in: page,
        program: STUB_CONSTANTS_GUEST_PROGRAM, at: STUB_CONSTANTS_GUEST_FILTER)
    }
    if Host.canTrapSystemCalls {
      unsafe store(
        .agent(codeLength: codeLength), in: page, program: STUB_CONSTANTS_ZYGOTE_PROGRAM,
        at: STUB_CONSTANTS_ZYGOTE_FILTER)
    }
  }

  /// Stores a filter and the `struct sock_fprog` that names it.
  private static func store(
    _ filter: FilterProgram, in page: UnsafeMutableRawPointer, program: Int32, at offset: Int32
  ) {
    let code = filter.encoded
    for (index, word) in code.enumerated() {
      unsafe page.storeBytes(of: word, toByteOffset: Int(offset) + index * 8, as: UInt64.self)
    }
    unsafe page.storeBytes(of: UInt16(code.count), toByteOffset: Int(program), as: UInt16.self)
    unsafe page.storeBytes(of: Stub.constants + UInt64(offset), toByteOffset: Int(program) + 8, as: UInt64.self)
  }

  var vdsoImage: VDSOImage? { zygote.vdsoImage }

  // MARK: Processes

  func makeProcess() throws(Errno) -> any GuestProcess {
    reapDying()
    if let process = takeIdle() { return process }
    return try fork()
  }

  private func fork() throws(Errno) -> StubProcess {
    let (slot, ticket) = try state.withLock { state throws(Errno) -> (Int, UInt64) in
      if let slot = state.freeSlots.popLast() { return (slot, state.lastTickets[slot]) }
      guard state.processes.count < Stub.slotLimit else { throw .resourceTemporarilyUnavailable }
      state.processes.append(nil)
      state.lastTickets.append(0)
      return (state.processes.count - 1, 0)
    }
    let area = unsafe control.base + slot * Stub.controlStride
    let ring = unsafe OperationRing(control: area, slot: slot, ticket: ticket)
    do throws(Errno) {
      let pid = Int32(truncatingIfNeeded: try zygote.reply(to: zygote.post(.fork(slot: slot))))
      let death: FileDescriptor
      do throws(Errno) {
        death = try Host.openProcess(pid)
      } catch {
        Host.kill(pid, signal: .kill)
        _ = try? Host.reap(pid, waiting: true)
        throw error
      }
      let process = StubProcess(platform: self, slot: slot, pid: pid, death: death, ring: ring)
      state.withLock { state in
        state.processes[slot] = process
        state.statistics.processesCreated &+= 1
      }
      return process
    } catch {
      state.withLock { $0.freeSlots.append(slot) }
      throw .resourceTemporarilyUnavailable
    }
  }

  /// Takes a process from the pool that can be shown to be clean.
  private func takeIdle() -> StubProcess? {
    for attempt in 0..<3 {
      // Locks of processes come before the platform's.
      for process in state.withLock({ $0.idle }).reversed() where process.isEmptied {
        let isOurs = state.withLock { state in
          state.idle.lastIndex { $0 === process }.map { state.idle.remove(at: $0) } != nil
        }
        guard isOurs else { continue }
        if process.finishRecycling() {
          count(\.processesReused)
          return process
        }
        process.kill()
      }
      // Emptying takes less time than a new process: wait for it a little.
      if attempt > 1 || state.withLock({ $0.idle.isEmpty }) { break }
      waitForConfirmation(milliseconds: 2)
    }
    return nil
  }

  /// Keeps a process for reuse, or kills the one that was kept longest.
  func keep(_ process: StubProcess) {
    let surplus = state.withLock { state in
      state.idle.append(process)
      return state.idle.count > poolLimit ? state.idle.removeFirst() : nil
    }
    surplus?.kill()
  }

  func noteDying(_ process: StubProcess) { state.withLock { $0.dying.append(process) } }

  private func reapDying() {
    let dying = state.withLock { $0.dying }
    for process in dying { process.reap() }
  }

  /// A process is gone for good: its slot and contexts may be used again.
  func retire(_ process: StubProcess, lastTicket: UInt64, contexts: [Int]) {
    state.withLock { state in
      state.processes[process.slot] = nil
      state.lastTickets[process.slot] = lastTicket
      state.freeSlots.append(process.slot)
      state.freeContexts.append(contentsOf: contexts)
      state.dying.removeAll { $0 === process }
      state.idle.removeAll { $0 === process }
    }
  }

  func takeContext() throws(Errno) -> Int {
    try state.withLock { state throws(Errno) in
      if let number = state.freeContexts.popLast() { return number }
      guard state.contextCount < Stub.contextLimit else { throw .resourceTemporarilyUnavailable }
      state.contextCount += 1
      return state.contextCount - 1
    }
  }

  /// The processes that have not ended.
  var liveProcesses: [StubProcess] { state.withLock { $0.processes.compactMap { $0 } }.filter { !$0.isDead } }

  func startAuditing() { auditor?.start(self) }

  func shutdown() {
    auditor?.shutdown()
    let processes = state.withLock { $0.processes.compactMap { $0 } }
    for process in processes { process.kill() }
    for process in processes { process.reap(waiting: true) }
    zygote.shutdown()
    Host.close(confirmations)
    Host.close(controlFile)
    Host.close(contextsFile)
  }

  // MARK: Files

  func register(file: FileDescriptor) throws(Errno) -> MappableFile {
    try files.withLock { files throws(Errno) in
      closeForgotten(&files)
      let number = files.takeNumber()
      do throws(Errno) {
        _ = try zygote.reply(to: zygote.post(.receive(file, as: number)))
      } catch {
        files.free.append(number)
        throw error
      }
      return MappableFile(number: number)
    }
  }

  func unregister(_ file: MappableFile) {
    files.withLock { files in
      files.forgotten.append(file.number)
      if files.forgotten.count >= 32 { closeForgotten(&files) }
    }
  }

  /// Closes forgotten files if no operation that is on its way can name them: numbers are used again.
  private func closeForgotten(_ files: inout RegisteredFiles) {
    guard files.forgotten.count >= 16 else { return }
    let processes = state.withLock { $0.processes.compactMap { $0 } }
    for process in processes where !process.isGone {
      let ticket = confirmedTicket(ofSlot: process.slot)
      guard process.ring.withLock({ $0.isDoneWithFiles(confirmedTicket: ticket) }) else { return }
    }
    for number in files.forgotten {
      if (try? zygote.post(.close(number))) != nil { files.free.append(number) }
    }
    files.forgotten.removeAll()
  }

  // MARK: Confirmations

  func confirmedRelease(of process: any GuestProcess) -> UInt64 {
    guard let process = process as? StubProcess else { return 0 }
    if process.isGone || process.isDead && process.reap() { return .max }
    let ticket = confirmedTicket(ofSlot: process.slot)
    return process.ring.withLock { $0.answeredRequest(confirmedTicket: ticket) }
  }

  func noteConfirmationPosted() {
    // The pipe holds 8192 messages; agents must not have to wait for room in it.
    if unreadConfirmations.add(1, ordering: .relaxed).newValue > 4096 { readConfirmations() }
  }

  func confirmedTicket(ofSlot slot: Int) -> UInt64 {
    if unreadConfirmations.load(ordering: .relaxed) > 0 { readConfirmations() }
    return confirmedTickets.withLock { slot < $0.count ? $0[slot] : 0 }
  }

  func waitForConfirmation(or other: FileDescriptor? = nil, milliseconds: Int = 50) {
    Host.waitReadable(confirmations, other ?? confirmations, milliseconds: milliseconds)
  }

  private func readConfirmations() {
    confirmedTickets.withLock { tickets in
      unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 512) { buffer in
        guard let base = buffer.baseAddress else { return }
        while let length = unsafe Host.readAvailable(confirmations, into: base, count: 4096) {
          unreadConfirmations.subtract(length / 8, ordering: .relaxed)
          for index in 0..<length / 8 {
            let message = unsafe base[index]
            let slot = Int(message >> 48)
            let ticket = message & 0xffff_ffff_ffff
            if slot >= tickets.count { tickets += [UInt64](repeating: 0, count: slot + 1 - tickets.count) }
            tickets[slot] = max(tickets[slot], ticket)
          }
          if length < 4096 { break }
        }
      }
    }
  }

  // MARK: Statistics

  func count(_ counter: WritableKeyPath<PlatformStatistics, Int>) {
    state.withLock { $0.statistics[keyPath: counter] &+= 1 }
  }

  func add(_ part: PlatformStatistics) { state.withLock { $0.statistics.add(part) } }

  var statistics: PlatformStatistics {
    var (sum, processes) = state.withLock { ($0.statistics, $0.processes) }
    for case let process? in processes { sum.add(process.ring.withLock { $0.statistics }) }
    return sum
  }
}

/// Descriptor numbers of registered files, in the table that all agents share.
private struct RegisteredFiles {
  private var next = STUB_FD_FIRST_FILE
  var free: [Int32] = []
  /// Unregistered, not closed yet.
  var forgotten: [Int32] = []

  mutating func takeNumber() -> Int32 {
    if let number = free.popLast() { return number }
    next += 1
    return next - 1
  }
}

extension PlatformStatistics {
  /// Counts the context switches that it takes to let a thread go on after a trap.
  mutating func countSwitches(_ count: Int, for thread: HostThread) {
    contextSwitches &+= count
    if thread.isAtPageFault { pageFaultSwitches &+= count }
  }

  mutating func add(_ other: PlatformStatistics) {
    processesCreated &+= other.processesCreated
    processesReused &+= other.processesReused
    flushes &+= other.flushes
    memoryOperations &+= other.memoryOperations
    contextSwitches &+= other.contextSwitches
    pageFaultSwitches &+= other.pageFaultSwitches
    threadsCreated &+= other.threadsCreated
    threadsReused &+= other.threadsReused
  }
}
