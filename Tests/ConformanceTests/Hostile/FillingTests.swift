import Foundation
import Testing

/// Whatever a guest makes Apus keep counts under `--memory`: its call fails in the end, and Apus has not grown by more.
@Suite struct FillingTests {
  private static let memory = 64
  /// How far Apus may grow beyond its limit, for any kind of object.
  private static let slack = 32

  @Test(arguments: [
    "pipes", "fifos", "attributes", "links", "files", "directories", "names", "misses", "timers", "epoll", "eventfds",
    "descriptors", "locks", "signals", "threads", "processes", "areas", "tables", "listings", "polls", "groups",
    "mounts",
    "memory files", "large file", "sockets",
  ])
  func staysInsideItsLimit(_ kind: String) async throws {
    guard Mode.tested.contains(.strict) else { return }
    let growth = try await Gate.shared.pass { try await FillingTests.growth(kind) }
    // Half of the limit is for this, the other half for what guests hold themselves.
    #expect(growth >> 20 < FillingTests.memory / 2 + FillingTests.slack, "\(kind): \(growth >> 20) MiB")
  }

  /// How much more Apus keeps when the guest has filled it.
  private static func growth(_ kind: String) async throws -> Int {
    let process = try HostProcess(
      Runner.commandLine(
        [Programs.guest("hostile-filling"), kind], mode: .strict, options: ["--memory", "\(FillingTests.memory)M"]))
    defer { process.signal(SIGKILL) }
    #expect(await process.waitForOutput("ready\n"))
    let before = try kept(by: process.id)
    #expect(await process.waitForOutput("full: "), "\(kind)")
    let after = try kept(by: process.id)
    process.signal(SIGKILL)
    _ = await process.wait()
    return after - before
  }

  /// The memory of Apus itself, and the page tables of its guests.
  private static func kept(by id: Int32) throws -> Int {
    func kibibytes(_ name: String, of id: Int32) -> Int {
      ProcessTable.status(name, of: id)?.split(separator: " ").first.flatMap { Int($0) } ?? 0
    }
    let own = kibibytes("RssAnon", of: id)
    try #require(own > 0)
    return (own + ProcessTable.children(of: id).reduce(0) { $0 + kibibytes("VmPTE", of: $1) }) << 10
  }
}
