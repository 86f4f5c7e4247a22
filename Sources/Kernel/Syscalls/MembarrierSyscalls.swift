import LinuxABI
import Memory

/// Memory barriers on other threads: membarrier(2).
extension Syscalls {
  static let membarrierTable: [SyscallEntry] = [
    .init(.membarrier, membarrier, .partial("the global and the private expedited barrier alone"))
  ]

  private static let barrierCommands: [BarrierCommand] = [.global, .privateExpedited, .registerPrivateExpedited]

  /// How soon a CPU is looked at again that has not left the guest yet, nanoseconds.
  private static let barrierInterval = Nanoseconds.microseconds(50)

  /// membarrier(2). A thread that leaves guest code goes through a full barrier, as does one that enters it: so the call
  /// takes those that are inside out of it, and returns once each has been outside since it began.
  static func membarrier(
    _ task: Task, _ command: Constant<BarrierCommand>, _ flags: Hexadecimal<UInt32>, _ cpu: Int32
  ) throws(Errno) -> Int {
    guard flags.value == 0 else { throw .invalidArgument }
    switch command.value {
    case .query: return barrierCommands.reduce(0) { $0 | Int($1.rawValue) }
    case .registerPrivateExpedited: task.memory.hasExpeditedBarriers = true
    case .privateExpedited:
      guard task.memory.hasExpeditedBarriers else { throw .notPermitted }
      try awaitBarrier(task, of: task.memory)
    case .global: try awaitBarrier(task, of: nil)
    default: throw .invalidArgument
    }
    return 0
  }

  /// - Parameter memory: whose threads are meant; nil: all of the sandbox.
  private static func awaitBarrier(_ task: Task, of memory: AddressSpace?) throws(Errno) {
    let kernel = task.kernel
    let barrier = task.retry.object as? Barrier ?? Barrier(start: kernel.monotonicTime)
    // What a CPU runs has been inside since its time was last charged.
    let inside = kernel.scheduler.cpus.compactMap { cpu -> Task? in
      guard let other = cpu.current, other !== task, other.scheduling.isInGuest, cpu.lastCharge <= barrier.start,
        memory == nil || other.memory === memory
      else { return nil }
      return other
    }
    guard !inside.isEmpty else { return }
    if !task.retry.isRetry { for other in inside { other.thread.preempt() } }
    task.retry.object = barrier
    kernel.arm(task.deadlineTimer, deadline: kernel.monotonicTime + barrierInterval)
    throw task.waitUninterruptibly()
  }
}

/// A barrier that is waited for. It is the `retry.object` of its system call.
private final class Barrier {
  /// When it began (CLOCK_MONOTONIC, nanoseconds).
  let start: MonotonicTime
  init(start: MonotonicTime) { self.start = start }
}
