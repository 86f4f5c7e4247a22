import FileSystem
import LinuxABI
import Memory

/// `/proc/PID/stat`, `status`, `statm`, `limits`, `io` and the out-of-memory files.
extension ProcessDirectory {
  /// A task's state as ps(1) shows it.
  private static func state(_ task: Task) -> (letter: String, name: String) {
    if task.state == .zombie { return ("Z", "zombie") }
    if task.state == .dead { return ("X", "dead") }
    if task.group.isStopped || task.state == .stopped { return ("T", "stopped") }
    return task.state == .runnable ? ("R", "running") : ("S", "sleeping")
  }

  /// Memory of a task that still has some.
  private static func memory(of task: Task) -> AddressSpace? {
    task.hasEnded ? nil : task.memory
  }

  /// Resident bytes; the address space knows an upper bound.
  private static func resident(_ memory: AddressSpace) -> UInt64 { min(memory.residentBytes, memory.totalBytes) }

  func statistics() throws(Errno) -> String {
    let task = try task
    let (group, kernel) = (task.group, task.kernel)
    let memory = ProcessDirectory.memory(of: task)
    let handlers = group.signals.handlers
    let (ignored, caught) = (handlers.ignoredSet, handlers.caughtSet)
    let terminal = kernel.terminal(of: group)
    let isWhole = task.isLeader
    let times = isWhole ? kernel.times(of: group) : kernel.times(of: task)
    let (user, system) = (times.user, times.system)
    let started = Text.ticks(task.startTime - kernel.startTime)
    let mappings = memory?.mappings ?? []
    let code = mappings.first { $0.protection.contains(.execute) && $0.inode != 0 }
    let stack = mappings.first { $0.name == "[stack]" }
    let heap = mappings.first { $0.name == "[heap]" }
    let scheduling = task.scheduling.parameters
    let fields: [String] = [
      "\(task.id)", "(\(task.name))", ProcessDirectory.state(task).letter, "\(group.parentID)",
      "\(group.processGroup.id)",
      "\(group.session.id)", "\(terminal == nil ? 0 : Terminal.device)", "\(terminal?.foregroundGroup ?? .nobody)",
      // flags minflt cminflt majflt cmajflt
      "0", "\(group.usage.minorFaults)", "\(group.childUsage.minorFaults)", "\(group.usage.majorFaults)",
      "\(group.childUsage.majorFaults)",
      // utime stime cutime cstime priority nice num_threads itrealvalue starttime
      "\(Text.ticks(user))", "\(Text.ticks(system))", "\(Text.ticks(group.childUsage.userTime))",
      "\(Text.ticks(group.childUsage.systemTime))", "\(ProcessDirectory.shownPriority(scheduling))",
      "\(scheduling.nice)",
      "\(max(group.tasks.count, 1))",
      "0", "\(started)",
      // vsize rss rsslim startcode endcode startstack kstkesp kstkeip
      "\(memory?.totalBytes ?? 0)", "\((memory.map(ProcessDirectory.resident) ?? 0) / 4096)", "\(UInt64.max)",
      "\(code?.start ?? 0)", "\(code?.end ?? 0)", "\(stack?.end ?? 0)", "0", "0",
      // signal blocked sigignore sigcatch, without real-time signals
      "\(task.signals.pendingSet.subtracting(.realTime).rawValue)",
      "\(task.signals.mask.subtracting(.realTime).rawValue)", "\(ignored.subtracting(.realTime).rawValue)",
      "\(caught.subtracting(.realTime).rawValue)",
      // wchan nswap cnswap exit_signal processor rt_priority policy delayacct guest_time cguest_time
      "0", "0", "0", "\(group.exitSignal.rawValue)", "\(task.scheduling.cpu.index)", "\(scheduling.priority)",
      "\(scheduling.policy.rawValue)",
      "0", "0",
      "0",
      // start_data end_data start_brk arg_start arg_end env_start env_end exit_code
      "0", "0", "\(heap?.start.rawValue ?? 0)", "\(group.argumentRange.lowerBound.rawValue)",
      "\(group.argumentRange.upperBound.rawValue)", "\(group.environmentRange.lowerBound.rawValue)",
      "\(group.environmentRange.upperBound.rawValue)",
      "\(group.exitStatus?.rawValue ?? 0)",
    ]
    return fields.joined(separator: " ") + "\n"
  }

  /// `priority` of proc_pid_stat(5): 20 + nice, or −1 − the real-time priority.
  private static func shownPriority(_ scheduling: SchedulingParameters) -> Int32 {
    scheduling.rank == 0 ? 20 + scheduling.nice : -1 - Int32(bitPattern: scheduling.rank)
  }

  func memoryPages() throws(Errno) -> String {
    guard let memory = ProcessDirectory.memory(of: try task) else { return "0 0 0 0 0 0 0\n" }
    let pages = [
      memory.totalBytes, ProcessDirectory.resident(memory), memory.sharedBytes, memory.executableBytes, 0,
      memory.dataBytes &+ memory.stackBytes, 0,
    ]
    return pages.map { "\($0 / 4096)" }.joined(separator: " ") + "\n"
  }

  func status() throws(Errno) -> String {
    let task = try task
    let group = task.group
    let credentials = task.credentials
    let state = ProcessDirectory.state(task)
    let handlers = group.signals.handlers
    let (ignored, caught) = (handlers.ignoredSet, handlers.caughtSet)
    var rows: [(String, String)] = [
      ("Name", task.name), ("Umask", Text.octal(task.fs.umask, 4)),
      ("State", "\(state.letter) (\(state.name))"), ("Tgid", "\(group.id)"), ("Ngid", "0"), ("Pid", "\(task.id)"),
      ("PPid", "\(group.parentID)"), ("TracerPid", "0"),
      ("Uid", "\(credentials.uid)\t\(credentials.euid)\t\(credentials.suid)\t\(credentials.fsuid)"),
      ("Gid", "\(credentials.gid)\t\(credentials.egid)\t\(credentials.sgid)\t\(credentials.fsgid)"),
      ("FDSize", "\(task.files.count)"), ("Groups", credentials.groups.map { "\($0) " }.joined()),
      ("NStgid", "\(group.id)"), ("NSpid", "\(task.id)"), ("NSpgid", "\(group.processGroup.id)"),
      ("NSsid", "\(group.session.id)"),
    ]
    if let memory = ProcessDirectory.memory(of: task) {
      let resident = ProcessDirectory.resident(memory)
      let sizes: [(String, UInt64)] = [
        ("VmPeak", memory.peakTotalBytes), ("VmSize", memory.totalBytes), ("VmLck", memory.lockedBytes), ("VmPin", 0),
        ("VmHWM", max(group.usage.maximumResident, resident)), ("VmRSS", resident), ("VmData", memory.dataBytes),
        ("VmStk", memory.stackBytes), ("VmExe", memory.executableBytes), ("VmSwap", 0),
      ]
      rows += sizes.map { ($0, Text.right("\($1 >> 10)", 8) + " kB") }
    }
    func set(_ value: UInt64) -> String { Text.hex(value, 16) }
    let pending = task.signals.pending.count + group.signals.pending.count
    let cpus = UInt64(task.kernel.configuration.cpus.count)
    let allowed = task.scheduling.affinity & (cpus >= 64 ? .max : 1 << cpus - 1)
    rows += [
      ("Threads", "\(max(group.tasks.count, 1))"), ("SigQ", "\(pending)/\(group.limits[.pendingSignals].current)"),
      ("SigPnd", set(task.signals.pendingSet.rawValue)), ("ShdPnd", set(group.signals.pendingSet.rawValue)),
      ("SigBlk", set(task.signals.mask.rawValue)), ("SigIgn", set(ignored.rawValue)), ("SigCgt", set(caught.rawValue)),
      ("CapInh", set(credentials.inheritable.rawValue)), ("CapPrm", set(credentials.permitted.rawValue)),
      ("CapEff", set(credentials.effective.rawValue)), ("CapBnd", set(credentials.bounding.rawValue)),
      ("CapAmb", set(credentials.ambient.rawValue)), ("NoNewPrivs", credentials.noNewPrivileges ? "1" : "0"),
      ("Seccomp", "0"),
      ("Cpus_allowed", Text.hex(allowed, Int(cpus + 3) / 4)), ("Cpus_allowed_list", ProcessDirectory.list(allowed)),
      ("Mems_allowed", "1"), ("Mems_allowed_list", "0"),
      ("voluntary_ctxt_switches", "\(task.usage.voluntarySwitches)"),
      ("nonvoluntary_ctxt_switches", "\(task.usage.involuntarySwitches)"),
    ]
    return rows.map { "\($0):\t\($1)\n" }.joined()
  }

  /// Bits as a list of ranges, `0-3,5`.
  private static func list(_ bits: UInt64) -> String {
    var parts: [String] = []
    var bit = 0
    while bit < 64 {
      guard bits >> UInt64(bit) & 1 != 0 else {
        bit += 1
        continue
      }
      var end = bit
      while end < 63, bits >> UInt64(end + 1) & 1 != 0 { end += 1 }
      parts.append(bit == end ? "\(bit)" : "\(bit)-\(end)")
      bit = end + 1
    }
    return parts.joined(separator: ",")
  }

  func limits() throws(Errno) -> String { ProcessDirectory.limits(try task.group.limits) }

  /// `/proc/PID/limits`.
  static func limits(_ limits: ResourceLimits) -> String {
    let rows: [(Resource, String, String)] = [
      (.cpu, "Max cpu time", "seconds"), (.fileSize, "Max file size", "bytes"), (.data, "Max data size", "bytes"),
      (.stack, "Max stack size", "bytes"), (.core, "Max core file size", "bytes"),
      (.residentSet, "Max resident set", "bytes"), (.processes, "Max processes", "processes"),
      (.openFiles, "Max open files", "files"), (.lockedMemory, "Max locked memory", "bytes"),
      (.addressSpace, "Max address space", "bytes"), (.locks, "Max file locks", "locks"),
      (.pendingSignals, "Max pending signals", "signals"), (.messageQueue, "Max msgqueue size", "bytes"),
      (.nice, "Max nice priority", ""), (.realTimePriority, "Max realtime priority", ""),
      (.realTime, "Max realtime timeout", "us"),
    ]
    func shown(_ value: UInt64) -> String { value == ResourceLimit.infinity ? "unlimited" : "\(value)" }
    func row(_ name: String, _ soft: String, _ hard: String, _ unit: String) -> String {
      Text.left(name, 25) + " " + Text.left(soft, 20) + " " + Text.left(hard, 20) + " "
        + (unit.isEmpty ? "" : Text.left(unit, 10)) + "\n"
    }
    return row("Limit", "Soft Limit", "Hard Limit", "Units")
      + rows.map { row($1, shown(limits[$0].current), shown(limits[$0].maximum), $2) }.joined()
  }

  /// Calls of the read(2) and write(2) families; what reaches the host's disks isn't known.
  func transfers() throws(Errno) -> String {
    let counts = try inspectable.group.transfers
    return
      "rchar: \(counts.bytesRead)\nwchar: \(counts.bytesWritten)\nsyscr: \(counts.reads)\nsyscw: \(counts.writes)\n"
  }

  func outOfMemoryScore() throws(Errno) -> String {
    let task = try task
    return "\(task.kernel.outOfMemory.score(of: task.group))\n"
  }

  func setOutOfMemoryAdjustment(_ text: String) throws(Errno) {
    let digits = text.prefix { $0 != "\0" }.filter { $0 != "\n" && $0 != " " }
    guard let value = Int32(digits), (-1000...1000).contains(value) else { throw .invalidArgument }
    let group = try task.group
    if value < group.outOfMemoryAdjustment, proc.reader?.credentials.has(.sysResource) != true {
      throw .permissionDenied
    }
    group.outOfMemoryAdjustment = value
  }
}

extension Kernel {
  /// The controlling terminal of a process, which is the caller's or none.
  func terminal(of group: ThreadGroup) -> Terminal? {
    guard let terminal = console else { return nil }
    adopt(terminal)
    return terminal.session == group.session.id ? terminal : nil
  }
}

/// Bytes and calls of the read(2) and write(2) families, for `/proc/PID/io`.
struct TransferCounts: Sendable {
  var bytesRead: UInt64 = 0
  var bytesWritten: UInt64 = 0
  var reads: UInt64 = 0
  var writes: UInt64 = 0
}
