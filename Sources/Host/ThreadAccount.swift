import LinuxABI

/// What the host says of a thread at one moment (proc(5), `/proc/PID/task/TID/stat` and `schedstat`).
package struct ThreadAccount: Sendable {
  /// `R` running or waiting for a CPU, `S` asleep, `D` in uninterruptible sleep, `T` stopped, `t` stopped by a tracer, …
  package let state: UInt8
  /// The CPU time it has used, nanoseconds.
  package let processorTime: UInt64
  /// Signals 1 to 31 that wait for this thread alone, and that it blocks.
  package let pendingSignals: SignalSet
  package let blockedSignals: SignalSet

  package var isAsleep: Bool { state == UInt8(ascii: "S") }
  package var isRunning: Bool { state == UInt8(ascii: "R") }
}

extension Host {
  /// Asks the host about a thread; nil once it has ended.
  package static func account(of thread: Int32, in process: Int32) -> ThreadAccount? {
    let folder = "/proc/\(process)/task/\(thread)/"
    // The name in field 2 is ours, without blanks.
    guard let stat = try? readSmallFile(folder + "stat", limit: 1024) else { return nil }
    let fields = stat.split(separator: UInt8(ascii: " "), maxSplits: 33)
    guard fields.count > 32, let state = fields[2].first else { return nil }
    let time: UInt64
    if let schedule = try? readSmallFile(folder + "schedstat", limit: 128) {
      time = decimal(schedule.prefix { $0 != UInt8(ascii: " ") })
    } else {
      // Hosts without scheduler statistics count in ticks of 1/100 s.
      time = (decimal(fields[13]) &+ decimal(fields[14])) &* 10_000_000
    }
    return ThreadAccount(
      state: state, processorTime: time, pendingSignals: SignalSet(rawValue: decimal(fields[30])),
      blockedSignals: SignalSet(rawValue: decimal(fields[31])))
  }

  private static func decimal(_ digits: ArraySlice<UInt8>) -> UInt64 {
    digits.reduce(0) { $0 &* 10 &+ UInt64($1 &- UInt8(ascii: "0")) }
  }

  /// The CPU time that all threads of a process have used, nanoseconds (clock_getcpuclockid(3)); nil once it has ended.
  package static func processorTime(ofProcess process: Int32) -> UInt64? {
    guard let time = try? Host.time(ofClock: ~process << 3 | 2) else { return nil }
    return UInt64(clamping: time.seconds) &* 1_000_000_000 &+ UInt64(clamping: time.nanoseconds)
  }
}
