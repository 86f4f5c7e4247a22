import LinuxABI
import Platform

/// A guest thread that runs nothing.
package final class FakeThread: GuestThread, @unchecked Sendable {
  package private(set) var registers: Registers
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

  package func setRegisters(_ registers: Registers) { self.registers = registers }
  package func setResult(_ value: UInt64) { registers.rax = value }
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
