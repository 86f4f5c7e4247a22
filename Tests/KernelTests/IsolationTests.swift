import Glibc
import LinuxABI
import TestSupport
import Testing

@testable import Kernel

/// The kernel alone needs nothing of the host.
@Suite struct IsolationTests {
  /// In a process of its own, which the host gives no descriptor any more.
  @Test func aKernelOpensNoHostDescriptor() async {
    await #expect(processExitsWith: .success) {
      var limit = rlimit()
      try #require(unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      limit.rlim_cur = 0
      try #require(unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      #expect(throws: Errno.tooManyOpenFiles) { try unsafe FileDescriptor.open("/dev/null", .readOnly) }
      let machine = try TestMachine(hostCPUs: [nil, nil])
      _ = try machine.fork(machine.first)
      try machine.first.memory.writeValue(GuestAddress(TestMachine.data), Timespec(seconds: 3600, nanoseconds: 0))
      let simulation = Simulation(machine) { task in
        task === machine.first ? .call(.nanosleep, TestMachine.data, 0) : .call(.sched_yield, after: 1_000_000_000)
      }
      // Hours go by.
      let begin = simulation.now
      simulation.run(for: .second * (5 * 3600))
      try #require(simulation.now - begin >= .second * (5 * 3600))
    }
  }
}
