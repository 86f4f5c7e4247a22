import Host
import LinuxABI
import Testing

@testable import Platform

#if canImport(Glibc)
  import Glibc
#endif

private let isMeasuring = unsafe getenv("APUS_MEASURE") != nil

/// Prints what the primitives cost where APUS_MEASURE is set; checks only that they work.
@Suite("Measurements", .enabled(if: isMeasuring), .serialized) struct Measurements {
  @Test("Start, trap, operation, recycling", arguments: Setup.all)
  func measure(setup: Setup) throws {
    let cpu = Host.usableCPUs.last
    if let cpu { Host.pinCurrentThread(to: cpu) }
    let before = Host.monotonicTime
    let guest = try TestGuest(
      setup,
      code: Code.make {
        $0.syscall()
        $0.jump(to: 0)
      })
    let started = Host.monotonicTime
    let process = try guest.makeProcess()
    let made = Host.monotonicTime
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    #expect(thread.run(cpu: cpu) == .syscall)
    let ran = Host.monotonicTime
    let rounds: UInt64 = 20000
    var traps = 0
    for _ in 0..<rounds where thread.run(cpu: cpu) == .syscall { traps += 1 }
    let trapped = Host.monotonicTime
    #expect(traps == rounds)
    for round in 0..<rounds {
      process.queue(
        .mapPhysical(
          address: TestGuest.data, length: 4096, offset: 0x8000 + (round & 1) * 4096, protection: [.read, .write],
          populate: false))
      if thread.run(cpu: cpu) == .syscall { traps += 1 }
    }
    let mapped = Host.monotonicTime
    #expect(traps == rounds * 2)
    let recycled = Host.monotonicTime
    process.recycle()
    for _ in 0..<200 {
      let process = try guest.makeProcess()
      let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
      #expect(thread.run(cpu: cpu) == .syscall)
      process.recycle()
    }
    let reused = Host.monotonicTime
    for _ in 0..<200 {
      let process = try guest.makeProcess()
      let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
      #expect(thread.run(cpu: cpu) == .syscall)
      process.kill()
    }
    let forked = Host.monotonicTime
    func micros(_ from: UInt64, _ to: UInt64, _ count: UInt64 = 1) -> String {
      let tenths = (to - from) / count / 10
      return "\(tenths / 100).\(tenths % 100 < 10 ? "0" : "")\(tenths % 100)"
    }
    print(
      "\(setup): start \(micros(before, started)) first process \(micros(started, made)) "
        + "first trap \(micros(made, ran)) trap \(micros(ran, trapped, rounds)) "
        + "trap+map \(micros(trapped, mapped, rounds)) reuse \(micros(recycled, reused, 200)) "
        + "fork \(micros(reused, forked, 200)) µs; \(guest.platform.statistics)")
  }
}
