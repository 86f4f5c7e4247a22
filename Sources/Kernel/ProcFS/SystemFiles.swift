import FileSystem
import LinuxABI
import Memory

/// The files of `/proc` that concern the whole sandbox.
extension ProcFS {
  var systemFiles: [(name: String, inode: Inode)] {
    func file(_ text: @escaping (Kernel) -> String) -> Inode {
      fileSystem.file { [unowned kernel] () throws(Errno) in text(kernel) }
    }
    return [
      ("cmdline", file { _ in "\n" }),
      ("cpuinfo", file { CPUInformation.text(cpus: $0.configuration.cpus, host: $0.services.processorInformation) }),
      ("devices", file { _ in "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n\nBlock devices:\n" }),
      ("diskstats", file { _ in "" }),
      ("filesystems", file(ProcFS.fileSystems)),
      ("loadavg", file(ProcFS.loadAverage)),
      ("meminfo", file(ProcFS.memory)),
      ("modules", file { _ in "" }),
      ("partitions", file { _ in "major minor  #blocks  name\n\n" }),
      ("stat", file(ProcFS.statistics)),
      ("swaps", file { _ in "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" }),
      ("uptime", file(ProcFS.uptime)),
      (
        "version",
        file { "Linux version \($0.configuration.release) (apus) \($0.configuration.version)\n" }
      ),
      ("vmstat", file(ProcFS.virtualMemory)),
    ]
  }

  private static func fileSystems(_ kernel: Kernel) -> String {
    Set(kernel.vfs.mounts.map(\.fileSystem.typeName)).sorted().map { "nodev\t\($0)\n" }.joined()
  }

  /// Load averages are zero, as in sysinfo(2): Apus does not sample them.
  private static func loadAverage(_ kernel: Kernel) -> String {
    let running = kernel.tasks.values.count { $0.state == .runnable }
    let last = kernel.tasks.keys.max() ?? .zero
    return "0.00 0.00 0.00 \(running)/\(kernel.tasks.count) \(last)\n"
  }

  private static func memory(_ kernel: Kernel) -> String {
    let memory = kernel.physicalMemory
    let total = memory.limit >> 10
    let free = (memory.limit - min(memory.usedBytes, memory.limit)) >> 10
    // The page cache is the host's: none of it is in the sandbox's memory, and there is no swap.
    let rows: [(String, UInt64)] = [
      ("MemTotal:", total), ("MemFree:", free), ("MemAvailable:", free), ("Buffers:", 0), ("Cached:", 0),
      ("SwapCached:", 0), ("SwapTotal:", 0), ("SwapFree:", 0), ("Dirty:", 0), ("Writeback:", 0),
      ("CommitLimit:", total / 2), ("Committed_AS:", total - free),
      ("HugePages_Total:", 0), ("HugePages_Free:", 0), ("HugePages_Rsvd:", 0), ("HugePages_Surp:", 0),
      ("Hugepagesize:", 2048),
    ]
    return rows.map { name, value in
      Text.left(name, 16) + Text.right("\(value)", 8) + (name.hasPrefix("HugePages") ? "\n" : " kB\n")
    }.joined()
  }

  /// The time that all tasks have used, those that have ended too, and the time since the start.
  private static func times(_ kernel: Kernel) -> (
    user: Nanoseconds, system: Nanoseconds, idle: Nanoseconds, up: Nanoseconds
  ) {
    var usage = kernel.orphanUsage
    for group in kernel.groups.values {
      usage.add(group.usage)
      usage.add(group.childUsage)
    }
    var (user, system) = (usage.userTime, usage.systemTime)
    for task in kernel.tasks.values where !task.hasEnded {
      user += task.usage.userTime
      system += task.usage.systemTime
    }
    let up = kernel.monotonicTime - kernel.startTime
    let total = up * UInt64(kernel.configuration.cpus.count)
    return (user, system, total - user - system, up)
  }

  private static func uptime(_ kernel: Kernel) -> String {
    func seconds(_ time: Nanoseconds) -> String { "\(time / .second).\(Text.decimal(Text.ticks(time) % 100, 2))" }
    let now = times(kernel)
    return "\(seconds(now.up)) \(seconds(now.idle))\n"
  }

  /// Times are not kept for each CPU: the rows of the CPUs are equal shares of the sum.
  private static func statistics(_ kernel: Kernel) -> String {
    let now = times(kernel)
    let count = UInt64(kernel.configuration.cpus.count)
    func row(_ name: String, _ share: UInt64) -> String {
      let (user, system, idle) = (
        Text.ticks(now.user / share), Text.ticks(now.system / share), Text.ticks(now.idle / share)
      )
      return "\(name) \(user) 0 \(system) \(idle) 0 0 0 0 0 0\n"
    }
    let running = kernel.tasks.values.count { $0.state == .runnable }
    let booted = (kernel.realTime - now.up) / .second
    return row("cpu ", 1) + (0..<count).map { row("cpu\($0)", count) }.joined()
      + "ctxt \(kernel.scheduler.switches)\nbtime \(booted)\nprocs_running \(running)\nprocs_blocked 0\n"
  }

  private static func virtualMemory(_ kernel: Kernel) -> String {
    let memory = kernel.physicalMemory
    let free = (memory.limit - min(memory.usedBytes, memory.limit)) / 4096
    return "nr_free_pages \(free)\npgfault \(kernel.statistics.traps.pageFaults)\npswpin 0\npswpout 0\n"
      + "oom_kill \(kernel.outOfMemory.kills)\n"
  }

  // MARK: /proc/sys

  var settings: GeneratedInode {
    func value(_ text: @escaping (Kernel) -> String) -> Inode { fixedSetting { [unowned kernel] in text(kernel) } }
    let random = fileSystem.directory([
      ("boot_id", value { $0.bootID }),
      ("entropy_avail", value { _ in "256" }),
      ("poolsize", value { _ in "256" }),
      ("uuid", value { UUIDText.random($0.services) }),
    ])
    let kernelSettings = fileSystem.directory([
      ("cap_last_cap", value { _ in "40" }),
      ("domainname", name(\.domainName)),
      ("hostname", name(\.hostName)),
      ("ngroups_max", value { _ in "65536" }),
      ("osrelease", value { $0.configuration.release }),
      ("ostype", value { _ in "Linux" }),
      ("overflowgid", value { _ in "65534" }),
      ("overflowuid", value { _ in "65534" }),
      ("pid_max", value { _ in "\(ProcessTable.maximumID.rawValue + 1)" }),
      ("random", random),
      ("randomize_va_space", value { $0.configuration.randomizesAddresses ? "2" : "0" }),
      ("tainted", value { _ in "0" }),
      ("threads-max", value { "\($0.configuration.maximumTasks)" }),
      ("version", value { $0.configuration.version }),
    ])
    let memorySettings = fileSystem.directory([
      ("max_map_count", value { "\($0.platform.mappingLimit)" }),
      ("mmap_min_addr", value { _ in "\(Layout.minimumAddress.rawValue)" }),
      // Heuristic: mmap(2) refuses only what is larger than all memory.
      ("overcommit_memory", value { _ in "0" }),
      ("overcommit_ratio", value { _ in "50" }),
    ])
    let fileSettings = fileSystem.directory([
      ("file-max", value { "\($0.openFiles.maximum)" }),
      ("file-nr", value { "\($0.openFiles.count)\t0\t\($0.openFiles.maximum)" }),
      ("nr_open", value { _ in "\(1 << 20)" }),
      ("pipe-max-size", value { _ in "\(Pipe.maximumCapacity)" }),
      ("protected_hardlinks", flag(\.protectsLinks)),
      ("protected_symlinks", flag(\.protectsSymbolicLinks)),
    ])
    return fileSystem.directory([
      ("fs", fileSettings), ("kernel", kernelSettings), ("net", networkSettings), ("vm", memorySettings),
    ])
  }
}

extension ProcFS {
  /// A setting that can't be changed, by root neither.
  func fixedSetting(_ text: @escaping () -> String) -> Inode {
    let inode = fileSystem.file { () throws(Errno) in text() + "\n" }
    inode.isFixed = true
    return inode
  }

  /// A setting that root may change. - Parameter change: of what was written, without the end of the line.
  private func setting(
    _ text: @escaping (Kernel) -> String, _ change: @escaping (Kernel, String) throws(Errno) -> Void
  ) -> Inode {
    fileSystem.file { [unowned kernel] () throws(Errno) in
      text(kernel) + "\n"
    } write: {
      [unowned self] (written) throws(Errno) in
      if let reader, reader.credentials.euid != 0 { throw .notPermitted }
      try change(kernel, String(decoding: written.utf8.prefix { $0 != 10 && $0 != 0 }, as: UTF8.self))
    }
  }

  /// `kernel.hostname` and `kernel.domainname`.
  private func name(_ path: ReferenceWritableKeyPath<Kernel, String>) -> Inode {
    setting({ $0[keyPath: path] }) { (kernel, text) throws(Errno) in
      kernel[keyPath: path] = String(decoding: text.utf8.prefix(64), as: UTF8.self)
    }
  }

  /// A setting that is 0 or 1.
  private func flag(_ path: ReferenceWritableKeyPath<VFS, Bool>) -> Inode {
    setting({ $0.vfs[keyPath: path] ? "1" : "0" }) { (kernel, text) throws(Errno) in
      guard let value = Int(text.filter { $0 != " " }), (0...1).contains(value) else { throw .invalidArgument }
      kernel.vfs[keyPath: path] = value == 1
    }
  }
}

/// Random UUIDs of version 4 as text (RFC 9562).
enum UUIDText {
  static func random(_ services: any KernelServices) -> String {
    var bytes = services.randomBytes(count: 16)
    bytes[6] = bytes[6] & 0x0f | 0x40
    bytes[8] = bytes[8] & 0x3f | 0x80
    let digits = bytes.map { Text.hex(UInt64($0), 2) }.joined()
    var result = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { result.append("-") }
      result.append(digit)
    }
    return result
  }
}
