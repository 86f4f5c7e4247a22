import LinuxABI
import Memory

/// Memory barriers on other threads: membarrier(2).
extension Syscalls {
  static let membarrierTable: [SyscallEntry] = [
    .init(.membarrier, membarrier, .partial("the global and the private expedited barrier alone"))
  ]

  private static let barrierCommands: [BarrierCommand] = [.global, .privateExpedited, .registerPrivateExpedited]

  /// Nanoseconds after which a CPU that has not left the guest yet is looked at again.
  private static let barrierInterval = Nanoseconds.microseconds(50)

  /// membarrier(2). A thread that leaves guest code goes through a full barrier, as does one that enters it: so the call
  /// takes those that are inside out of it, and returns once each has been outside since it began.
  static func membarrier(
    _ task: Task, _ command: Constant<BarrierCommand>, _ flags: Hexadecimal<UInt32>, _ cpu: Int32
  ) throws(Errno) -> CallOutcome<Int> {
    guard flags.value == 0 else { throw .invalidArgument }
    switch command.value {
    case .query: return .done(barrierCommands.reduce(0) { $0 | Int($1.rawValue) })
    case .registerPrivateExpedited: task.memory.hasExpeditedBarriers = true
    case .privateExpedited:
      guard task.memory.hasExpeditedBarriers else { throw .notPermitted }
      if let suspension = awaitBarrier(task, of: task.memory) { return .suspended(suspension) }
    case .global:
      if let suspension = awaitBarrier(task, of: nil) { return .suspended(suspension) }
    default: throw .invalidArgument
    }
    return .done(0)
  }

  /// - Parameter memory: whose threads are meant; nil: all of the sandbox.
  private static func awaitBarrier(_ task: Task, of memory: AddressSpace?) -> Suspension? {
    let kernel = task.kernel
    var start = kernel.monotonicTime
    if case .barrier(let begin) = task.call.kept { start = begin }
    // A CPU's task has been inside since the CPU's time was last charged.
    let inside = kernel.scheduler.cpus.compactMap { cpu -> Task? in
      guard let other = cpu.current, other !== task, other.scheduling.isInGuest, cpu.lastCharge <= start,
        memory == nil || other.memory === memory
      else { return nil }
      return other
    }
    guard !inside.isEmpty else { return nil }
    if !task.call.isRetry { for other in inside { other.thread.preempt() } }
    task.call.kept = .barrier(start: start)
    kernel.arm(task.deadlineTimer, deadline: kernel.monotonicTime + barrierInterval)
    return task.waitUninterruptibly()
  }
}
