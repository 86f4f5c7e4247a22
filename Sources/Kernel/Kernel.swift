// The target Kernel: tasks, scheduling, signals, futexes, time, execve, the system calls, `/proc`, tracing.
//
// It uses Network, FileSystem, Memory, Platform's protocols and LinuxABI, and gets everything else through
// `MachineServices`: it sees no host, no thread and no lock, so tests run it in virtual time. What must hold:
// nothing blocks (a call that has to wait parks its task, and is run again); nothing a guest passes traps; no
// `unsafe`.

import FileSystem
import LinuxABI
import Memory
import Network
import Platform

/// The kernel of one sandbox: the root of its object graph. Everything in it is touched only with the lock of its
/// `Machine` held, and nothing in it blocks.
package final class Kernel {
  let services: any MachineServices
  package let configuration: KernelConfiguration
  package let scheduler: Scheduler
  /// The path walk and the mounts.
  let vfs: VFS
  package let statistics = KernelStatistics()
  let startTime: UInt64
  var hostName: String
  /// What `/proc/sys/kernel/random/boot_id` says.
  lazy var bootID = UUIDText.random(services)
  var domainName = "(none)"
  /// Shows system calls as they end; nil when not tracing.
  package var tracer: TraceWriter?

  /// The caller's terminal, where there is one. Set before the first process starts.
  var console: Terminal?
  /// Usage of processes that Apus itself, as process 1, has reaped.
  var orphanUsage = ResourceUsage()
  /// The task whose system call is served, or was last; nil once that one has ended.
  var servedTask: Task?

  let futexes = FutexTable()
  let network = NetworkStack()

  // Processes
  var tasks: [Int32: Task] = [:]
  var groups: [Int32: ThreadGroup] = [:]
  /// All processes in the order of their ids, so that what is done to several is done in the same order in every run.
  var processes: [ThreadGroup] { groups.values.sorted { $0.id < $1.id } }
  private var lastID: Int32 = 1
  private var idsWrapped = false
  /// The first process: its end is the end of the sandbox.
  var firstGroup: ThreadGroup?
  /// Why the first process could not execute its program.
  package internal(set) var startError: Errno?
  /// The end of the sandbox; CPU threads stop once it is set.
  package internal(set) var result: WaitStatus?
  /// Tells the user of an event in one line (the host's stderr).
  package var report: ((String) -> Void)?
  package let outOfMemory: OutOfMemory

  package init(configuration: KernelConfiguration, services: any MachineServices, vfs: VFS) {
    self.configuration = configuration
    self.services = services
    self.vfs = vfs
    hostName = configuration.hostName
    startTime = services.monotonicTime
    outOfMemory = OutOfMemory(memory: services.physicalMemory)
    scheduler = Scheduler(
      services: services, cpus: configuration.cpus.enumerated().map { CPU(index: $0.offset, hostCPU: $0.element) })
  }

  package var physicalMemory: PhysicalMemory { services.physicalMemory }
  package var platform: any Platform { services.platform }
  var monotonicTime: UInt64 { services.monotonicTime }
  var realTime: UInt64 { services.realTime }
  func arm(_ timer: KernelTimer, deadline: UInt64) { services.arm(timer, deadline: deadline) }
  func disarm(_ timer: KernelTimer) { services.disarm(timer) }
  var timers: TimerQueue { services.timers }

  // MARK: Identifiers

  /// A process or thread id that is free. - Throws: `EAGAIN` where all are taken.
  func makeID() throws(Errno) -> Int32 {
    guard tasks.count < Int(configuration.maximumTasks) else { throw .resourceTemporarilyUnavailable }
    repeat {
      lastID = lastID >= Kernel.maximumID ? 2 : lastID + 1
      if lastID == Kernel.maximumID { idsWrapped = true }
    } while tasks[lastID] != nil || groups[lastID] != nil || idsWrapped && isSessionOrGroup(lastID)
    return lastID
  }

  /// `/proc/sys/kernel/pid_max` − 1.
  static let maximumID: Int32 = 4_194_303

  private func isSessionOrGroup(_ id: Int32) -> Bool {
    groups.values.contains { $0.processGroup == id || $0.session == id }
  }
}
