import Apus
import Foundation
import Synchronization
import Testing

/// Keeps what it was asked about, and refuses all of it.
private final class Refusal: NetworkDelegate {
  private let asked = Mutex<[String]>([])
  var questions: [String] { asked.withLock { $0 } }
  func mayConnect(_ connection: SandboxConfiguration.Network.Connection) -> Bool {
    asked.withLock { $0.append("\(connection)") }
    return false
  }

  /// The host has a way to all addresses; without one nobody is asked.
  static let isPossible = (try? String(contentsOfFile: "/proc/net/route", encoding: .utf8))?.contains("\t00000000\t")
}

extension LibraryTests {
  /// `configuration.network.delegate` decides about what the rest of the configuration allows.
  @Suite(.enabled(if: Refusal.isPossible == true, "needs a default route"))
  struct NetworkDelegateTests {
    private static let script = """
      for place in tcp/192.0.2.7/80 tcp/192.0.2.7/443 udp/192.0.2.7/80 tcp/169.254.169.254/80 tcp/198.51.100.1/80; do
        { exec 3<>/dev/$place && echo >&3; } 2>&1 | sed 's/.*: //' | head -1
      done
      """

    private func run(_ allowed: [SandboxConfiguration.Network.Destination]?) throws -> (Guest, [String]) {
      let delegate = Refusal()
      let outcome = try Guest.run("/bin/bash", ["-c", Self.script]) { configuration in
        configuration.network.mode = .outbound
        configuration.network.allowedDestinations = allowed
        configuration.network.delegate = delegate
      }
      return (outcome, delegate.questions)
    }

    @Test func itIsAskedAboutEachDestination() throws {
      let (outcome, questions) = try run(nil)
      #expect(questions == ["tcp 192.0.2.7:80", "tcp 192.0.2.7:443", "udp 192.0.2.7:80", "tcp 198.51.100.1:80"])
      let refused = "Permission denied"
      #expect(
        outcome.output.split(separator: "\n").map(String.init)
          == [refused, refused, refused, "Network is unreachable", refused])
    }

    /// What is out of reach anyway is not its to allow.
    @Test func itIsAskedAboutNothingElse() throws {
      let (outcome, questions) = try run([.init(host: "192.0.2.0/24", port: 443)])
      #expect(questions == ["tcp 192.0.2.7:443"])
      #expect(outcome.output.split(separator: "\n").filter { $0 == "Permission denied" }.count == 4)
    }
  }
}
