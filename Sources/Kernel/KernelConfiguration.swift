import LinuxABI
import Network

/// What a kernel is started with.
package struct KernelConfiguration: Sendable {
  package var hostName = "apus"
  /// One entry for each virtual CPU: the host CPU its thread is pinned to.
  package var cpus: [Int?] = [nil]
  /// Addresses of the interface that leads outside, and the gateways that it has there; without, there is none.
  package var networkAddresses: [NetworkInterface.Address] = []
  package var gateways: [IPAddress] = []
  /// Programs get random addresses (`randomize_va_space`).
  package var randomizesAddresses = true
  /// Most tasks at a time; further ones get `EAGAIN`.
  var maximumTasks = 4096
  /// `uname -r`.
  var release = "6.12.0-apus"
  var version = "#1 SMP PREEMPT_DYNAMIC"
  package init() {}
}

/// Counters of the kernel, for `--stats`.
package final class KernelStatistics {
  package internal(set) var traps = TrapCounts()
  /// Calls by number, and the time spent in them (collected with `collectsTimes`).
  package internal(set) var syscallCounts = [UInt64](repeating: 0, count: 512)
  package internal(set) var syscallTimes = [UInt64](repeating: 0, count: 512)
  package var collectsTimes = false
  package internal(set) var unknownSyscalls: [UInt64: UInt64] = [:]
  /// Numbers of unknown calls that are counted each for itself.
  private static let mostUnknown = 256

  /// Counts a call that Apus does not know; a guest can think of any number of them, so those beyond a limit are not kept.
  func countUnknown(_ number: UInt64) {
    if let count = unknownSyscalls[number] {
      unknownSyscalls[number] = count &+ 1
    } else if unknownSyscalls.count < KernelStatistics.mostUnknown {
      unknownSyscalls[number] = 1
    }
  }

  package struct TrapCounts {
    package internal(set) var syscalls: UInt64 = 0
    package internal(set) var foreignSyscalls: UInt64 = 0
    package internal(set) var pageFaults: UInt64 = 0
    package internal(set) var otherFaults: UInt64 = 0
    package internal(set) var preemptions: UInt64 = 0
    package internal(set) var deaths: UInt64 = 0
  }
}
