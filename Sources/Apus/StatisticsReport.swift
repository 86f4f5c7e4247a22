/// The two forms in which statistics are shown.
extension SandboxStatistics {
  private var rows: [(name: String, key: String, value: Double, unit: String)] {
    [
      ("traps", "traps", Double(traps.total), ""),
      ("  system calls", "traps_syscalls", Double(traps.syscalls), ""),
      ("  calls through other entries", "traps_foreign_syscalls", Double(traps.foreignSyscalls), ""),
      ("  page faults", "traps_page_faults", Double(traps.pageFaults), ""),
      ("  other faults", "traps_other_faults", Double(traps.otherFaults), ""),
      ("  preemptions", "traps_preemptions", Double(traps.preemptions), ""),
      ("  deaths of host processes", "traps_deaths", Double(traps.deaths), ""),
      ("context switches", "context_switches", Double(contextSwitches), ""),
      ("  per page fault", "context_switches_per_page_fault", switchesPerPageFault, ""),
      ("flushes of memory operations", "flushes", Double(flushes), ""),
      ("  memory operations", "memory_operations", Double(memoryOperations), ""),
      ("  operations per flush", "memory_operations_per_flush", operationsPerFlush, ""),
      ("task switches", "task_switches", Double(taskSwitches), ""),
      ("idle CPUs borrowed for guest code", "borrowed_cpus", Double(borrowedCPUs), ""),
      ("host processes created", "host_processes_created", Double(hostProcessesCreated), ""),
      ("host processes reused", "host_processes_reused", Double(hostProcessesReused), ""),
      ("host threads created", "host_threads_created", Double(hostThreadsCreated), ""),
      ("host threads reused", "host_threads_reused", Double(hostThreadsReused), ""),
      ("out-of-memory kills", "out_of_memory_kills", Double(outOfMemoryKills), ""),
      ("peak guest memory", "peak_memory_kib", Double(peakMemory >> 10), " KiB"),
      ("elapsed", "elapsed_ms", Double(elapsed) / 1e6, " ms"),
    ]
  }

  /// A table for people, with a line break at its end.
  public var table: String {
    var text = ""
    for row in rows {
      text += "\(row.name.padded(to: 34))\(Self.format(row.value).padded(to: -14))\(row.unit)\n"
    }
    text += "\n\("system call".padded(to: 24))\("count".padded(to: -10))\("time ms".padded(to: -14))\n"
    for call in syscalls {
      text += call.name.padded(to: 24) + "\(call.count)".padded(to: -10)
      text += (call.time == 0 ? "" : Self.format(Double(call.time) / 1e6)).padded(to: -14) + "\n"
    }
    for call in unknownSyscalls {
      text += call.name.padded(to: 24) + "\(call.count)".padded(to: -10) + "        ENOSYS\n"
    }
    return text
  }

  /// The same numbers as a JSON object, with a line break at its end.
  public var json: String {
    var lines = rows.map { "  \"\($0.key)\": \(Self.format($0.value))" }
    let calls = syscalls.map { "{\"name\": \"\($0.name)\", \"count\": \($0.count), \"time_ns\": \($0.time)}" }
    lines.append("  \"syscalls\": [\(calls.joined(separator: ", "))]")
    let unknown = unknownSyscalls.map { "{\"name\": \"\($0.name)\", \"count\": \($0.count)}" }
    lines.append("  \"unknown_syscalls\": [\(unknown.joined(separator: ", "))]")
    return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
  }

  /// Whole numbers without, others with two or three places.
  private static func format(_ value: Double) -> String {
    if value == value.rounded() { return "\(Int(value))" }
    let places = value < 10 ? 1000 : 100
    let scaled = Int((value * Double(places)).rounded())
    let fraction = "\(scaled % places)"
    let zeros = String(repeating: "0", count: (places == 1000 ? 3 : 2) - fraction.count)
    return "\(scaled / places).\(zeros)\(fraction)"
  }
}

extension String {
  /// Padded with blanks on the right, or on the left for a negative width.
  fileprivate func padded(to width: Int) -> String {
    let blanks = String(repeating: " ", count: max(0, abs(width) - count))
    return width < 0 ? blanks + self : self + blanks
  }
}
