import CStub
import Host
import LinuxABI

/// One thing that a host may or may not allow.
package struct HostCheck: Sendable {
  package enum Outcome: Sendable, Equatable {
    case passed(String)
    case failed(String)
    package var isPassed: Bool { if case .passed = self { true } else { false } }
    package var text: String {
      switch self {
      case .passed(let text), .failed(let text): text
      }
    }
  }
  package let name: String
  package let outcome: Outcome
  /// What Apus needs it for.
  package let meaning: String
  /// What to do where it is missing.
  package let remedy: String
  /// The platforms that can't do without it.
  package let requiredBy: [PlatformKind]
}

/// The checks of `apus doctor`, in order. Each that could change or end a process runs in one of its own.
package enum HostChecks {
  /// The platform to start with, from what a few calls tell. A host that refuses more than it says fails when the
  /// platform starts.
  package static var likelyPlatform: PlatformKind { Host.canTrapSystemCalls ? .seccomp : .ptrace }

  package static func run() -> [HostCheck] {
    [
      seccompFilter,
      HostCheck(
        name: "SIGSYS delivery", outcome: probe(APUS_PROBE_SIGSYS_STATE),
        meaning: "a trap shows all registers and FP state, and takes changes of them",
        remedy: "use Linux 5.11 or later on the bare machine or in a virtual one", requiredBy: [.seccomp]),
      HostCheck(
        name: "futex on read-only page", outcome: probe(APUS_PROBE_READ_ONLY_FUTEX),
        meaning: "guest processes wait for Apus on memory that they can't write",
        remedy: "use Linux 5.11 or later", requiredBy: [.seccomp, .ptrace]),
      HostCheck(
        name: "memfd", outcome: probe(APUS_PROBE_EXECUTABLE_MEMFD),
        meaning: "guest memory is one file that is mapped, also executable, into guest processes",
        remedy: "set vm.memfd_noexec to 0, and allow memfd_create(2)", requiredBy: [.seccomp, .ptrace]),
      pidfd,
      HostCheck(
        name: "mseal", outcome: probe(APUS_PROBE_MSEAL),
        meaning: "the stub's pages are sealed as a second line of defence",
        remedy: "optional; Linux 6.10 and later have it", requiredBy: []),
      HostCheck(
        name: "FSGSBASE",
        outcome: Host.hardwareCapabilities2.contains(.segmentBaseInstructions)
          ? .passed("available") : .failed("not available"),
        meaning: "thread pointers are read and set without a system call",
        remedy: "optional; needs Linux 5.9 and a processor that has the instructions", requiredBy: []),
      landlock, ptrace, processLimit, mappingLimit, processors,
    ]
  }

  /// What a platform is based on and the host does not have, of that which would show only when the first guest dies.
  static func missing(for kind: PlatformKind) -> HostCheck? {
    switch kind {
    case .seccomp:
      // The probe takes as long as half a start.
      return Host.canTrapSystemCalls ? nil : seccompFilter
    case .ptrace:
      let check = ptrace
      return check.outcome.isPassed ? nil : check
    }
  }

  private static var seccompFilter: HostCheck {
    HostCheck(
      name: "seccomp filter", outcome: probe(APUS_PROBE_SECCOMP_FILTER),
      meaning: "guest threads trap their system calls through a filter",
      remedy: "use a kernel with CONFIG_SECCOMP_FILTER, or leave the container that forbids seccomp(2)",
      requiredBy: [.seccomp])
  }

  private static var landlock: HostCheck {
    let version = Confinement.landlockVersion
    let text = version.map { "version \($0)" } ?? "not available"
    return HostCheck(
      name: "Landlock", outcome: version ?? 0 >= 2 ? .passed(text) : .failed(text),
      meaning: "apus itself can open files in the root and the volumes only; a filter limits its system calls",
      remedy: "optional; needs Linux 5.19 with landlock among its security modules (`lsm=`)", requiredBy: [])
  }

  private static var ptrace: HostCheck {
    HostCheck(
      name: "ptrace SYSEMU", outcome: probe(APUS_PROBE_PTRACE_SYSEMU),
      meaning: "the ptrace platform takes system calls of guests",
      remedy: "set kernel.yama.ptrace_scope to 0 or 1, or leave the container that forbids ptrace(2)",
      requiredBy: [.ptrace])
  }

  private static func probe(_ kind: apus_probe_kind) -> HostCheck.Outcome {
    switch apus_probe(kind) {
    case 0: .passed("works")
    case -1: .failed("gives wrong results")
    case -2: .failed("ends the process that tries it")
    case let error: .failed("\(Errno(rawValue: error))")
    }
  }

  private static var pidfd: HostCheck {
    let outcome: HostCheck.Outcome
    do throws(Errno) {
      let descriptor = try Host.openProcess(Host.processID)
      Host.close(descriptor)
      outcome = .passed("works")
    } catch { outcome = .failed("\(error)") }
    return HostCheck(
      name: "pidfd", outcome: outcome, meaning: "the death of a guest process is noticed at once",
      remedy: "use Linux 5.3 or later", requiredBy: [.seccomp, .ptrace])
  }

  private static func number(in path: String) -> Int? {
    guard let bytes = try? Host.readSmallFile(path, limit: 64) else { return nil }
    return Int(String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self))
  }

  private static var processLimit: HostCheck {
    let limit = Host.processLimit
    let isEnough = limit.map { $0 >= 512 } ?? true
    let text = limit.map { "\($0) processes and threads" } ?? "no limit"
    return HostCheck(
      name: "process limit", outcome: isEnough ? .passed(text) : .failed(text),
      meaning: "every guest thread is a thread of the host, and every guest process has one more",
      remedy: "raise `ulimit -u`", requiredBy: [])
  }

  private static var mappingLimit: HostCheck {
    let limit = number(in: "/proc/sys/vm/max_map_count") ?? 65530
    return HostCheck(
      name: "mapping limit",
      outcome: limit >= 16384 ? .passed("\(limit) mappings in each process") : .failed("\(limit) mappings only"),
      meaning: "guests with scattered memory need many mappings", remedy: "raise the sysctl vm.max_map_count",
      requiredBy: [])
  }

  private static var processors: HostCheck {
    let count = Host.usableCPUs.count
    return HostCheck(
      name: "processors", outcome: count > 0 ? .passed("\(count) usable") : .failed("unknown"),
      meaning: "as many virtual CPUs are the default of --cpus", remedy: "allow sched_getaffinity(2)", requiredBy: [])
  }
}
