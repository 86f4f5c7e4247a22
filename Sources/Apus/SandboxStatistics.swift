import Kernel
import LinuxABI
import Platform

/// What happened in a run of a sandbox: the numbers behind `apus run --stats`.
public struct SandboxStatistics: Sendable {
  /// How often guest threads came out of guest code, by reason.
  public struct Traps: Sendable {
    /// System calls.
    public var syscalls = 0
    /// Calls through the entries of other architectures, which Apus answers with an error.
    public var foreignSyscalls = 0
    /// Page faults that reached Apus; the host resolves most by itself.
    public var pageFaults = 0
    /// Other hardware exceptions: division by zero, invalid instructions, breakpoints.
    public var otherFaults = 0
    /// Interruptions of guest code by Apus.
    public var preemptions = 0
    /// Host processes that died, or were killed for breaking the platform's rules.
    public var deaths = 0
    /// All of them.
    public var total: Int { syscalls + foreignSyscalls + pageFaults + otherFaults + preemptions + deaths }
  }
  /// How often guest threads came out of guest code.
  public var traps = Traps()

  /// One row of the table of system calls.
  public struct Syscall: Sendable {
    /// Its number; of those that Linux does not have, too.
    public var number: UInt64
    /// How often it was made.
    public var count: Int
    /// Nanoseconds spent in Apus; 0 where times were not measured.
    public var time: UInt64

    /// `syscall_N` for a number that Linux does not have.
    public var name: String { SyscallNumber.name(number) }
  }
  /// System calls that were made, those with the most time first.
  public var syscalls: [Syscall] = []
  /// Calls that Apus does not have and answered with `ENOSYS`.
  public var unknownSyscalls: [Syscall] = []

  /// Changes of the running thread between Apus and its guests, as the platform counts them.
  public var contextSwitches = 0
  /// Those among them that page faults took.
  public var pageFaultSwitches = 0
  /// Batches of memory operations that were handed to guest processes.
  public var flushes = 0
  /// The memory operations in these batches.
  public var memoryOperations = 0
  /// Changes of the task that a virtual CPU runs.
  public var taskSwitches = 0
  /// How often an idle CPU ran the guest code of another one's task.
  public var borrowedCPUs = 0
  /// Host processes that were made for guests.
  public var hostProcessesCreated = 0
  /// How often the host process of an earlier guest was used again.
  public var hostProcessesReused = 0
  /// Host threads that were made for guest threads.
  public var hostThreadsCreated = 0
  /// How often the host thread of an earlier guest thread was used again.
  public var hostThreadsReused = 0
  /// The most guest memory that was in use, in bytes.
  public var peakMemory: UInt64 = 0
  /// Guest processes that were ended for want of memory.
  public var outOfMemoryKills = 0
  /// From start to end, in nanoseconds.
  public var elapsed: UInt64 = 0

  init(_ kernel: Kernel, elapsed: UInt64) {
    let counts = kernel.statistics
    let trapCounts = counts.trapCounts
    traps.syscalls = Int(clamping: trapCounts.syscalls)
    traps.foreignSyscalls = Int(clamping: trapCounts.foreignSyscalls)
    traps.pageFaults = Int(clamping: trapCounts.pageFaults)
    traps.otherFaults = Int(clamping: trapCounts.otherFaults)
    traps.preemptions = Int(clamping: trapCounts.preemptions)
    traps.deaths = Int(clamping: trapCounts.deaths)
    for (number, count, time) in counts.syscalls {
      let row = Syscall(number: UInt64(number), count: Int(clamping: count), time: time)
      if counts.unknownSyscalls[UInt64(number)] == nil { syscalls.append(row) }
    }
    syscalls.sort { ($0.time, $0.count, $1.number) > ($1.time, $1.count, $0.number) }
    for (number, count) in counts.unknownSyscalls.sorted(by: { $0.key < $1.key }) {
      unknownSyscalls.append(Syscall(number: number, count: Int(clamping: count), time: 0))
    }
    let platform = kernel.platform.statistics
    contextSwitches = platform.contextSwitches
    pageFaultSwitches = platform.pageFaultSwitches
    flushes = platform.flushes
    memoryOperations = platform.memoryOperations
    hostProcessesCreated = platform.processesCreated
    hostProcessesReused = platform.processesReused
    hostThreadsCreated = platform.threadsCreated
    hostThreadsReused = platform.threadsReused
    taskSwitches = kernel.scheduler.switches
    borrowedCPUs = kernel.scheduler.borrowings
    // What is in use now may be the most there was.
    peakMemory = max(kernel.physicalMemory.usedBytes, kernel.physicalMemory.peakBytes)
    outOfMemoryKills = kernel.outOfMemory.kills
    self.elapsed = elapsed
  }

  /// Context switches for each page fault that reached Apus; 0 where there was none.
  public var switchesPerPageFault: Double {
    traps.pageFaults == 0 ? 0 : Double(pageFaultSwitches) / Double(traps.pageFaults)
  }

  /// Memory operations in each flush.
  public var operationsPerFlush: Double { flushes == 0 ? 0 : Double(memoryOperations) / Double(flushes) }
}
