import FileSystem
import LinuxABI
import Network
import Platform

/// The system call that a task makes: what it was called with, and what it must not forget while it is parked. A call that
/// is woken is run again from its start; what it may not do twice, it finds here.
final class CallInProgress {
  /// The registers at entry: the arguments, and the number in `rax`.
  private(set) var registers = Registers()
  /// The call is parked: it is run again when the task is.
  private(set) var isParked = false
  /// This is not the call's first run.
  private(set) var isRetry = false

  /// The `syscall` instruction that made it.
  var instruction: GuestAddress { GuestAddress(registers.rip &- SyscallInstruction.length) }

  // What it keeps between its runs
  /// When it stops waiting.
  var deadline: MonotonicTime?
  /// Bytes that it has moved.
  var transferred = 0
  /// It has done a part of its work, and goes on with it when others had their turn.
  var givesWay = false
  /// Messages that it has moved (sendmmsg(2), recvmmsg(2)).
  var messages = 0
  /// When recvmmsg(2) takes no further ones.
  var messagesEnd: MonotonicTime?
  /// What its descriptors were, where another task could close them.
  var files = KeptFiles()
  /// Anything else.
  var kept = Kept.nothing

  // How it ended
  /// A signal has ended it: the signal's delivery decides between running it again and `EINTR`.
  var restart: RestartKind?
  /// It goes on with its deadline when it is made again, after a signal without handler (restart_syscall(2)).
  private(set) var keepsDeadline = false
  /// It has set all registers itself (execve, rt_sigreturn): its result is not stored.
  var replacedRegisters = false

  /// What a parked call keeps beside a deadline and a count.
  enum Kept {
    case nothing
    /// futex(2): the place in the queue.
    case futex(FutexWaiter)
    /// execve(2): the request. The memory that it was read from may have changed meanwhile.
    indirect case exec(ExecRequest)
    /// open(2) of a FIFO that has no peer yet.
    case opening(OpenFile)
    /// vfork(2): the child, which was made already.
    case vfork(child: ProcessID)
    /// fcntl(2), `F_SETLKW`.
    case recordLock(RecordLockWait)
    /// wait(2): whom it waits for, who was named by a descriptor or by what the caller's process group was.
    case child(WaitSelector.Target)
    /// membarrier(2): when it began.
    case barrier(start: MonotonicTime)
    /// clock_nanosleep(2) on a processor-time clock: when it ends, in that clock's time.
    case processorTime(Nanoseconds)
    /// poll(2) and select(2): the files that wake it.
    indirect case polling(PollWait)
    /// sendmsg(2): what goes with the bytes. Its files count as descriptors.
    indirect case sending(OutgoingMessage)

    var isNothing: Bool { if case .nothing = self { true } else { false } }

    func letGo() {
      switch self {
      case .opening(let file): file.close()
      case .polling(let wait): wait.letGo()
      case .sending(let message): for file in message.files { FileTable.letGo(file) }
      case .nothing, .futex, .exec, .vfork, .recordLock, .child, .barrier, .processorTime: break
      }
    }
  }

  /// The task has trapped to make a call.
  @inline(__always)
  func begin(_ registers: Registers) {
    self.registers = registers
    if keepsDeadline {
      keepsDeadline = false
    } else {
      isRetry = false
      deadline = nil
    }
    transferred = 0
    messages = 0
    messagesEnd = nil
  }

  /// One of its messages was moved.
  func countMessage() {
    messages += 1
    transferred = 0
    let done = kept
    kept = .nothing
    done.letGo()
  }

  /// A call that its task does not make by itself: it begins as if it was parked.
  func begin(_ number: SyscallNumber, keeping kept: Kept) {
    registers.rax = UInt64(number.rawValue)
    isParked = true
    self.kept = kept
  }

  /// The call waits.
  func park() {
    isParked = true
    isRetry = true
  }

  /// What a call that has ended had kept.
  struct Remains {
    fileprivate let kept: Kept
    fileprivate let files: KeptFiles

    /// Closes what nobody else has open.
    func letGo() {
      kept.letGo()
      files.letGo()
    }
  }

  /// The call has ended, or its task ends. - Returns: what has to be let go of, once this value is as it should be.
  @inline(__always)
  func end() -> Remains? {
    isParked = false
    return kept.isNothing && files.isEmpty ? nil : forget()
  }

  private func forget() -> Remains {
    defer { (kept, files) = (.nothing, KeptFiles()) }
    return Remains(kept: kept, files: files)
  }

  /// The guest makes the interrupted call again. - Returns: the number, for its `rax`.
  func makeAgain(keepingDeadline: Bool) -> UInt64 {
    keepsDeadline = keepingDeadline
    return registers.rax
  }

  /// The call does not go on after all; true where it would have.
  func forgetDeadline() -> Bool {
    defer { keepsDeadline = false }
    return keepsDeadline
  }
}
