import LinuxABI
import TestSupport
import Testing

@testable import Kernel

@Suite struct ProcessTests {
  let machine: TestMachine

  init() throws { machine = try TestMachine() }

  @Test func failedForkGivesItsHostProcessBack() throws {
    machine.platform.mappingLimit = 8
    #expect(try machine.call(machine.first, .fork) == -Int(Errno.noMemory.rawValue))
    #expect(machine.platform.processes.count == 2)
    #expect(machine.platform.processes.last?.isRecycled == true)
    machine.platform.mappingLimit = 65530
    _ = try machine.fork(machine.first)
  }

  @Test func everyHostProcessThatIsTakenIsWatched() throws {
    _ = try machine.fork(machine.first)
    #expect(machine.platform.processes.count == 2)
    for process in machine.platform.processes {
      #expect(machine.services.watchedProcesses.contains { $0 === process })
    }
  }

  @Test func theDeathOfAHostProcessEndsItsGuest() throws {
    let child = try machine.fork(machine.first)
    machine.kernel.endTasks(of: child.memory.process)
    machine.enter(child)
    #expect(child.group.exitStatus == .signaled(Signal.kill))
    #expect(machine.first.group.exitStatus == nil)
  }

  @Test func orphansLearnWhoseEndSignalsThem() throws {
    let child = try machine.fork(machine.first)
    let grandchild = try machine.fork(child)
    #expect(try machine.call(grandchild, .prctl, 1, UInt64(Signal.usr1)) == 0)
    try machine.block(grandchild, SignalSet(Signal.usr1))
    _ = try machine.call(child, .exit_group, 0)
    let info = try #require(grandchild.takePending(SignalSet(Signal.usr1)))
    #expect(info.pid == child.group.id)
  }
}
