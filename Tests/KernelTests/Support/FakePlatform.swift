import Host
import LinuxABI
import Platform

/// A platform without host processes: threads run nothing, tests say what they trap with.
final class FakePlatform: Platform, @unchecked Sendable {
  var mappingLimit = 65530
  private(set) var processes: [FakeProcess] = []
  var threadsAreBoundToCPUThreads: Bool { false }
  var vdsoImage: VDSOImage? { nil }
  func makeProcess() throws(Errno) -> any GuestProcess {
    let process = try FakeProcess()
    processes.append(process)
    return process
  }
  func register(file: FileDescriptor) throws(Errno) -> MappableFile { MappableFile(number: file.rawValue) }
  func unregister(_ file: MappableFile) {}
  func confirmedRelease(of process: any GuestProcess) -> UInt64 { .max }
  var statistics: PlatformStatistics { PlatformStatistics() }
  func shutdown() {}
}

final class FakeProcess: GuestProcess, @unchecked Sendable {
  let hostPID: Int32 = 1
  let deathDescriptor: FileDescriptor
  private(set) var isDead = false
  private(set) var isRecycled = false

  init() throws(Errno) { deathDescriptor = try Host.makeEventCounter() }
  deinit { try? deathDescriptor.close() }

  func noteDeath() { isDead = true }
  func queue(_ operation: MemoryOperation) {}
  func releaseTicket() -> UInt64 { 1 }
  func flush() {}
  func makeThread(
    registers: Registers, extendedStateOf parent: (any GuestThread)?
  ) throws(Errno) -> any GuestThread { FakeThread(registers, state: parent?.extendedState()) }
  func recycle() { isRecycled = true }
  func kill() { isDead = true }
}

final class FakeThread: GuestThread, @unchecked Sendable {
  var registers: Registers
  var state: [UInt8]
  private(set) var preemptions = 0
  private(set) var hasExited = false

  /// An XSAVE area as a signal frame holds it: its size is in the words that the processor leaves to software.
  static let initialState: [UInt8] = {
    var area = [UInt8](repeating: 0, count: 580)
    area.replaceSubrange(464..<468, with: [0x53, 0x58, 0x50, 0x46])
    area.replaceSubrange(468..<472, with: [0x44, 0x02, 0, 0])
    return area
  }()

  init(_ registers: Registers, state: [UInt8]?) {
    self.registers = registers
    self.state = state ?? FakeThread.initialState
  }

  var waitedForAgent: Bool { false }
  func run(on placement: Placement) -> Trap { .preempted }
  func preempt() { preemptions += 1 }
  func extendedState() -> [UInt8] { state }
  func setExtendedState(_ area: [UInt8]) throws(Errno) {
    guard area.count == state.count else { throw .badAddress }
    state = area
  }
  func resetExtendedState() { state = FakeThread.initialState }
  func exit() { hasExited = true }
}
