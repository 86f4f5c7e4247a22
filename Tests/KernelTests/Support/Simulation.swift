import LinuxABI
import Platform
import TestSupport
import Testing

@testable import Kernel

/// Runs the CPUs of a `TestMachine` in virtual time: each guest computes for a while and then traps, timers expire when
/// they are due, CPUs sleep until they are woken. The same behaviour gives the same run.
final class Simulation {
  /// What a guest does until its next trap.
  struct Action {
    /// How long it computes before.
    var duration: Nanoseconds
    /// Then it makes this call; without, it goes on.
    var call: (number: SyscallNumber, arguments: [UInt64])?

    static let forever = Action(duration: .forever / 4)
    static func compute(_ duration: Nanoseconds) -> Action { Action(duration: duration) }
    static func call(_ number: SyscallNumber, _ arguments: UInt64..., after duration: Nanoseconds = 1000) -> Action {
      Action(duration: duration, call: (number, arguments))
    }
  }

  /// A CPU that is in the guest.
  private struct Visit {
    let task: Task
    let thread: FakeThread
    let preemptions: Int
    let action: Action
    var end: MonotonicTime
  }

  let machine: TestMachine
  private let behaviour: (Task) -> Action
  private var visits: [Visit?]
  private var wakesSeen = 0
  /// What happened, a line for each event.
  private(set) var log: [String] = []
  /// How long the kernel works on a trap.
  private let kernelTime: Nanoseconds = 500

  private var kernel: Kernel { machine.kernel }
  var now: MonotonicTime { machine.services.monotonicTime }

  init(_ machine: TestMachine, behaviour: @escaping (Task) -> Action) {
    self.machine = machine
    self.behaviour = behaviour
    visits = machine.kernel.scheduler.cpus.map { _ in nil }
    for index in visits.indices { enter(index, kernel.nextStep(onCPU: index)) }
  }

  /// The task that a CPU runs in the guest.
  func task(on index: Int) -> Task? { visits[index]?.task }

  private func enter(_ index: Int, _ step: CPUStep) {
    visits[index] = nil
    var step = step
    while case .again = step { step = kernel.nextStep(onCPU: index) }
    guard case .run(let thread, _) = step, let thread = thread as? FakeThread,
      let task = kernel.scheduler.cpus[index].current
    else {
      log.append("\(now.sinceBoot.rawValue) cpu \(index) sleeps")
      return
    }
    let action = behaviour(task)
    log.append("\(now.sinceBoot.rawValue) cpu \(index) runs \(task.id)")
    visits[index] = Visit(
      task: task, thread: thread, preemptions: thread.preemptions, action: action, end: now + action.duration)
  }

  /// Goes on to the next event; false where nothing will ever happen.
  func step() -> Bool {
    let woken = machine.services.wokenCPUs
    if wakesSeen < woken.count {
      let index = woken[wakesSeen]
      wakesSeen += 1
      if visits[index] == nil { enter(index, kernel.nextStep(onCPU: index)) }
      return true
    }
    for index in visits.indices {
      guard let visit = visits[index], visit.thread.preemptions != visit.preemptions else { continue }
      log.append("\(now.sinceBoot.rawValue) cpu \(index) preempted")
      trap(index, visit, .preempted)
      return true
    }
    let timer = machine.services.expireTimers()
    if wakesSeen < machine.services.wokenCPUs.count { return true }
    let next = visits.indices.min { (visits[$0]?.end ?? .never) < (visits[$1]?.end ?? .never) } ?? 0
    let end = visits[next]?.end ?? .never
    guard min(end, timer ?? .never) != .never else { return false }
    if let timer, timer < end {
      machine.services.elapse(timer - now)
      machine.services.expireTimers()
      return true
    }
    guard let visit = visits[next] else { return false }
    machine.services.elapse(end - now)
    if let call = visit.action.call {
      var registers = visit.task.thread.registers
      registers.rax = UInt64(call.number.rawValue)
      let words = call.arguments + [UInt64](repeating: 0, count: 6 - call.arguments.count)
      (registers.rdi, registers.rsi, registers.rdx) = (words[0], words[1], words[2])
      (registers.r10, registers.r8, registers.r9) = (words[3], words[4], words[5])
      visit.task.thread.setRegisters(registers)
      log.append("\(now.sinceBoot.rawValue) \(visit.task.id) \(call.number)")
      trap(next, visit, .syscall)
    } else {
      trap(next, visit, .preempted)
    }
    return true
  }

  private func trap(_ index: Int, _ visit: Visit, _ trap: Trap) {
    let time = now
    machine.services.elapse(kernelTime)
    enter(index, kernel.nextStep(onCPU: index, after: trap, at: time))
  }

  /// Runs until a time from now has passed, or nothing happens any more.
  func run(for duration: Nanoseconds) {
    let end = now + duration
    while now < end, step() {}
  }

  /// Checks what holds between any two events: every runnable task is in one place, and no CPU sleeps over its queue.
  func verify() {
    var places: [ProcessID: Int] = [:]
    for cpu in kernel.scheduler.cpus {
      for task in cpu.queue {
        places[task.id, default: 0] += 1
        #expect(task.scheduling.isQueued && task.scheduling.cpu === cpu)
      }
      if let current = cpu.current { places[current.id, default: 0] += 1 }
      let isWoken = machine.services.wokenCPUs[wakesSeen...].contains(cpu.index)
      if cpu.isIdle { #expect(cpu.current == nil && (cpu.queue.isEmpty || isWoken)) }
    }
    for task in kernel.tasks.values {
      #expect(places[task.id, default: 0] == (task.state == .runnable ? 1 : 0), "task \(task.id) is \(task.state)")
    }
  }
}
