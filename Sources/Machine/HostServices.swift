import FileSystem
import Host
import Kernel
import LinuxABI
import Memory
import Platform

/// What ties a kernel to the host: clocks, interrupts, physical memory, the platform, and the sleep of CPU threads. File
/// systems are made with it before there is a kernel. Touched only with the kernel lock held.
package final class HostServices: MachineServices {
  package let physicalMemory: PhysicalMemory
  package let platform: any Platform
  package let timers = TimerQueue()
  let interrupts: InterruptController
  let readAheadWorker: ReadAheadWorker
  /// Where the thread of each CPU sleeps.
  let wakeups: [Wakeup]

  /// - Throws: the host's error where it refuses an epoll instance or an event counter.
  package init(cpus: Int, platform: any Platform, physicalMemory: PhysicalMemory) throws(Errno) {
    self.platform = platform
    self.physicalMemory = physicalMemory
    interrupts = try InterruptController()
    readAheadWorker = ReadAheadWorker(interrupts: interrupts)
    wakeups = (0..<cpus).map { _ in Wakeup() }
  }

  // MARK: Time

  package var monotonicTime: MonotonicTime { MonotonicTime(nanoseconds: Host.monotonicTime) }
  package var realTime: Nanoseconds { Nanoseconds(rawValue: Host.realTime) }
  package func time(of clock: ClockNumber) throws(Errno) -> Timespec { try Host.time(ofClock: clock.rawValue) }
  package func resolution(of clock: ClockNumber) throws(Errno) -> Timespec {
    try Host.resolution(ofClock: clock.rawValue)
  }
  package func setAlarm(_ deadline: MonotonicTime) { interrupts.poke() }

  // MARK: Descriptors and processes

  package func watch(_ descriptor: FileDescriptor, for events: PollEvents, waking queue: WaitQueue) {
    if !interrupts.watch(descriptor, events: events, queue: queue) { queue.wake() }
  }
  package func unwatch(_ descriptor: FileDescriptor) { interrupts.remove(descriptor) }
  package func readAhead(_ descriptor: FileDescriptor, offset: UInt64, count: Int, waking queue: WaitQueue) {
    readAheadWorker.add(descriptor, offset: offset, count: count, queue: queue)
  }
  package func watchDeath(of process: any GuestProcess) -> Bool { interrupts.watchDeath(of: process) }

  // MARK: What the host tells

  package func randomBytes(count: Int) -> [UInt8] { Host.Stream.randomBytes(count: count) }
  package func auxiliaryValue(_ key: AuxiliaryKey) -> UInt64 { Host.auxiliaryValue(key) }
  package var processorInformation: [UInt8] {
    (try? Host.readSmallFile("/proc/cpuinfo", limit: 4 << 20)) ?? []
  }

  // MARK: Threads

  package func wakeCPU(_ index: Int) { wakeups[index].signal() }
  package func stopWithCaller() { Host.stopSelf() }
  package func stop() {
    interrupts.poke()
    readAheadWorker.stop()
  }

  // MARK: Interrupts

  /// Handles one report of the interrupt thread's epoll.
  func interrupt(_ event: EpollEvent, of kernel: Kernel) {
    switch interrupts.source(event.data) {
    case .poke:
      interrupts.drainPoke()
      readAheadWorker.collect()
    case .descriptor(let queue): queue.wake(PollEvents(rawValue: event.events & ~EpollFlags.all.rawValue))
    case .process(let process):
      interrupts.remove(process.deathDescriptor)
      process.noteDeath()
      kernel.endTasks(of: process)
    case .hostSignals(let descriptor):
      while let signal = Host.readSignal(descriptor) {
        kernel.hostSignalArrived(signal.number, isFromTerminal: signal.isFromKernel)
      }
    case nil: break
    }
  }
}
