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
  /// Calls that come often are made without a signal (`TextRewriting`).
  package var rewritesText = true
  /// The time in each system call is collected (`--stats`).
  package var measuresTimes = false
  /// Most tasks at a time; further ones get `EAGAIN`.
  var maximumTasks = 4096
  /// `uname -r`.
  var release = "6.12.0-apus"
  var version = "#1 SMP PREEMPT_DYNAMIC"
  package init() {}
}
