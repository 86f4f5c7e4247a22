import FileSystem
import LinuxABI
import Memory
import Platform

/// One thread of a guest program (a task of Linux). Touched only with the kernel lock held.
final class Task: Waiter {
  enum State {
    /// In a run queue, or being run by a CPU.
    case runnable
    /// Parked in a system call until a wait queue, its deadline or a signal wakes it.
    case waiting
    /// Stopped by a signal.
    case stopped
    /// Ended; a leader stays as a zombie until it is waited for.
    case zombie
    case dead
  }

  var id: ProcessID
  let kernel: Kernel
  var group: ThreadGroup
  var memory: AddressSpace
  var thread: any GuestThread
  var files: FileTable
  var fs: TaskFileSystem
  var credentials: Credentials {
    didSet { if credentials.uid != oldValue.uid { kernel.processTable.userChanged(of: self, from: oldValue.uid) } }
  }
  /// `comm` (at most 15 bytes).
  var name: String

  var state = State.waiting
  let scheduling: TaskScheduling
  /// Time and switches. Faults and memory are counted for the process alone.
  var usage = ResourceUsage()
  let startTime: MonotonicTime
  /// Charged for the task itself and its supplementary groups.
  private var charge: MemoryCharge
  var attributes = TaskAttributes()

  /// The system call in progress, or the last one.
  let call = CallInProgress()
  private var registrations: [(queue: WaitQueue, registration: WaitQueue.Registration)] = []
  /// Charged for the registrations where they are many.
  private var registrationCharge: MemoryCharge?
  private(set) lazy var deadlineTimer = KernelTimer { [unowned self] in wakeUp() }

  let signals = TaskSignals()

  // Thread state of clone(2) and futexes
  var clearChildTID = GuestAddress.null
  var robustList = GuestAddress.null
  /// The parent that waits in vfork(2) for this task to exec or exit.
  var vforkParent: Task?
  var exitCode: Int32 = 0
  /// Another thread executes a program: this one ends at its next chance.
  var mustExit = false

  init(
    id: ProcessID, kernel: Kernel, group: ThreadGroup, memory: AddressSpace, thread: any GuestThread, files: FileTable,
    fs: TaskFileSystem, credentials: Credentials, name: String, cpu: CPU, charge: consuming MemoryCharge
  ) {
    self.charge = charge
    self.id = id
    self.kernel = kernel
    self.group = group
    self.memory = memory
    self.thread = thread
    self.files = files
    self.fs = fs
    self.credentials = credentials
    self.name = name
    scheduling = TaskScheduling(cpu: cpu)
    startTime = kernel.monotonicTime
  }

  /// What a task takes with its host thread's context.
  private static let price = 16 << 10
  /// What a process takes besides its tasks: handlers, limits, the ring of its host process, a usual address space.
  static let processPrice = 32 << 10 + AddressSpace.basePrice
  static func price(of credentials: Credentials) -> Int { price + credentials.groups.count * 4 }

  /// setgroups(2). - Throws: `ENOMEM`.
  func setGroups(_ groups: [UInt32]) throws(Errno) {
    try charge.resize(to: charge.bytes + (groups.count - credentials.groups.count) * 4)
    credentials.groups = groups
  }

  /// It runs no more; a leader may still be there for its parent to wait for.
  var hasEnded: Bool { state == .zombie || state == .dead }

  /// The leader of its thread group.
  var isLeader: Bool { id == group.id }

  // MARK: Waiting

  /// Parks this task until one of the queues reports any of `events`, the deadline (CLOCK_MONOTONIC) passes,
  /// or a signal comes. The system call returns what this returns; its function is run again after the wake-up.
  ///
  /// Where a signal is already there to be delivered, parks nothing and tells that the call is interrupted.
  func wait(
    on queues: [WaitQueue], events: PollEvents = .all, deadline: MonotonicTime? = nil,
    interrupted restart: RestartKind = .restartSys, exclusive: Bool = false
  ) -> Suspension {
    if hasDeliverableSignal { return .interrupted(restart) }
    for queue in queues { registrations.append((queue, queue.add(self, events: events, exclusive: exclusive))) }
    if let deadline { kernel.arm(deadlineTimer, deadline: deadline) }
    state = .waiting
    return .parked
  }

  /// Charges for waiting on many queues at once, until `wakeUp()`. - Throws: `ENOMEM`.
  func reserveRegistrations(_ count: Int) throws(Errno) {
    guard count > 64 else { return }
    registrationCharge = try kernel.kernelMemory.charge(count * 192)
  }

  /// The call has done a part of its work: it is run again when others had their turn. For what would hold the kernel lock
  /// for long.
  func giveWay() -> Suspension {
    call.givesWay = true
    return .parked
  }

  /// Parks this task until `wakeUp()`; signals wake it too, but do not end the call: it looks again and waits again.
  func waitUninterruptibly(on queue: WaitQueue? = nil) -> Suspension {
    if let queue { registrations.append((queue, queue.add(self))) }
    state = .waiting
    return .parked
  }

  /// Runs an operation of a file that may throw `.wouldBlock`; then, unless the file is non-blocking, parks the task until
  /// the file reports any of `events`.
  func blocking<Value>(
    _ file: OpenFile, _ events: PollEvents, interrupted restart: RestartKind = .restartSys,
    _ operation: () throws(Errno) -> Value
  ) throws(Errno) -> CallOutcome<Value> {
    do throws(Errno) {
      return .done(try operation())
    } catch {
      guard error == .wouldBlock else { throw error }
      return .suspended(try wait(for: file, events, interrupted: restart))
    }
  }

  func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    wakeUp()
    return true
  }

  /// Makes a waiting task runnable; it runs its system call again.
  func wakeUp() {
    guard state == .waiting else { return }
    for (queue, registration) in registrations { queue.remove(registration) }
    registrations.removeAll(keepingCapacity: registrations.count <= 64)
    registrationCharge = nil
    kernel.disarm(deadlineTimer)
    kernel.scheduler.makeRunnable(self)
  }
}

/// Root, working directory and umask (`CLONE_FS` shares them).
package final class TaskFileSystem {
  package var root: PathLocation
  package var workingDirectory: PathLocation
  var umask: UInt32
  package init(root: PathLocation, workingDirectory: PathLocation, umask: UInt32 = 0o022) {
    self.root = root
    self.workingDirectory = workingDirectory
    self.umask = umask
  }
  func copy() -> TaskFileSystem {
    TaskFileSystem(root: root, workingDirectory: workingDirectory, umask: umask)
  }
}
