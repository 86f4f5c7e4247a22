import Host
import LinuxABI
import Testing

@testable import Platform

@Suite("Faults") struct FaultTests {
  @Test(
    "A write to an unmapped page is a page fault with its address; it succeeds once the page is mapped",
    arguments: Setup.all)
  func pageFault(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.append(0x48, 0x89, 0x07)  // mov [rdi], rax
        $0.append(0x48, 0x8b, 0x1f)  // mov rbx, [rdi]
        $0.syscall()
      })
    let process = try guest.makeProcess()
    var start = TestGuest.start
    start.rdi = 0x70_0018
    start.rax = 0x1122_3344_5566
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    guard case .fault(let fault) = thread.run(on: .anywhere) else {
      Issue.record("no fault")
      return
    }
    #expect(fault.signal == .segv)
    #expect(fault.address == 0x70_0018)
    #expect(fault.trapNumber == .pageFault)
    // A tracer cannot tell a write to an unmapped page from a read.
    #expect(fault.errorCode & 2 != 0 || setup.kind == .ptrace)
    #expect(thread.registers.rip == TestGuest.code)
    process.queue(
      .mapPhysical(address: 0x70_0000, length: 4096, offset: 0x8000, protection: .read, populate: false))
    guard case .fault(let second) = thread.run(on: .anywhere) else {
      Issue.record("a read-only page was written")
      return
    }
    #expect(second.errorCode & 2 != 0)
    process.queue(.protect(address: 0x70_0000, length: 4096, protection: [.read, .write]))
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(thread.registers.rbx == 0x1122_3344_5566)
    #expect(guest.read(0x8018, as: UInt64.self) == 0x1122_3344_5566)

    process.queue(.unmap(address: 0x70_0000, length: 4096))
    thread.changeRegisters { $0.rip = TestGuest.code }
    guard case .fault(let third) = thread.run(on: .anywhere) else {
      Issue.record("the page is still mapped")
      return
    }
    #expect(third.errorCode & 1 == 0)
    process.kill()
  }

  @Test("A division by zero, an undefined instruction and a breakpoint are told apart", arguments: Setup.all)
  func exceptions(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.append(0x31, 0xc9, 0xf7, 0xf1)  // xor ecx, ecx; div ecx
        $0.append(0x0f, 0x0b)  // ud2
        $0.append(0xcc)  // int3
        $0.syscall()
      })
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    var seen: [(Signal, ProcessorException)] = []
    for length: UInt64 in [2, 2, 0] {
      guard case .fault(let fault) = thread.run(on: .anywhere) else { break }
      seen.append((fault.signal, fault.trapNumber))
      thread.changeRegisters { $0.rip &+= length }
    }
    #expect(seen.map(\.0) == [.fpe, .ill, .trap])
    #expect(seen.map(\.1) == [.divideError, .invalidOpcode, .breakpoint])
    #expect(thread.run(on: .anywhere) == .syscall)
    process.kill()
  }

  @Test("An operation that the host refuses ends the process", arguments: Setup.all)
  func refusedOperation(setup: Setup) throws {
    let guest = try TestGuest(setup, code: Code.make { $0.syscall() })
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    process.queue(
      .mapFile(address: 0x90_0000, length: 4096, file: MappableFile(number: 999), offset: 0, protection: .read))
    let watcher = DeathWatcher(process)
    #expect(thread.run(on: .anywhere) == .died(reason: .memoryOperationFailed))
    watcher.wait()
    #expect(process.isDead)
    process.kill()
  }

  @Test("A host file can be mapped", arguments: Setup.all)
  func hostFile(setup: Setup) throws {
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.append(0x48, 0x8b, 0x1f)  // mov rbx, [rdi]
        $0.syscall()
      })
    let file = try Host.makeMemoryFile(name: "mapped", size: 8192)
    let mapping = try Host.mapShared(file, length: 8192)
    unsafe mapping.base.storeBytes(of: 0x5151_5252, toByteOffset: 4096, as: UInt64.self)
    let process = try guest.makeProcess()
    let registered = try guest.platform.register(file: file)
    Host.close(file)
    process.queue(.mapFile(address: 0x90_0000, length: 4096, file: registered, offset: 4096, protection: .read))
    var start = TestGuest.start
    start.rdi = 0x90_0000
    let thread = try process.makeThread(registers: start, extendedStateOf: nil)
    #expect(thread.run(on: .anywhere) == .syscall)
    #expect(thread.registers.rbx == 0x5151_5252)
    guest.platform.unregister(registered)
    process.kill()
    mapping.unmap()
  }
}
