import FileSystem
import LinuxABI
import Platform

/// The machine below a kernel, as the kernel sees it: all that reaches it from the host, and all it asks of host threads,
/// goes through here. Tests give it a machine whose time they turn by hand.
///
/// All calls are made with the kernel lock held, and none blocks but `stopWithCaller`.
package protocol MachineServices: KernelServices {
  /// The armed timers. The machine calls `Kernel.serveInterrupts` at the deadlines that the queue names.
  var timers: TimerQueue { get }
  /// Has the machine call `Kernel.serveInterrupts` at this time (CLOCK_MONOTONIC), earlier than it would.
  func setAlarm(_ deadline: MonotonicTime)
  /// Has CPU `index` ask for its next step, where it sleeps or is about to.
  func wakeCPU(_ index: Int)
  /// Calls `Kernel.endTasks(of:)` once the host process has died; false where the host has no room for the watch.
  /// A process that is watched already stays so.
  func watchDeath(of process: any GuestProcess) -> Bool
  /// clock_getres(2) of a clock of the host.
  func resolution(of clock: ClockNumber) throws(Errno) -> Timespec
  /// A value of Apus's own auxiliary vector (getauxval(3)); 0 where it has none.
  func auxiliaryValue(_ key: AuxiliaryKey) -> UInt64
  /// The host's `/proc/cpuinfo`; empty where it can't be read.
  var processorInformation: [UInt8] { get }
  /// Stops Apus as SIGTSTP does, until the caller's shell continues it. Returns at once where nobody would.
  func stopWithCaller()
  /// The sandbox has ended: the machine's threads return.
  func stop()
}

extension MachineServices {
  package func arm(_ timer: KernelTimer, deadline: MonotonicTime) {
    if timers.arm(timer, deadline: deadline) { setAlarm(deadline) }
  }
  package func disarm(_ timer: KernelTimer) { timers.disarm(timer) }
}
