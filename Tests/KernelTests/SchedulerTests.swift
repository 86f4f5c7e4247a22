import LinuxABI
import TestSupport
import Testing

@testable import Kernel

/// Which task runs where, in virtual time.
@Suite struct SchedulerTests {
  private static let slice = Scheduler.slice
  private static let second = Nanoseconds.second

  private func fork(_ count: Int, on machine: TestMachine) throws -> [Task] {
    [machine.first] + (try (0..<count).map { _ in try machine.fork(machine.first) })
  }

  @Test func aTaskAloneIsNotDisturbed() throws {
    let machine = try TestMachine()
    let simulation = Simulation(machine) { _ in .compute(10_000_000) }
    simulation.run(for: SchedulerTests.second)
    #expect(machine.first.usage.involuntarySwitches == 0)
    #expect(machine.kernel.scheduler.switches == 1)
    #expect(machine.services.expireTimers() == nil)
  }

  @Test(arguments: [2, 3, 7]) func equalTasksGetEqualTime(count: Int) throws {
    let machine = try TestMachine()
    let tasks = try fork(count - 1, on: machine)
    let simulation = Simulation(machine) { _ in .forever }
    simulation.run(for: SchedulerTests.second * 2)
    let times = tasks.map { $0.usage.userTime + $0.usage.systemTime }
    let (least, most) = (try #require(times.min()), try #require(times.max()))
    #expect(most - least <= SchedulerTests.slice * 2)
    // Nobody but them had the CPU.
    let sum = times.reduce(Nanoseconds.zero, +)
    #expect(sum >= SchedulerTests.second * 2 - SchedulerTests.slice * UInt64(count))
  }

  @Test func aTaskThatNeverTrapsIsPreemptedWhenAnotherWaits() throws {
    let machine = try TestMachine()
    let tasks = try fork(1, on: machine)
    let simulation = Simulation(machine) { _ in .forever }
    let begin = simulation.now
    let first = try #require(simulation.task(on: 0))
    while simulation.task(on: 0) === first, simulation.step() {}
    #expect(simulation.task(on: 0) === tasks.first { $0 !== first })
    #expect(simulation.now - begin <= SchedulerTests.slice * 2)
  }

  @Test func aCallThatYieldsLetsTheOthersGoFirst() throws {
    let machine = try TestMachine()
    let tasks = try fork(2, on: machine)
    var order: [ProcessID] = []
    let simulation = Simulation(machine) { task in
      order.append(task.id)
      return .call(.sched_yield)
    }
    for _ in 0..<9 { #expect(simulation.step()) }
    #expect(Set(order.prefix(3)) == Set(tasks.map(\.id)))
    #expect(Array(order[3..<6]) == Array(order[0..<3]))
    #expect(Array(order[6..<9]) == Array(order[0..<3]))
  }

  // MARK: Nice values, policies, masks

  private func set(_ parameters: SchedulingParameters, of task: Task) {
    task.kernel.scheduler.set(parameters, of: task.scheduling, task)
  }

  @Test(arguments: [(0, 5), (0, 19), (-10, 0), (-20, 19)] as [(Int32, Int32)])
  func niceValuesDivideTheTime(_ pair: (Int32, Int32)) throws {
    let machine = try TestMachine()
    let tasks = try fork(1, on: machine)
    var parameters = SchedulingParameters()
    for (task, nice) in zip(tasks, [pair.0, pair.1]) {
      parameters.nice = nice
      set(parameters, of: task)
    }
    let simulation = Simulation(machine) { _ in .forever }
    simulation.run(for: SchedulerTests.second * 10)
    let times = tasks.map { Double(machine.kernel.times(of: $0).total.rawValue) }
    let wanted = (0..<(pair.1 - pair.0)).reduce(1.0) { ratio, _ in ratio * 1.25 }
    // Who has less than a slice in ten seconds gets one now and then all the same.
    #expect(times[0] / times[1] > min(wanted, 1000) * 0.8)
    #expect(times[0] / times[1] < wanted * 1.25)
  }

  @Test func realTimeTasksGoFirstButForAShare() throws {
    let machine = try TestMachine()
    let tasks = try fork(3, on: machine)
    for (task, priority) in zip(tasks, [10, 20, 20, 0] as [UInt32]) where priority > 0 {
      set(SchedulingParameters(policy: priority == 20 ? .roundRobin : .fifo, priority: priority), of: task)
    }
    let simulation = Simulation(machine) { _ in .forever }
    simulation.run(for: SchedulerTests.second * 10)
    let times = tasks.map { machine.kernel.times(of: $0).total }
    // The two of the highest priority share it; what is left of each second goes to the others by turns.
    #expect(times[1] > SchedulerTests.second * 4 && times[2] > SchedulerTests.second * 4)
    #expect(times[0] < SchedulerTests.second && times[3] < SchedulerTests.second)
    #expect(times[3] > .milliseconds(50))
  }

  @Test func aFIFOTaskKeepsItsCPU() throws {
    let machine = try TestMachine()
    let tasks = try fork(1, on: machine)
    for task in tasks { set(SchedulingParameters(policy: .fifo, priority: 5), of: task) }
    let simulation = Simulation(machine) { _ in .compute(1_000_000) }
    let first = try #require(simulation.task(on: 0))
    simulation.run(for: .milliseconds(500))
    #expect(simulation.task(on: 0) === first)
  }

  @Test func aTaskRunsWhereItsMaskAllows() throws {
    let machine = try TestMachine(hostCPUs: [nil, nil, nil])
    let tasks = try fork(5, on: machine)
    for task in tasks { machine.kernel.scheduler.setAffinity(1 << 1, of: task.scheduling, task) }
    var strays = 0
    let simulation = Simulation(machine) { task in
      strays += task.scheduling.cpu.index == 1 ? 0 : 1
      return .compute(500_000)
    }
    simulation.run(for: SchedulerTests.slice * 4)
    strays = 0
    simulation.run(for: SchedulerTests.second)
    simulation.verify()
    #expect(strays == 0)
    let times = tasks.map { machine.kernel.times(of: $0).total }
    #expect(times.allSatisfy { $0 > SchedulerTests.second / 8 })
  }

  @Test func idleCPUsTakeWaitingTasks() throws {
    let machine = try TestMachine(hostCPUs: [nil, nil, nil])
    let tasks = try fork(5, on: machine)
    let simulation = Simulation(machine) { _ in .forever }
    simulation.run(for: SchedulerTests.slice * 4)
    #expect((0..<3).allSatisfy { simulation.task(on: $0) != nil })
    simulation.run(for: SchedulerTests.second)
    let times = tasks.map { machine.kernel.times(of: $0).total }
    #expect(times.reduce(Nanoseconds.zero, +) >= SchedulerTests.second * 3 - SchedulerTests.slice * 10)
    #expect(times.allSatisfy { $0 > SchedulerTests.second / 5 })
  }

  @Test func boundTasksStayOnTheCPUThatTheyStartedOn() throws {
    let machine = try TestMachine(hostCPUs: [nil, nil, nil], tasksAreBound: true)
    let tasks = try fork(5, on: machine)
    let homes = tasks.map(\.scheduling.cpu.index)
    // Each CPU gets its share of new tasks.
    #expect((0..<3).allSatisfy { index in homes.count { $0 == index } == 2 })
    let simulation = Simulation(machine) { task in
      task.id.rawValue % 2 == 0 ? .forever : .call(.sched_yield, after: 50_000)
    }
    for _ in 0..<5000 {
      #expect(simulation.step())
      #expect(tasks.map(\.scheduling.cpu.index) == homes)
    }
  }

  @Test func aSleeperIsWokenInTimeAndFindsAnIdleCPU() throws {
    let machine = try TestMachine(hostCPUs: [nil, nil])
    let hog = machine.first
    let sleeper = try machine.fork(hog)
    try sleeper.memory.writeValue(GuestAddress(TestMachine.data), Timespec(nanoseconds: 20_000_000))
    var wakes: [MonotonicTime] = []
    let simulation = Simulation(machine) { [services = machine.services] task in
      if task === hog { return .forever }
      wakes.append(services.monotonicTime)
      return .call(.nanosleep, TestMachine.data, 0)
    }
    simulation.run(for: SchedulerTests.second)
    let periods = zip(wakes, wakes.dropFirst()).map { $1 - $0 }
    #expect(periods.count > 40)
    #expect(periods.dropFirst().allSatisfy { $0 >= 20_000_000 && $0 < 20_100_000 })
    #expect(hog.scheduling.cpu !== sleeper.scheduling.cpu)
  }

  @Test func aSleeperThatWakesOnABusyCPUWaitsASliceAtMost() throws {
    let machine = try TestMachine()
    let hog = machine.first
    let sleeper = try machine.fork(hog)
    try sleeper.memory.writeValue(GuestAddress(TestMachine.data), Timespec(nanoseconds: 20_000_000))
    var wakes: [MonotonicTime] = []
    let simulation = Simulation(machine) { [services = machine.services] task in
      if task === hog { return .forever }
      wakes.append(services.monotonicTime)
      return .call(.nanosleep, TestMachine.data, 0)
    }
    simulation.run(for: SchedulerTests.second)
    let periods = zip(wakes, wakes.dropFirst()).map { $1 - $0 }
    #expect(periods.count > 30)
    #expect(periods.allSatisfy { $0 < 20_100_000 + SchedulerTests.slice * 2 })
  }

  @Test func theAffinityMaskIsToldBack() throws {
    let machine = try TestMachine(hostCPUs: [nil, nil, nil])
    let task = machine.first
    #expect(try machine.call(task, .sched_getaffinity, 0, 8, TestMachine.data) == 8)
    #expect(try task.memory.readValue(GuestAddress(TestMachine.data), as: UInt64.self) == 0b111)
    try task.memory.writeValue(GuestAddress(TestMachine.data), UInt64(0xff06))
    #expect(try machine.call(task, .sched_setaffinity, 0, 8, TestMachine.data) == 0)
    #expect(try machine.call(task, .sched_getaffinity, 0, 8, TestMachine.data) == 8)
    #expect(try task.memory.readValue(GuestAddress(TestMachine.data), as: UInt64.self) == 0b110)
    try task.memory.writeValue(GuestAddress(TestMachine.data), UInt64(0xff00))
    let invalid = -Int(Errno.invalidArgument.rawValue)
    #expect(try machine.call(task, .sched_setaffinity, 0, 8, TestMachine.data) == invalid)
    // Children inherit it.
    let child = try machine.fork(task)
    #expect(try machine.call(child, .sched_getaffinity, 0, 8, TestMachine.data) == 8)
    #expect(try child.memory.readValue(GuestAddress(TestMachine.data), as: UInt64.self) == 0b110)
  }

  // MARK: Random runs

  /// Lets tasks compute, yield, sleep, wait for futexes, come and go as a seed has it.
  private func run(seed: UInt64, cpus: Int, steps: Int, isChecked: Bool) throws -> [String] {
    let machine = try TestMachine(hostCPUs: [Int?](repeating: nil, count: cpus), seed: seed)
    var random = SeededGenerator(seed: seed)
    let (time, word) = (TestMachine.data, TestMachine.data + 64)
    try machine.first.memory.writeValue(GuestAddress(time), Timespec(nanoseconds: 2_000_000))
    let simulation = Simulation(machine) { task in
      let duration = Nanoseconds(rawValue: .random(in: 1000..<400_000, using: &random))
      let futex = word + 4 * UInt64.random(in: 0..<3, using: &random)
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<4: return .compute(duration * 20)
      case 4..<7: return .call(.sched_yield, after: duration)
      case 7..<10: return .call(.nanosleep, time, 0, after: duration)
      case 10..<12 where task !== machine.first: return .call(.futex, futex, 128, 0, after: duration)
      case 12..<15: return .call(.futex, futex, 129, 2, after: duration)
      case 15 where task.kernel.tasks.count < 12: return .call(.fork, after: duration)
      case 16 where task.kernel.tasks.count < 12:
        let flags: CloneFlags = [.vm, .fs, .files, .signalHandlers, .thread]
        return .call(.clone, flags.rawValue, TestMachine.stackPointer - 0x1_0000, after: duration)
      case 17 where task.group !== task.kernel.firstGroup: return .call(.exit_group, 0, after: duration)
      case 18: return .call(.wait4, .max, 0, 1, after: duration)
      default: return .call(.getpid, after: duration)
      }
    }
    for _ in 0..<steps where simulation.step() {
      if isChecked { simulation.verify() }
    }
    return simulation.log
  }

  @Test(arguments: [(1, 1), (2, 2), (3, 4)] as [(UInt64, Int)])
  func everyTaskIsInOnePlaceAllTheTime(seed: UInt64, cpus: Int) throws {
    let log = try run(seed: seed, cpus: cpus, steps: 4000, isChecked: true)
    #expect(log.count > 4000)
  }

  @Test func theSameSeedGivesTheSameRun() throws {
    let run = try run(seed: 42, cpus: 3, steps: 8000, isChecked: false)
    #expect(try self.run(seed: 42, cpus: 3, steps: 8000, isChecked: false) == run)
    #expect(try self.run(seed: 43, cpus: 3, steps: 8000, isChecked: false) != run)
  }
}
