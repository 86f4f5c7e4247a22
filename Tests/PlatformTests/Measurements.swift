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
  @Test("A trap, both sides spinning on their own CPUs")
  func spinning() throws {
    let cpus = Host.usableCPUs
    guard let own = cpus.first, let other = cpus.last, own != other else { return }
    Host.pin(to: own)
    let guest = try TestGuest(
      Setup(kind: .seccomp, trusted: false),
      code: Code.make {
        $0.syscall()
        $0.jump(to: 0)
      })
    let process = try guest.makeProcess()
    let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
    var best = UInt64.max
    for _ in 0..<400 {
      let first = Host.monotonicTime
      for _ in 0..<50 { #expect(thread.run(on: Placement(cpu: own, guestCPU: other)) == .syscall) }
      best = min(best, Host.monotonicTime - first)
    }
    print("spinning: trap \(best / 50) ns")
    process.kill()
  }

  @Test("Start, trap, operation, recycling", arguments: Setup.all)
  func measure(setup: Setup) throws {
    let cpu = Host.usableCPUs.last
    if let cpu { Host.pin(to: cpu) }
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
    #expect(thread.run(on: Placement(cpu: cpu)) == .syscall)
    let ran = Host.monotonicTime
    // The best of many short batches: a busy host disturbs only some of them.
    var traps = 0
    var trapTime = UInt64.max
    var mapTime = UInt64.max
    for _ in 0..<400 {
      let first = Host.monotonicTime
      for _ in 0..<50 where thread.run(on: Placement(cpu: cpu)) == .syscall { traps += 1 }
      let second = Host.monotonicTime
      for round in 0..<50 {
        process.queue(
          .mapPhysical(
            address: GuestAddress(TestGuest.data), length: 4096, offset: 0x8000 + UInt64(round & 1) * 4096,
            protection: [.read, .write], populate: false))
        if thread.run(on: Placement(cpu: cpu)) == .syscall { traps += 1 }
      }
      trapTime = min(trapTime, second - first)
      mapTime = min(mapTime, Host.monotonicTime - second)
    }
    #expect(traps == 40000)
    let recycled = Host.monotonicTime
    process.recycle()
    for _ in 0..<200 {
      let process = try guest.makeProcess()
      let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
      #expect(thread.run(on: Placement(cpu: cpu)) == .syscall)
      process.recycle()
    }
    let reused = Host.monotonicTime
    for _ in 0..<200 {
      let process = try guest.makeProcess()
      let thread = try process.makeThread(registers: TestGuest.start, extendedStateOf: nil)
      #expect(thread.run(on: Placement(cpu: cpu)) == .syscall)
      process.kill()
    }
    let forked = Host.monotonicTime
    func micros(_ from: UInt64, _ to: UInt64, _ count: UInt64 = 1) -> String {
      let tenths = (to - from) / count / 10
      return "\(tenths / 100).\(tenths % 100 < 10 ? "0" : "")\(tenths % 100)"
    }
    print(
      "\(setup): start \(micros(before, started)) first process \(micros(started, made)) "
        + "first trap \(micros(made, ran)) trap \(micros(0, trapTime, 50)) "
        + "trap+map \(micros(0, mapTime, 50)) reuse \(micros(recycled, reused, 200)) "
        + "fork \(micros(reused, forked, 200)) µs; \(guest.platform.statistics)")
  }
}
