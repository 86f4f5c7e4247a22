import Host
import LinuxABI

extension SandboxConfiguration {
  /// Checks what can be checked before anything is started.
  func validate() throws(SandboxError) {
    guard !command.isEmpty else { throw SandboxError("the command is empty") }
    guard memory >= SandboxConfiguration.minimumMemory else {
      throw SandboxError("\(memory) bytes of memory are too few", remedy: "8M is the least")
    }
    guard memory <= 1 << 44 else {
      throw SandboxError("\(memory) bytes of memory are too many", remedy: "16T is the most")
    }
    guard (1...SandboxConfiguration.maximumCPUs).contains(cpus) else {
      throw SandboxError("\(cpus) CPUs can't be had", remedy: "1 to \(SandboxConfiguration.maximumCPUs) can")
    }
    guard hostName.utf8.count <= 64 else { throw SandboxError("the host name is longer than 64 bytes") }
    for string in [command, root, hostName] + arguments + environment where string.utf8.contains(0) {
      throw SandboxError("a NUL byte in \(string.debugDescription)")
    }
    for volume in volumes where !volume.guestPath.hasPrefix("/") {
      throw SandboxError("volume \(volume.guestPath): the place in the guest must be an absolute path")
    }
    if let workingDirectory, !workingDirectory.hasPrefix("/") {
      throw SandboxError("working directory \(workingDirectory): must be an absolute path")
    }
  }

  /// The host CPU of each virtual CPU. With more virtual CPUs than usable ones they share. The first is the one that the
  /// host has chosen for Apus, so that sandboxes that start together do not all crowd the same one.
  var hostCPUs: [Int?] {
    let usable = Host.usableCPUs
    guard !usable.isEmpty else { return [Int?](repeating: nil, count: cpus) }
    let first = usable.firstIndex(of: Host.currentCPU) ?? 0
    return (0..<cpus).map { usable[(first + $0) % usable.count] }
  }
}
