import LinuxABI
import Testing

@testable import Kernel

/// What a parked call keeps, and until when.
struct CallInProgressTests {
  let machine: TestMachine
  let task: Task
  private let address = TestMachine.data
  private let invalidFIFO = -Int(Errno.noSuchAddressOrDevice.rawValue)

  init() throws {
    machine = try TestMachine()
    task = machine.first
  }

  // MARK: The value

  private func registers(_ number: SyscallNumber) -> Registers {
    var registers = Registers()
    registers.rax = UInt64(number.rawValue)
    return registers
  }

  @Test func nothingOfACallIsLeftForTheNext() {
    let call = CallInProgress()
    call.begin(registers(.write))
    call.deadline = MonotonicTime(nanoseconds: 5)
    call.transferred = 7
    call.kept = .vfork(child: 3)
    call.park()
    #expect(call.isParked && call.isRetry)
    call.end()?.letGo()
    #expect(!call.isParked)
    #expect(call.kept.isNothing)
    call.begin(registers(.read))
    #expect(!call.isRetry)
    #expect(call.deadline == nil)
    #expect(call.transferred == 0)
    #expect(call.registers.rax == UInt64(SyscallNumber.read.rawValue))
  }

  @Test func deadlineIsKeptForOneRepetition() {
    let call = CallInProgress()
    call.begin(registers(.nanosleep))
    call.deadline = MonotonicTime(nanoseconds: 5)
    call.park()
    call.end()?.letGo()
    let number = call.makeAgain(keepingDeadline: true)
    #expect(number == UInt64(SyscallNumber.nanosleep.rawValue))
    call.begin(registers(.nanosleep))
    #expect(call.deadline == MonotonicTime(nanoseconds: 5))
    // The time that the guest asked for is not read again.
    #expect(call.isRetry)
    call.end()?.letGo()
    call.begin(registers(.nanosleep))
    #expect(call.deadline == nil)
    #expect(!call.isRetry)
  }

  @Test func forgottenDeadlineDoesNotComeBack() {
    let call = CallInProgress()
    call.begin(registers(.nanosleep))
    call.deadline = MonotonicTime(nanoseconds: 5)
    _ = call.makeAgain(keepingDeadline: true)
    let wouldGoOn = [call.forgetDeadline(), call.forgetDeadline()]
    #expect(wouldGoOn == [true, false])
    call.begin(registers(.nanosleep))
    #expect(call.deadline == nil)
  }

  @Test(arguments: [RestartKind.restartSys, .restartNoIntr, .restartNoHand, .restartBlock, .never])
  func guestsSeeOnlyTheirErrnos(_ restart: RestartKind) {
    #expect(CallResult.restart(restart).register == -4)
  }

  // MARK: What calls keep in it

  /// Opens the FIFO, which waits for a peer.
  private func waitForPeer(_ task: Task) throws {
    let path = try machine.place("/fifo", in: task)
    #expect(try machine.call(task, .mknod, path, UInt64(FileMode.Kind.fifo.rawValue | 0o600)) == 0)
    #expect(try machine.call(task, .open, path, 0) == nil)
    guard case .opening = task.call.kept else {
      Issue.record("the FIFO is not kept")
      return
    }
  }

  /// Whether the FIFO has a reader.
  private func hasReader(by task: Task) throws -> Bool {
    let path = try machine.place("/fifo", in: task)
    let flags = OpenFlags([.writeOnly, .nonBlocking])
    return try machine.call(task, .open, path, UInt64(flags.rawValue)) != invalidFIFO
  }

  @Test func fifoIsClosedWhereASignalEndsItsOpening() throws {
    try machine.handle(task, Signal.usr1)
    let other = try machine.fork(task)
    try waitForPeer(task)
    machine.send(Signal.usr1, to: task)
    machine.enter(task)
    #expect(task.call.kept.isNothing)
    #expect(try !hasReader(by: other))
  }

  @Test func fifoIsClosedWhereItsTaskEndsWhileOpeningIt() throws {
    let child = try machine.fork(task)
    try waitForPeer(child)
    machine.send(Signal.kill, to: child)
    machine.enter(child)
    #expect(child.group.isZombie)
    #expect(child.call.kept.isNothing)
    #expect(try !hasReader(by: task))
  }

  @Test func vforkKeepsTheNumberOfItsChild() throws {
    #expect(try machine.call(task, .vfork) == nil)
    guard case .vfork(let id) = task.call.kept else {
      Issue.record("the child is not kept")
      return
    }
    let child = try #require(machine.kernel.tasks[id])
    // A signal wakes the parent, which goes on waiting.
    try machine.wait { task.state == .waiting }
    task.wakeUp()
    #expect(machine.finish(task) == nil)
    machine.enter(child)
    try machine.call(child, .exit, 0)
    #expect(machine.finish(task) == Int(id))
    #expect(task.call.kept.isNothing)
  }

  @Test func interruptedLockIsNotWaitedForAnyMore() throws {
    let path = try machine.place("/locked", in: task)
    let flags = OpenFlags([.readWrite, .create])
    #expect(try machine.call(task, .open, path, UInt64(flags.rawValue), 0o600) == 0)
    try machine.handle(task, Signal.usr1)
    let child = try machine.fork(task)
    func lock(_ task: Task, at start: UInt64) throws -> Int? {
      // `struct flock`: type and whence, start, length, process.
      let words = [UInt64(RecordLock.Kind.write.rawValue), start, 1, 0]
      try task.memory.writeArray(GuestAddress(address), words)
      return try machine.call(task, .fcntl, 0, UInt64(FcntlCommand.setLockWait.rawValue), address)
    }
    #expect(try lock(task, at: 0) == 0)
    #expect(try lock(child, at: 1) == 0)
    #expect(try lock(task, at: 1) == nil)
    // Each would wait for the other.
    #expect(try lock(child, at: 0) == -Int(Errno.deadlock.rawValue))
    machine.send(Signal.usr1, to: task)
    machine.enter(task)
    #expect(try lock(child, at: 0) == nil)
  }

  // MARK: Descriptors that are closed meanwhile

  /// A pipe, and a thread that is blocked in a read of it, as descriptor 0. Descriptor 1 is the other end.
  private func blockedReader() throws -> Task {
    #expect(try machine.call(task, .pipe2, address, 0) == 0)
    let reader = try machine.thread(of: task)
    #expect(try machine.call(reader, .read, 0, address + 64, 16) == nil)
    return reader
  }

  @Test func blockedReadGoesOnWithTheFileThatItBeganWith() throws {
    let reader = try blockedReader()
    let end = try task.files.file(1)
    #expect(try machine.call(task, .pipe2, address, 0) == 0)
    #expect(try machine.call(task, .dup2, 2, 0) == 0)
    #expect(!end.readiness().contains(.error))
    try task.memory.write(GuestAddress(address), Array("other".utf8))
    #expect(try machine.call(task, .write, 3, address, 5) == 5)
    #expect(try machine.call(task, .write, 1, address, 3) == 3)
    #expect(machine.finish(reader) == 3)
    // The old pipe has no reader any more.
    #expect(reader.call.files.isEmpty)
    #expect(end.readiness().contains(.error))
    #expect(try machine.call(reader, .read, 0, address + 64, 16) == 5)
  }

  @Test func interruptedReadLetsGoOfItsFile() throws {
    try machine.handle(task, Signal.usr1, flags: .restart)
    let reader = try blockedReader()
    let end = try task.files.file(1)
    #expect(try machine.call(task, .close, 0) == 0)
    #expect(!end.readiness().contains(.error))
    #expect(try machine.call(task, .tgkill, UInt64(task.group.id), UInt64(reader.id), UInt64(Signal.usr1)) == 0)
    machine.enter(reader)
    #expect(reader.call.files.isEmpty)
    #expect(end.readiness().contains(.error))
  }

  @Test func endOfATaskLetsGoOfItsFile() throws {
    let reader = try blockedReader()
    let end = try task.files.file(1)
    #expect(try machine.call(task, .close, 0) == 0)
    reader.mustExit = true
    machine.kernel.kick(reader)
    machine.enter(reader)
    #expect(reader.state == .dead)
    #expect(end.readiness().contains(.error))
  }

  @Test func nothingIsKeptWhereNobodyElseCanCloseIt() throws {
    #expect(try machine.call(task, .pipe2, address, 0) == 0)
    #expect(try machine.call(task, .read, 0, address + 64, 16) == nil)
    #expect(task.call.files.isEmpty)
  }

  @Test func pollIsWokenByTheFileThatItBeganWithAndLooksAtTheNewOne() throws {
    #expect(try machine.call(task, .pipe2, address, 0) == 0)
    #expect(try machine.call(task, .pipe2, address, 0) == 0)
    var entry = PollDescriptor()
    entry.descriptor = 0
    entry.events = UInt16(PollEvents.input.rawValue)
    try task.memory.writeValue(GuestAddress(address + 64), entry)
    let poller = try machine.thread(of: task)
    #expect(try machine.call(poller, .poll, address + 64, 1, UInt64(bitPattern: -1)) == nil)
    #expect(try machine.call(task, .dup2, 2, 0) == 0)
    #expect(try machine.call(task, .write, 3, address, 1) == 1)
    #expect(poller.state == .waiting)
    #expect(try machine.call(task, .write, 1, address, 1) == 1)
    #expect(machine.finish(poller) == 1)
  }

  // MARK: Children

  @Test func waitForStopsEndsWithTheLastChildThatCouldStop() throws {
    let child = try machine.fork(task)
    let options = UInt64(WaitOptions.stopped.rawValue)
    #expect(try machine.call(task, .waitid, 0, 0, 0, options) == nil)
    machine.enter(child)
    try machine.call(child, .exit_group, 0)
    #expect(machine.finish(task) == -Int(Errno.noChildProcess.rawValue))
    #expect(try machine.call(task, .wait4, UInt64(child.id), 0, 0) == Int(child.id))
  }

  // MARK: Calls in parts

  /// What would hold the kernel for long is done in parts: others have their turn before it goes on.
  @Test func aLargeReadLetsOthersIn() throws {
    let size: UInt64 = 5 << 20
    let flags = UInt64(MapFlags.private.union(.anonymous).rawValue)
    let mapped = try machine.call(task, .mmap, 0, size, 3, flags, UInt64.max, 0)
    let target = try #require(mapped)
    try task.memory.write(GuestAddress(address), Array("large\0".utf8))
    let file = UInt64(try #require(try machine.call(task, .memfd_create, address, 0)))
    try #require(try machine.call(task, .ftruncate, file, size) == 0)
    try #require(try machine.call(task, .pwrite64, file, address, 5, size - 5) == 5)
    let switches = machine.kernel.scheduler.switches
    #expect(try machine.call(task, .read, file, UInt64(target), size) == Int(size))
    // It left its CPU after each part but the last.
    #expect(machine.kernel.scheduler.switches - switches == 2)
    #expect(try task.memory.read(GuestAddress(UInt64(target) + size - 5), count: 5) == Array("large".utf8))
    #expect(try machine.call(task, .read, file, UInt64(target), size) == 0)
  }
}
