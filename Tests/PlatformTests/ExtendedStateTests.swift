import Host
import LinuxABI
import Testing

@testable import Platform

@Suite("Extended state") struct ExtendedStateTests {
  /// Moves xmm3 to memory, loads xmm3 from memory, traps in between.
  private static let code = Code.make {
    $0.append(0x0f, 0x11, 0x1f)  // movups [rdi], xmm3
    $0.syscall()
    $0.append(0x0f, 0x10, 0x1e)  // movups xmm3, [rsi]
    $0.append(0xd9, 0xee)  // fldz
    $0.syscall()
  }

  @Test("The state is seen, replaced, kept over traps, inherited and reset", arguments: Setup.all)
  func lifeCycle(setup: Setup) throws {
    let guest = try TestGuest(setup, code: ExtendedStateTests.code)
    let process = try guest.makeProcess()
    let data = Int(TestGuest.dataOffset)
    guest.write([UInt8](0..<16), at: data + 64)
    var start = TestGuest.start
    start.rdi = TestGuest.data
    start.rsi = TestGuest.data + 64
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(guest.read(data, as: UInt64.self) == 0)
    #expect(thread.run(on: .anywhere) == .syscall)
    var state = thread.extendedState()
    // xmm0 begins at byte 160 of the area.
    #expect(Array(state[160 + 48..<160 + 64]) == [UInt8](0..<16))

    // Kept.
    thread.changeRegisters { $0.rip = TestGuest.code }
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(guest.read(data + 8, as: UInt64.self) == 0x0f0e_0d0c_0b0a_0908)

    // Inherited by a thread of another process.
    let child = try guest.makeProcess()
    let childThread = try child.makeThread(registers: start, extendedStateOf: thread)
    guest.write([UInt8](repeating: 0, count: 16), at: data)
    #expect(childThread.run(on: .anywhere) == .syscall)
    #expect(guest.read(data + 8, as: UInt64.self) == 0x0f0e_0d0c_0b0a_0908)
    child.kill()

    // Replaced.
    state[160 + 48] = 0x77
    try thread.setExtendedState(state)
    #expect(thread.extendedState()[160 + 48] == 0x77)
    thread.changeRegisters { $0.rip = TestGuest.code }
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(guest.read(data, as: UInt8.self) == 0x77)

    // Reset.
    thread.resetExtendedState()
    thread.changeRegisters { $0.rip = TestGuest.code }
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(guest.read(data, as: UInt64.self) == 0)
    #expect(guest.read(data + 8, as: UInt64.self) == 0)
    process.kill()
  }

  @Test("A hostile area is made harmless", arguments: Setup.all)
  func hostileArea(setup: Setup) throws {
    let guest = try TestGuest(setup, code: ExtendedStateTests.code)
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = TestGuest.data
    start.rsi = TestGuest.data + 64
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    var state = thread.extendedState()
    // Reserved bits of MXCSR, components that do not exist, a compacted format.
    for index in 24..<28 { state[index] = 0xff }
    for index in 512..<576 { state[index] = 0xff }
    try thread.setExtendedState(state)
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(throws: Errno.badAddress) { try thread.setExtendedState([UInt8](repeating: 0, count: 100)) }
    try thread.setExtendedState([UInt8](repeating: 0xff, count: 512))
    thread.changeRegisters { $0.rip = TestGuest.code }
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(guest.read(Int(TestGuest.dataOffset), as: UInt64.self) == .max)
    process.kill()
  }
}
