/// Counters of the kernel, for `--stats`. Every trap counts in them: their storage is this module's alone.
package final class KernelStatistics {
  var traps = TrapCounts()
  /// Calls by number.
  var syscallCounts = InlineArray<512, UInt64>(repeating: 0)
  /// The time spent in them, in nanoseconds (collected with `collectsTimes`).
  var syscallTimes = InlineArray<512, UInt64>(repeating: 0)
  package let collectsTimes: Bool
  /// How often calls were made that Apus does not know.
  package private(set) var unknownSyscalls: [UInt64: UInt64] = [:]
  /// Numbers of unknown calls that are counted each for itself.
  private static let mostUnknown = 256

  init(collectsTimes: Bool) { self.collectsTimes = collectsTimes }

  package var trapCounts: TrapCounts { traps }

  /// The calls that were made, with their time in nanoseconds.
  package var syscalls: [(number: Int, count: UInt64, time: UInt64)] {
    syscallCounts.indices.compactMap { syscallCounts[$0] > 0 ? ($0, syscallCounts[$0], syscallTimes[$0]) : nil }
  }

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
