import LinuxABI
import Platform

/// A platform without host processes: threads run nothing, tests say what they trap with.
package final class FakePlatform: Platform, @unchecked Sendable {
  package var mappingLimit = 65530
  package private(set) var processes: [FakeProcess] = []
  package init() {}
  package var threadsAreBoundToCPUThreads: Bool { false }
  package var vdsoImage: VDSOImage? { nil }
  package func makeProcess() throws(Errno) -> any GuestProcess {
    let process = FakeProcess()
    processes.append(process)
    return process
  }
  package func register(file: FileDescriptor) throws(Errno) -> MappableFile { MappableFile(number: file.rawValue) }
  package func unregister(_ file: MappableFile) {}
  package func confirmedRelease(of process: any GuestProcess) -> UInt64 { .max }
  package var statistics: PlatformStatistics { PlatformStatistics() }
  package func shutdown() {}
}

package final class FakeProcess: GuestProcess, @unchecked Sendable {
  package let hostPID: Int32 = 1
  package let deathDescriptor: FileDescriptor
  package private(set) var isDead = false
  package private(set) var isRecycled = false

  /// `deathDescriptor` stays the caller's.
  package init(deathDescriptor: FileDescriptor = FileDescriptor(rawValue: -1)) {
    self.deathDescriptor = deathDescriptor
  }

  package func noteDeath() { isDead = true }
  package func queue(_ operation: MemoryOperation) {}
  package func releaseTicket() -> UInt64 { 1 }
  package func flush() {}
  package func makeThread(
    registers: Registers, extendedStateOf parent: (any GuestThread)?
  ) throws(Errno) -> any GuestThread { FakeThread(registers, state: parent?.extendedState()) }
  package func recycle() { isRecycled = true }
  package func kill() { isDead = true }
}

package final class FakeThread: GuestThread, @unchecked Sendable {
  package var registers: Registers
  package var state: [UInt8]
  package private(set) var preemptions = 0
  package private(set) var hasExited = false

  /// An XSAVE area as a signal frame holds it: its size is in the words that the processor leaves to software.
  package static let initialState: [UInt8] = {
    var area = [UInt8](repeating: 0, count: 580)
    area.replaceSubrange(464..<468, with: [0x53, 0x58, 0x50, 0x46])
    area.replaceSubrange(468..<472, with: [0x44, 0x02, 0, 0])
    return area
  }()

  package init(_ registers: Registers, state: [UInt8]?) {
    self.registers = registers
    self.state = state ?? FakeThread.initialState
  }

  package var waitedForAgent: Bool { false }
  package func run(on placement: Placement) -> Trap { .preempted }
  package func preempt() { preemptions += 1 }
  package func extendedState() -> [UInt8] { state }
  package func setExtendedState(_ area: [UInt8]) throws(Errno) {
    guard area.count == state.count else { throw .badAddress }
    state = area
  }
  package func resetExtendedState() { state = FakeThread.initialState }
  package func exit() { hasExited = true }
}
