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
    for volume in volumes where volume.usesHostIDs && !Host.isRoot {
      throw SandboxError(
        "volume \(volume.hostPath): only root can give files to others", remedy: "leave `ids` out, or run apus as root")
    }
    try network.validate()
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

extension SandboxConfiguration.Network {
  /// Checks that the parts fit each other.
  func validate() throws(SandboxError) {
    if allowedDestinations != nil, mode != .outbound {
      throw SandboxError(
        "destinations are allowed one by one only with the network `outbound`", remedy: "add --network outbound")
    }
    for destination in allowedDestinations ?? [] where destination.allowed == nil {
      throw SandboxError(
        "\(destination) is no address, network or name", remedy: "write 192.0.2.1, 10.0.0.0/8 or example.org")
    }
    if mode == .host, let port = publishedPorts.first {
      throw SandboxError(
        "port \(port) can't be published: with the network `host` guests listen on the host's ports themselves",
        remedy: "leave --publish out, or use --network outbound")
    }
    for port in publishedPorts where IPAddress(port.hostAddress) == nil || port.hostPort == 0 || port.guestPort == 0 {
      throw SandboxError("port \(port) can't be published", remedy: "name an address of the host, and ports from 1 on")
    }
  }
}
