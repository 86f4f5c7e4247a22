import FileSystem
import Host
import LinuxABI
import Memory
import Platform

/// The kernel of one sandbox: the root of its object graph. Everything in it is touched only with the lock of its
/// `Machine` held, and nothing in it blocks.
package final class Kernel: KernelServices {
  package let physicalMemory: PhysicalMemory
  package let platform: any Platform
  package let configuration: KernelConfiguration
  package let scheduler: Scheduler
  /// The path walk and the mounts.
  package let vfs = VFS()
  package let statistics = KernelStatistics()
  package let startTime: UInt64
  package var hostName: String
  package var domainName = "(none)"
  /// Shows system calls as they end; nil when not tracing.
  package var tracer: (any SyscallTracer)?

  let timers: TimerQueue
  let interrupts: InterruptController
  let readAheadWorker: ReadAheadWorker

  // Processes
  package internal(set) var tasks: [Int32: Task] = [:]
  package internal(set) var groups: [Int32: ThreadGroup] = [:]
  private var lastID: Int32 = 1
  private var idsWrapped = false
  /// The first process: its end is the end of the sandbox.
  package internal(set) var firstGroup: ThreadGroup?
  /// The end of the sandbox; CPU threads stop once it is set.
  package internal(set) var result: WaitStatus?
  /// Called once, with the lock held, when `result` is set.
  package var onEnd: (() -> Void)?
  /// Tells the user of an event in one line (the host's stderr).
  package var report: ((String) -> Void)?
  package internal(set) var outOfMemoryKills = 0

  package init(
    configuration: KernelConfiguration, platform: any Platform, physicalMemory: PhysicalMemory
  ) throws(Errno) {
    self.configuration = configuration
    self.platform = platform
    self.physicalMemory = physicalMemory
    hostName = configuration.hostName
    startTime = Host.monotonicTime
    interrupts = try InterruptController()
    timers = TimerQueue(interrupts: interrupts)
    readAheadWorker = ReadAheadWorker(interrupts: interrupts)
    scheduler = Scheduler(
      timers: timers, cpus: configuration.cpus.enumerated().map { CPU(index: $0.offset, hostCPU: $0.element) },
      tasksAreBound: platform.threadsAreBoundToCPUThreads)
  }

  // MARK: KernelServices

  package var monotonicTime: UInt64 { Host.monotonicTime }
  package var realTime: UInt64 { Host.realTime }
  package func arm(_ timer: KernelTimer, deadline: UInt64) { timers.arm(timer, deadline: deadline) }
  package func disarm(_ timer: KernelTimer) { timers.disarm(timer) }
  package func watch(_ descriptor: FileDescriptor, for events: PollEvents, waking queue: WaitQueue) {
    if !interrupts.watch(descriptor, events: events, queue: queue) { queue.wake() }
  }
  package func unwatch(_ descriptor: FileDescriptor) { interrupts.remove(descriptor) }
  package func readAhead(_ descriptor: FileDescriptor, offset: UInt64, count: Int, waking queue: WaitQueue) {
    readAheadWorker.add(descriptor, offset: offset, count: count, queue: queue)
  }

  /// Handles one report of the interrupt thread's epoll.
  func interrupt(_ event: HostEvent) {
    switch interrupts.source(event.token) {
    case .poke:
      interrupts.drainPoke()
      readAheadWorker.collect()
    case .descriptor(let queue): queue.wake(PollEvents(rawValue: event.events & 0x3fff))
    case .process(let process):
      interrupts.remove(process.deathDescriptor)
      process.noteDeath()
      endTasks(of: process)
    case .hostSignals(let descriptor): forwardHostSignals(from: descriptor)
    case nil: break
    }
  }

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
  package static let maximumID: Int32 = 4_194_303

  private func isSessionOrGroup(_ id: Int32) -> Bool {
    groups.values.contains { $0.processGroup == id || $0.session == id }
  }
}
