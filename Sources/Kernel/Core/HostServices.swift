import FileSystem
import Host
import LinuxABI
import Memory
import Platform

/// What ties a kernel to the host: timers, interrupts, physical memory and the platform. File systems are made with it
/// before there is a kernel. Touched only with the kernel lock held.
package final class HostServices: KernelServices {
  package let physicalMemory: PhysicalMemory
  package let platform: any Platform
  let timers: TimerQueue
  let interrupts: InterruptController
  let readAheadWorker: ReadAheadWorker

  /// - Throws: the host's error where it refuses an epoll instance or an event counter.
  package init(platform: any Platform, physicalMemory: PhysicalMemory) throws(Errno) {
    self.platform = platform
    self.physicalMemory = physicalMemory
    interrupts = try InterruptController()
    timers = TimerQueue(interrupts: interrupts)
    readAheadWorker = ReadAheadWorker(interrupts: interrupts)
  }

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
}
