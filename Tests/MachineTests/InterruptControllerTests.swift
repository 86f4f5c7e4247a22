import FileSystem
import Host
import LinuxABI
import TestSupport
import Testing

@testable import Machine

/// What the interrupt thread watches.
@Suite struct InterruptControllerTests {
  @Test func hostProcessesStayWatchedUntilTheyDie() throws {
    let interrupts = try InterruptController()
    let counter = try Host.makeEventCounter()
    defer { try? counter.close() }
    let process = FakeProcess(platform: FakePlatform(), deathDescriptor: counter)
    #expect(interrupts.watchDeath(of: process))
    // The host process is used again: its next tenant dies with it.
    #expect(interrupts.watchDeath(of: process))
    Host.signal(counter)
    var events = [EpollEvent](repeating: EpollEvent(), count: 4)
    #expect(try Host.wait(interrupts.epoll, into: &events, deadline: nil) == 1)
    guard case .process(let dead)? = interrupts.source(events[0].data) else {
      Issue.record("the report is not that of the process")
      return
    }
    #expect(dead === process)
    // What took its number may be watched anew.
    interrupts.remove(process.deathDescriptor)
    #expect(interrupts.watchDeath(of: process))
  }

  @Test func aPokeEndsTheWait() throws {
    let interrupts = try InterruptController()
    interrupts.poke()
    var events = [EpollEvent](repeating: EpollEvent(), count: 4)
    #expect(try Host.wait(interrupts.epoll, into: &events, deadline: nil) == 1)
    guard case .poke? = interrupts.source(events[0].data) else {
      Issue.record("the report is not that of the poke")
      return
    }
    interrupts.drainPoke()
    #expect(try Host.wait(interrupts.epoll, into: &events, deadline: 0) == 0)
  }
}
