import LinuxABI
import Platform

/// Guest code on a host CPU of its own.
///
/// Where a guest thread and its CPU thread share a host CPU, a trap costs two futex hand-offs, some 8 µs. Where each has
/// its own and waits busily for the other, it costs 3 µs, but takes two host CPUs; and once a side has gone to sleep,
/// waking it across CPUs costs 50 µs. So a CPU whose task traps in quick succession borrows an idle CPU of the sandbox
/// for its guest code, and gives it back when the pace drops, the task changes or the owner has work.
///
/// This keeps account of what borrowing would gain a task, or does, in nanoseconds.
struct TrapPace {
  /// From here on waiting busily has not helped: both sides have gone to sleep.
  private static let limit = Nanoseconds.microseconds(60)
  private static let gain = 5_000
  private static let lossOfSleep = 50_000
  /// Memory operations that the agent carries out on one host CPU while the guest thread waits on another.
  private static let lossOfAgent = 8_000
  private static let most = 500_000

  private var balance = 0
  private var threshold: Int

  /// A program begins. Most that end soon make some twenty calls and faults.
  init() { threshold = 320_000 }

  private init(threshold: Int) { self.threshold = threshold }

  /// The child of a vfork(2): glibc's posix_spawn(3) asks for the action of every signal, over a hundred calls, before
  /// its execve(2).
  static var spawning: TrapPace { TrapPace(threshold: 40_000) }

  /// Takes note of the time that one side, the guest or the kernel, has just let the other wait.
  @inline(__always)
  mutating func note(wait time: Nanoseconds) {
    if time < TrapPace.limit {
      balance = min(balance + TrapPace.gain, max(threshold, TrapPace.most))
    } else {
      balance = max(balance - TrapPace.lossOfSleep, 0)
    }
  }

  /// Takes note that the guest had to wait for its agent.
  mutating func noteAgent() { balance = max(balance - TrapPace.lossOfAgent, 0) }

  /// Starts from zero: the task has just got a CPU, or there was none to borrow.
  mutating func restart() { balance = 0 }

  /// Going back and forth costs time too: each time that borrowing has ended at a loss, the next one has to promise more.
  mutating func raiseThreshold() { threshold = min(threshold * 2, 10_000_000) }

  var isGaining: Bool { balance >= threshold }
  /// Nothing is left of the gain except what the kernel's own side has just added.
  var isLosing: Bool { balance <= TrapPace.gain }
}

extension CPU {
  /// Where the task that it runs goes on.
  var placement: Placement { Placement(cpu: hostCPU, guestCPU: borrowed?.hostCPU) }
}

extension Scheduler {
  /// Borrows an idle CPU for the guest code of the task that `cpu` runs where its pace makes that worth it, or gives it
  /// back where it no longer does.
  @inline(__always)
  func adaptPlacement(of cpu: CPU, running task: Task) {
    if cpu.borrowed == nil {
      if task.scheduling.pace.isGaining { borrow(for: cpu, running: task) }
    } else if task.scheduling.pace.isLosing {
      endBorrowing(of: cpu)
      task.scheduling.pace.raiseThreshold()
    }
  }

  private func borrow(for cpu: CPU, running task: Task) {
    guard canBorrow, let idle = cpus.first(where: { $0.isIdle && $0.borrower == nil }) else {
      // No CPU is idle: the task earns its claim again, so that the CPUs aren't searched at each trap.
      task.scheduling.pace.restart()
      return
    }
    cpu.borrowed = idle
    idle.borrower = cpu
    borrowings &+= 1
  }

  /// The CPU gives back what it has borrowed; its task returns to it when it next enters the guest.
  func endBorrowing(of cpu: CPU) {
    cpu.borrowed?.borrower = nil
    cpu.borrowed = nil
  }

  /// The running task begins another program, which has yet to show its pace.
  func restartPace(of task: Task) {
    endBorrowing(of: task.scheduling.cpu)
    task.scheduling.pace = TrapPace()
  }

  /// Takes a CPU out of its idle sleep. Guest code that runs on it on behalf of another goes back there.
  func wake(_ cpu: CPU) {
    cpu.isIdle = false
    if let borrower = cpu.borrower {
      endBorrowing(of: borrower)
      if let task = borrower.current, task.scheduling.isInGuest { task.thread.preempt() }
    }
    services.wakeCPU(cpu.index)
  }
}
