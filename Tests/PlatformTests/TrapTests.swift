import Host
import LinuxABI
import Testing

@testable import Platform

@Suite("Traps") struct TrapTests {
  @Test("A system call traps with all registers, and the thread goes on with what Apus sets", arguments: Setup.all)
  func systemCall(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.syscall()
        $0.syscall()
      })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rax = 39
    start.rdi = 1
    start.rsi = 2
    start.rdx = 3
    start.r10 = 4
    start.r8 = 5
    start.r9 = 6
    start.rbx = 7
    start.rbp = 8
    start.r12 = 9
    start.r13 = 10
    start.r14 = 11
    start.r15 = 12
    start.fsBase = 0x1234_5000
    start.gsBase = 0x4321_0000
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    var expected = start
    expected.rip = TestGuest.code + 2
    expected.rcx = thread.registers.rcx
    expected.r11 = thread.registers.r11
    expected.rflags = thread.registers.rflags
    #expect(thread.registers == expected)

    thread.changeRegisters {
      $0.rax = 60
      $0.rdi = 77
      $0.fsBase = 0x9000
    }
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(thread.registers.rip == TestGuest.code + 4)
    #expect(thread.registers.rax == 60)
    #expect(thread.registers.rdi == 77)
    #expect(thread.registers.fsBase == 0x9000)
    #expect(thread.registers.r15 == 12)
    process.kill()
  }
}
