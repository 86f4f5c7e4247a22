import LinuxABI

/// What a kernel is started with.
package struct KernelConfiguration: Sendable {
  package var hostName = "apus"
  /// One entry for each virtual CPU: the host CPU its thread is pinned to.
  package var cpus: [Int?] = [nil]
  /// Most tasks at a time; further ones get `EAGAIN`.
  package var maximumTasks = 4096
  /// `uname -r`.
  package var release = "6.12.0-apus"
  package var version = "#1 SMP PREEMPT_DYNAMIC"
  package init() {}
}

/// Counters of the kernel, for `--stats`.
package final class KernelStatistics {
  package var traps = TrapCounts()
  /// Calls by number, and the time spent in them (collected with `collectsTimes`).
  package var syscallCounts = [UInt64](repeating: 0, count: 512)
  package var syscallTimes = [UInt64](repeating: 0, count: 512)
  package var collectsTimes = false
  package var unknownSyscalls: [UInt64: UInt64] = [:]
  package init() {}

  package struct TrapCounts {
    package var syscalls: UInt64 = 0
    package var foreignSyscalls: UInt64 = 0
    package var pageFaults: UInt64 = 0
    package var otherFaults: UInt64 = 0
    package var preemptions: UInt64 = 0
    package var deaths: UInt64 = 0
  }
}

/// Shows system calls (`--trace`). Called with the kernel lock held.
package protocol SyscallTracer: AnyObject {
  /// A call ended with `result` (a negated errno for errors). Arguments that the call reads are still as they were.
  func syscallEnded(_ task: Task, _ entry: SyscallEntry?, number: UInt64, _ arguments: SyscallArguments, result: Int)
  /// A call begins that does not come back (exit, execve that succeeds) or that blocks.
  func syscallBegan(_ task: Task, _ entry: SyscallEntry?, number: UInt64, _ arguments: SyscallArguments)
  /// A signal is delivered, or a task ended.
  func signalDelivered(_ task: Task, _ info: SignalInfo)
  func taskEnded(_ task: Task, _ status: WaitStatus)
}
