import LinuxABI
import TestSupport
import Testing

@testable import FileSystem

@Suite struct EventFileTests {
  @Test func readTakesTheWholeCounter() throws {
    let file = EventFile(initial: 3, isSemaphore: false, flags: [])
    #expect(try file.write(bytes(of: 4)) == 8)
    #expect(try file.read(8) == bytes(of: 7))
    #expect(throws: Errno.wouldBlock) { try file.read(8) }
    #expect(throws: Errno.invalidArgument) { try file.read(7) }
  }

  @Test func semaphoreGivesOneAtATime() throws {
    let file = EventFile(initial: 2, isSemaphore: true, flags: [])
    #expect(try file.read(8) == bytes(of: 1))
    #expect(try file.read(8) == bytes(of: 1))
    #expect(throws: Errno.wouldBlock) { try file.read(8) }
  }

  @Test func counterDoesNotOverflow() throws {
    let file = EventFile(initial: 0, isSemaphore: false, flags: [])
    #expect(throws: Errno.invalidArgument) { try file.write(bytes(of: .max)) }
    _ = try file.write(bytes(of: .max - 1))
    #expect(throws: Errno.wouldBlock) { try file.write(bytes(of: 1)) }
    #expect(file.readiness() == .readable)
  }
}

@Suite struct TimerFileTests {
  let services: TestServices
  init() throws { services = try TestServices() }

  static func setting(_ value: Int64, interval: Int64 = 0) -> TimerSetting {
    TimerSetting(interval: Timespec(nanoseconds: interval), value: Timespec(nanoseconds: value))
  }

  @Test func expiresOnceAndWakes() throws {
    let file = TimerFile(clock: .monotonic, flags: [], services: services)
    _ = try file.set(TimerFileTests.setting(1000), isAbsolute: false)
    let waiter = CountingWaiter()
    file.waitQueue?.add(waiter)
    services.advance(by: 999)
    #expect(throws: Errno.wouldBlock) { try file.read(8) }
    #expect(file.current.value.nanoseconds == 1)
    services.advance(by: 1)
    #expect(waiter.count == 1)
    #expect(try file.read(8) == bytes(of: 1))
    #expect(file.current == TimerSetting())
    #expect(services.expireTimers() == nil)
  }

  @Test func countsMissedExpirations() throws {
    let file = TimerFile(clock: .monotonic, flags: [], services: services)
    _ = try file.set(TimerFileTests.setting(100, interval: 100), isAbsolute: false)
    services.advance(by: 550)
    #expect(try file.read(8) == bytes(of: 5))
    #expect(throws: Errno.wouldBlock) { try file.read(8) }
    services.advance(by: 50)
    #expect(try file.read(8) == bytes(of: 1))
    let old = try file.set(TimerSetting(), isAbsolute: false)
    #expect(old == TimerFileTests.setting(100, interval: 100))
  }

  @Test func absoluteTimesOfTheRealTimeClock() throws {
    let file = TimerFile(clock: .realTime, flags: [], services: services)
    _ = try file.set(TimerFileTests.setting(Int64(services.realTime.rawValue) + 500), isAbsolute: true)
    services.advance(by: 499)
    #expect(file.readiness() == [])
    services.advance(by: 1)
    #expect(file.readiness() == .readable)
    _ = try file.set(TimerFileTests.setting(1), isAbsolute: true)
    #expect(file.readiness() == .readable)
  }

  @Test func invalidTimesAreRefused() throws {
    let file = TimerFile(clock: .monotonic, flags: [], services: services)
    var bad = TimerSetting()
    bad.value.nanoseconds = 1_000_000_000
    #expect(throws: Errno.invalidArgument) { try file.set(bad, isAbsolute: false) }
  }
}

/// The bytes of a 64-bit value, as event files read and write it.
private func bytes(of value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
