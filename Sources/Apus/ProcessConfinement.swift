import Host
import LinuxABI
import Platform
import Synchronization

/// Binds this process to what one sandbox needs (`SandboxConfiguration.confinesProcess`).
enum ProcessConfinement {
  private static let isConfined = Atomic<Bool>(false)

  /// Files can be opened below the root and the volumes, and the caller's streams once more, nothing else. Called by the
  /// thread that starts all others.
  static func limitFiles(_ configuration: SandboxConfiguration) throws(SandboxError) {
    guard !isConfined.exchange(true, ordering: .relaxed) else {
      throw SandboxError(
        "this process is bound to an earlier sandbox", remedy: "leave confinesProcess off to run several in a process")
    }
    var opened: [FileDescriptor] = []
    defer { for place in opened { Host.close(place) } }
    func rule(_ path: String, _ rights: Confinement.FileRights) -> Confinement.FileRule? {
      // What can't be opened is told of when it is mounted.
      guard let place = try? Host.open(at: nil, Array(path.utf8), [.path]) else { return nil }
      opened.append(place)
      return Confinement.FileRule(place, rights)
    }
    var rules = [rule(configuration.root, .reading), rule("/proc", .reading)]
    for volume in configuration.volumes {
      rules.append(rule(volume.hostPath, volume.isReadOnly ? .reading : .changing))
    }
    for stream in configuration.standardStreams.compactMap(\.self) {
      guard let access = try? Host.Stream.statusFlags(of: stream) else { continue }
      rules.append(Confinement.FileRule(stream, Confinement.FileRights(access)))
    }
    try attempt("cannot limit the files that apus opens") { () throws(Errno) in
      _ = try Confinement.limitFiles(rules.compactMap(\.self))
    }
  }

  /// Only the calls that `Host` makes while guests run are possible from here on.
  static func filterCalls(
    _ platform: any Platform, _ configuration: SandboxConfiguration
  ) throws(SandboxError) {
    try attempt("cannot filter apus's own system calls") { () throws(Errno) in
      _ = try Confinement.filterCalls(
        platform: platform.threadsAreBoundToCPUThreads ? .ptrace : .seccomp,
        preemptSignal: PlatformConfiguration.preemptSignal, network: configuration.network.confinement,
        connectsSockets: configuration.connectsSockets)
    }
  }
}
