import FileSystem
import LinuxABI
import Memory
import Platform
import TestSupport
import Testing

@testable import Kernel

/// A kernel that tests drive trap by trap, on its first CPU.
final class TestMachine {
  let kernel: Kernel
  let cpu: CPU
  /// The first process.
  let first: Task
  let platform: FakePlatform
  let services: TestServices
  let context: FileSystemContext

  /// Memory that every process has: data, and a stack that ends where `stackPointer` is.
  static let data: UInt64 = 0x10_0000
  static let stackPointer: UInt64 = 0x24_0000
  static let handler: UInt64 = 0x40_1000
  static let restorer: UInt64 = 0x40_2000
  static let code: UInt64 = 0x40_0100

  /// - Parameters:
  ///   - hostCPUs: one entry for each CPU.
  ///   - tasksAreBound: tasks stay on the CPU that they start on.
  ///   - seed: what the kernel gets as random bytes follows from it.
  init(hostCPUs: [Int?] = [nil], tasksAreBound: Bool = false, seed: UInt64 = 1) throws {
    platform = FakePlatform(threadsAreBoundToCPUThreads: tasksAreBound)
    services = try TestServices(platform: platform, seed: seed)
    context = FileSystemContext(services: services)
    let vfs = VFS(context: context)
    let files = TmpFileSystem(context: context)
    try vfs.mount(files, root: try files.makeRoot(permissions: 0o755), at: vfs.root)
    var configuration = KernelConfiguration()
    configuration.cpus = hostCPUs
    kernel = Kernel(configuration: configuration, services: services, vfs: vfs)
    cpu = kernel.scheduler.cpus[0]
    first = try TestMachine.makeProcess(kernel, parent: nil)
    kernel.firstGroup = first.group
    // A call that fails before the first process runs a program would be a failure to start it.
    first.group.hasExecuted = true
  }

  private static func makeProcess(_ kernel: Kernel, parent: ThreadGroup?) throws -> Task {
    let id = try kernel.processTable.makeID()
    let process = try kernel.makeGuestProcess()
    let memory = AddressSpace(physical: kernel.physicalMemory, platform: kernel.platform, process: process)
    for (start, size) in [(data, UInt64(0x1_0000)), (stackPointer - 0x4_0000, 0x4_0000)] {
      _ = try memory.map(
        MapRequest(
          address: GuestAddress(start), length: size, protection: [.read, .write],
          flags: [.private, .anonymous, .fixed],
          source: .anonymous))
    }
    var registers = Registers()
    registers.rip = code
    registers.rsp = stackPointer
    let thread = try process.makeThread(registers: registers, extendedStateOf: nil)
    let processGroup = ProcessGroup(id: id, session: Session(id: id))
    let group = ThreadGroup(id: id, parent: parent, processGroup: processGroup, signals: GroupSignals())
    let location = kernel.vfs.root
    let task = Task(
      id: id, kernel: kernel, group: group, memory: memory, thread: thread, files: FileTable.make(),
      fs: TaskFileSystem(root: location, workingDirectory: location), credentials: Credentials(uid: 0, gid: 0),
      name: "test", cpu: kernel.scheduler.cpus[0], charge: MemoryCharge.make())
    group.leader = task
    group.tasks = [task]
    kernel.processTable.add(group)
    kernel.processTable.add(task)
    kernel.scheduler.makeRunnable(task)
    return task
  }

  /// A child process of another, with the same session.
  func fork(_ parent: Task) throws -> Task {
    let id = try #require(try call(parent, .fork))
    return try #require(kernel.tasks[ProcessID(rawValue: Int32(id))])
  }

  /// Another thread of a process.
  func thread(of task: Task) throws -> Task {
    let flags: CloneFlags = [.vm, .fs, .files, .signalHandlers, .thread]
    let id = try #require(try call(task, .clone, flags.rawValue, TestMachine.stackPointer - 0x1_0000))
    return try #require(kernel.tasks[ProcessID(rawValue: Int32(id))])
  }

  /// Gives the CPU to a task and lets it come to guest code, through whatever it still has to do in the kernel.
  /// False where it waits, stops or ends instead.
  @discardableResult
  func enter(_ task: Task) -> Bool {
    // A task that has used up its slice yields to others: it gets the CPU again.
    for _ in 0..<100 where task.state == .runnable {
      giveCPU(to: task)
      if cpu.current === task, task.scheduling.isInGuest { return true }
    }
    return false
  }

  private func giveCPU(to task: Task) {
    if let current = cpu.current, current !== task {
      current.scheduling.isInGuest = false
      cpu.current = nil
      kernel.scheduler.enqueue(current)
    }
    if cpu.current !== task {
      cpu.take(task)
      kernel.scheduler.run(task, on: cpu)
    }
    step()
  }

  private func step() {
    while case .again = kernel.nextStep(on: cpu) {}
  }

  /// Has a task trap, and go on as far as it can.
  @discardableResult
  func trap(_ task: Task, _ trap: Trap) -> Bool {
    if !task.scheduling.isInGuest || cpu.current !== task {
      guard enter(task) else {
        Issue.record("the task can't run")
        return false
      }
    }
    kernel.handle(trap, on: cpu)
    step()
    if cpu.current === task { return task.scheduling.isInGuest }
    return enter(task)
  }

  /// Makes a system call; nil where the task waits.
  @discardableResult
  func call(_ task: Task, _ number: SyscallNumber, _ arguments: UInt64...) throws -> Int? {
    if !task.scheduling.isInGuest || cpu.current !== task {
      let isRunning = enter(task)
      try #require(isRunning)
    }
    var registers = task.thread.registers
    registers.rip = TestMachine.code + 2
    registers.rax = UInt64(number.rawValue)
    let words = arguments + [UInt64](repeating: 0, count: 6 - arguments.count)
    (registers.rdi, registers.rsi, registers.rdx) = (words[0], words[1], words[2])
    (registers.r10, registers.r8, registers.r9) = (words[3], words[4], words[5])
    task.thread.setRegisters(registers)
    return trap(task, .syscall) ? result(task) : nil
  }

  /// Lets a task that was woken go on; the result of its call, nil where it still waits.
  func finish(_ task: Task) -> Int? { enter(task) ? result(task) : nil }

  private func result(_ task: Task) -> Int { Int(Int64(bitPattern: task.thread.registers.rax)) }

  /// Lets the task execute the `syscall` instruction that it is at once more.
  func repeatCall(_ task: Task) -> Int? {
    task.thread.changeRegisters { $0.rip += 2 }
    return trap(task, .syscall) ? result(task) : nil
  }

  /// Sets up a handler.
  func handle(
    _ task: Task, _ signal: Signal, flags: SignalActionFlags = [], mask: SignalSet = [], handler: UInt64 = handler
  ) throws {
    var action = SignalAction()
    action.handler = handler
    action.flags = flags.union(.hasRestorer)
    action.restorer = TestMachine.restorer
    action.mask = mask
    let address = TestMachine.data + 0xf000
    try task.memory.writeValue(GuestAddress(address), action)
    try #require(try call(task, .rt_sigaction, UInt64(signal), address, 0, 8) == 0)
  }

  /// Blocks exactly these signals.
  func block(_ task: Task, _ set: SignalSet) throws {
    try task.memory.writeValue(GuestAddress(TestMachine.data + 0xf000), set)
    try #require(try call(task, .rt_sigprocmask, 2, TestMachine.data + 0xf000, 0, 8) == 0)
  }

  /// Returns from the handler that the task is in.
  func returnFromHandler(_ task: Task) throws {
    var registers = task.thread.registers
    try #require(try task.memory.readValue(GuestAddress(registers.rsp), as: UInt64.self) == TestMachine.restorer)
    registers.rsp += 8
    registers.rip = TestMachine.restorer + 2
    registers.rax = UInt64(SyscallNumber.rt_sigreturn.rawValue)
    task.thread.setRegisters(registers)
    trap(task, .syscall)
  }

  /// The frame of the handler that the task is about to enter.
  func frame(of task: Task) throws -> SignalFrame {
    try task.memory.readValue(GuestAddress(task.thread.registers.rsp), as: SignalFrame.self)
  }

  /// Lets time pass until a condition holds, from one timer to the next.
  func wait(_ condition: () -> Bool) throws {
    services.expireTimers()
    for _ in 0..<2000 where !condition() {
      guard services.advanceToNextTimer() else { break }
    }
    #expect(condition(), "what the test waits for does not happen")
  }

  // MARK: Files

  var root: PathContext {
    PathContext(root: kernel.vfs.root, base: kernel.vfs.root, credentials: Credentials(uid: 0, gid: 0))
  }

  /// Makes a file; returns it open for reading.
  @discardableResult
  func makeFile(_ path: String, _ bytes: [UInt8]) throws(Errno) -> OpenFile {
    let file = try kernel.vfs.open(path, root, flags: [.readWrite, .create, .truncate], mode: 0o755)
    var buffer = IOBuffer(bytes: bytes)
    _ = try file.write(from: &buffer, at: nil)
    file.close()
    return try kernel.vfs.open(path, root, flags: [])
  }

  /// What a file holds.
  func read(_ path: String) throws(Errno) -> String {
    let file = try kernel.vfs.open(path, root, flags: [])
    defer { file.close() }
    var buffer = IOBuffer(collecting: 1 << 16)
    while try file.read(into: &buffer, at: nil) > 0 {}
    return String(decoding: buffer.collected, as: UTF8.self)
  }

  /// Writes a string, with its zero, to a place in a process's memory; returns the address.
  func place(_ string: String, at address: UInt64 = TestMachine.data + 0xe000, in task: Task) throws(Errno) -> UInt64 {
    try task.memory.write(GuestAddress(address), Array(string.utf8) + [0])
    return address
  }

  func send(_ signal: Signal, to task: Task) { kernel.send(SignalInfo(signal: signal, code: 0), to: task.group) }
}

extension Signal {
  static let realTime2 = Signal(rawValue: 34)
  static let realTime3 = Signal(rawValue: 35)
}

extension Int {
  /// An id as the result of a system call.
  init(_ id: ProcessID) { self = Int(id.rawValue) }
}

extension UInt32 {
  /// A thread's id as it stands in a futex word.
  init(_ id: ProcessID) { self = UInt32(id.rawValue) }
}

extension UInt64 {
  /// An id as an argument of a system call.
  init(_ id: ProcessID) { self = UInt64(id.rawValue) }
  /// A signal as an argument of a system call.
  init(_ signal: Signal) { self = UInt64(signal.rawValue) }
}

extension ProcessID: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: Int32) { self.init(rawValue: value) }
}
