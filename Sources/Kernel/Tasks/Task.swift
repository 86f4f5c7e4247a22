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
  var scheduling: TaskScheduling
  /// Time and switches. Faults and memory are counted for the process alone.
  var usage = ResourceUsage()
  let startTime: MonotonicTime
  var attributes = TaskAttributes()

  // The system call in progress
  /// True while a parked call waits to be run again.
  var isInSyscall = false
  /// The registers at entry; `rax` holds the number.
  var syscallRegisters = Registers()
  /// Progress and deadline of a call that was parked; reset when it ends.
  var retry = SyscallRetry()
  /// Set by a call that goes on with its deadline after a signal without handler (restart_syscall(2)).
  var keepsRetry = false
  /// The call ended interrupted: signal delivery decides between running it again and `EINTR`.
  var pendingRestart: Errno?
  /// Set by calls that replace all registers (execve, rt_sigreturn): their result is not stored.
  var replacedRegisters = false
  private var registrations: [(queue: WaitQueue, registration: WaitQueue.Registration)] = []
  private(set) lazy var deadlineTimer = KernelTimer { [unowned self] in wakeUp() }

  var signals = TaskSignals()

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
    fs: TaskFileSystem, credentials: Credentials, name: String, cpu: CPU
  ) {
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

  /// It runs no more; a leader may still be there for its parent to wait for.
  var hasEnded: Bool { state == .zombie || state == .dead }

  /// The leader of its thread group.
  var isLeader: Bool { id == group.id }

  // MARK: Waiting

  /// Parks this task until one of the queues reports any of `events`, the deadline (CLOCK_MONOTONIC) passes,
  /// or a signal comes. The system call throws what this returns; its function is run again after the wake-up.
  ///
  /// Where a signal is already there to be delivered, returns `interrupted` and parks nothing.
  func wait(
    on queues: [WaitQueue], events: PollEvents = .all, deadline: MonotonicTime? = nil, interrupted: Errno = .restartSys,
    exclusive: Bool = false
  ) -> Errno {
    if hasDeliverableSignal { return interrupted }
    for queue in queues { registrations.append((queue, queue.add(self, events: events, exclusive: exclusive))) }
    if let deadline { kernel.arm(deadlineTimer, deadline: deadline) }
    state = .waiting
    return .parked
  }

  /// Parks this task until `wakeUp()`; signals wake it too, but do not end the call: it looks again and waits again.
  func waitUninterruptibly(on queue: WaitQueue? = nil) -> Errno {
    if let queue { registrations.append((queue, queue.add(self))) }
    state = .waiting
    return .parked
  }

  /// Runs an operation of a file that may throw `.wouldBlock`; then, unless the file is non-blocking, parks the task until
  /// the file reports any of `events`.
  func blocking<Result>(
    _ file: OpenFile, _ events: PollEvents, deadline: MonotonicTime? = nil, interrupted: Errno = .restartSys,
    _ operation: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    do throws(Errno) {
      return try operation()
    } catch {
      guard error == .wouldBlock else { throw error }
      throw waitError(file, events, deadline: deadline, interrupted: interrupted)
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
    registrations.removeAll(keepingCapacity: true)
    kernel.disarm(deadlineTimer)
    kernel.scheduler.makeRunnable(self)
  }
}

/// What a system call that was parked remembers between its runs.
struct SyscallRetry {
  /// True from the second run on.
  var isRetry = false
  /// When the call gives up.
  var deadline: MonotonicTime?
  /// Where a sleep on a processor-time clock ends, in that clock's time.
  var processorTimeTarget = Nanoseconds.zero
  /// Bytes moved so far.
  var transferred = 0
  /// For anything else a call has to keep.
  var object: AnyObject?
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
