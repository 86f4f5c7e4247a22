import LinuxABI
import Platform
import TestSupport
import Testing

@testable import Kernel

/// Guest code on a host CPU of its own.
@Suite struct BorrowingTests {
  private let machine: TestMachine
  private var task: Task { machine.first }
  private var scheduler: Scheduler { machine.kernel.scheduler }
  private var cpus: [CPU] { scheduler.cpus }
  private let apart = Placement(cpu: 4, guestCPU: 6)
  private let together = Placement(cpu: 4)

  init() throws {
    machine = try TestMachine(hostCPUs: [4, 6])
    // The other CPU finds nothing to do.
    _ = machine.kernel.nextStep(on: cpus[1])
    #expect(cpus[1].isIdle)
    machine.enter(task)
    task.scheduling.pace = TrapPace()
  }

  /// Where the task goes on after waits of that length.
  private func placement(after count: Int, waitsOf time: Nanoseconds) -> Placement {
    for _ in 0..<count { task.scheduling.pace.note(wait: time) }
    scheduler.adaptPlacement(of: cpus[0], running: task)
    return cpus[0].placement
  }

  @Test func aTaskThatTrapsInQuickSuccessionGetsAnIdleCPU() {
    #expect(placement(after: 60, waitsOf: 1000) == together)
    #expect(placement(after: 10, waitsOf: 1000) == apart)
    #expect(scheduler.borrowings == 1)
  }

  @Test func aVforkChildGetsItEarlyUntilItExecutesAProgram() throws {
    _ = try machine.call(task, .vfork)
    let child = try #require(machine.kernel.tasks.values.first { $0.vforkParent === task })
    task.scheduling.pace = child.scheduling.pace
    #expect(placement(after: 10, waitsOf: 1000) == apart)
    scheduler.restartPace(of: task)
    #expect(cpus[0].placement == together)
    #expect(placement(after: 60, waitsOf: 1000) == together)
  }

  @Test func longWaitsEndIt() {
    #expect(placement(after: 100, waitsOf: 1000) == apart)
    #expect(placement(after: 9, waitsOf: 1_000_000) == apart)
    #expect(placement(after: 1, waitsOf: 1_000_000) == together)
    // Now it takes more to begin again.
    #expect(placement(after: 100, waitsOf: 1000) == together)
    #expect(placement(after: 100, waitsOf: 1000) == apart)
  }

  @Test func waitsOfTheKernelAloneEndIt() {
    #expect(placement(after: 100, waitsOf: 1000) == apart)
    // A guest that sleeps on its CPU is slow to wake; the kernel that it waits for is not.
    for _ in 0..<11 {
      task.scheduling.pace.note(wait: 60_000)
      task.scheduling.pace.note(wait: 1000)
    }
    #expect(placement(after: 0, waitsOf: 0) == together)
  }

  @Test func memoryOperationsEndIt() {
    #expect(placement(after: 100, waitsOf: 1000) == apart)
    for _ in 0..<70 { task.scheduling.pace.noteAgent() }
    #expect(placement(after: 0, waitsOf: 0) == together)
  }

  @Test func workForTheIdleCPUEndsIt() throws {
    let other = try machine.fork(task)
    machine.enter(task)
    #expect(placement(after: 100, waitsOf: 1000) == apart)
    let thread = try #require(task.thread as? FakeThread)
    let preemptions = thread.preemptions
    cpus[0].take(other)
    other.scheduling.cpu = cpus[1]
    scheduler.enqueue(other)
    #expect(cpus[0].placement == together)
    #expect(cpus[1].borrower == nil)
    #expect(thread.preemptions == preemptions + 1)
  }

  @Test func aTaskThatWaitsGivesTheCPUBack() throws {
    #expect(placement(after: 100, waitsOf: 1000) == apart)
    #expect(try machine.call(task, .pause) == nil)
    #expect(cpus[0].borrowed == nil)
    #expect(cpus[1].borrower == nil)
  }

  @Test func busyCPUsAreNotBorrowed() throws {
    cpus[1].isIdle = false
    #expect(placement(after: 100, waitsOf: 1000) == together)
  }

  @Test func virtualCPUsThatShareAHostCPUDoNotBorrow() throws {
    let machine = try TestMachine(hostCPUs: [4, 6, 4])
    #expect(!machine.kernel.scheduler.canBorrow)
    let unpinned = try TestMachine(hostCPUs: [nil, nil])
    #expect(!unpinned.kernel.scheduler.canBorrow)
  }
}
