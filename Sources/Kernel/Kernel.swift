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
  package let statistics: KernelStatistics
  let startTime: MonotonicTime
  var hostName: String
  /// What `/proc/sys/kernel/random/boot_id` says.
  lazy var bootID = UUIDText.random(services)
  var domainName = "(none)"
  /// Shows system calls as they end; nil when not tracing.
  var tracer: TraceWriter?

  /// What is mounted as `proc` and as `sysfs`: each the same wherever it is.
  private(set) lazy var processFileSystem: (fileSystem: any MountedFileSystem, root: Inode) = ProcFS.make(for: self)
  private(set) lazy var systemFileSystem: (fileSystem: any MountedFileSystem, root: Inode) = SysFS.make(for: self)

  /// The caller's terminal, where there is one. Set before the first process starts.
  var console: Terminal?
  /// Usage of processes that Apus itself, as process 1, has reaped.
  var orphanUsage = ResourceUsage()
  /// The task whose system call is served, or was last; nil once that one has ended.
  var servedTask: Task?

  let futexes = FutexTable()
  let recordLockWaits = RecordLockWaits()
  package let network: NetworkStack
  let openFiles: OpenFileCount

  // Processes
  let processTable: ProcessTable
  let initProcess: InitProcess
  /// The first process: its end is the end of the sandbox.
  var firstGroup: ThreadGroup?
  /// Why the first process could not execute its program.
  package internal(set) var startError: Errno?
  /// The end of the sandbox; CPU threads stop once it is set.
  var outcome: WaitStatus?
  /// Tells the user of an event in one line (the host's stderr).
  package var report: ((String) -> Void)?
  package let outOfMemory: OutOfMemory

  package init(configuration: KernelConfiguration, services: any MachineServices, vfs: VFS) {
    self.configuration = configuration
    statistics = KernelStatistics(collectsTimes: configuration.measuresTimes)
    self.services = services
    self.vfs = vfs
    hostName = configuration.hostName
    startTime = services.monotonicTime
    processTable = ProcessTable(maximumTasks: configuration.maximumTasks)
    outOfMemory = OutOfMemory(memory: services.physicalMemory)
    network = NetworkStack(
      services: services,
      interfaces: InterfaceTable(addresses: configuration.networkAddresses, gateways: configuration.gateways))
    openFiles = OpenFileCount(memory: services.physicalMemory)
    scheduler = Scheduler(
      services: services, cpus: configuration.cpus.enumerated().map { CPU(index: $0.offset, hostCPU: $0.element) })
    initProcess = InitProcess(cpu: scheduler.cpus[0])
    network.reportUrgent = { [unowned self] socket in signalUrgent(socket) }
    network.connect(
      sender: { [unowned self] in servedTask?.senderCredentials },
      caller: { [unowned self] in servedTask?.socketCredentials })
  }

  // What every trap reads is stored for this module alone, and seen by others through these: see CONTRIBUTING.

  /// How the sandbox has ended.
  package var result: WaitStatus? { outcome }
  /// Shows all system calls from now on.
  package func trace(to tracer: TraceWriter) { self.tracer = tracer }
  /// Shows a line of its own among the calls, where they are shown.
  package func noteInTrace(_ text: String) { tracer?.note(text) }

  package var physicalMemory: PhysicalMemory { services.physicalMemory }
  /// Counts what the kernel keeps for guests.
  var kernelMemory: KernelMemory { physicalMemory.kernelMemory }
  package var platform: any Platform { services.platform }
  var monotonicTime: MonotonicTime { services.monotonicTime }
  var realTime: Nanoseconds { services.realTime }
  func arm(_ timer: KernelTimer, deadline: MonotonicTime) { services.arm(timer, deadline: deadline) }
  func disarm(_ timer: KernelTimer) { services.disarm(timer) }
  var timers: TimerQueue { services.timers }

  var tasks: [ProcessID: Task] { processTable.tasks }
  var groups: [ProcessID: ThreadGroup] { processTable.groups }
  var processes: [ThreadGroup] { processTable.processes }
}
