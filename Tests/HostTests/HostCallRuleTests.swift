import Foundation
import Testing

@testable import Host

/// The table of what Apus may ask of the host.
@Suite struct HostCallRuleTests {
  private static let rules = HostCallRule.whileGuestsRun(process: 1, preemptSignal: .usr1)

  /// The names in `call(.name, …)` and `result(.name, …)` in the sources of `Host`.
  private static func callsInSources() throws -> Set<String> {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/Host").standardizedFileURL
    let pattern = try NSRegularExpression(
      pattern: #"\b(?:call|result|vectorCall)\(\s*((?:[^()]*\?\s*)?\.\w+(?:\s*:\s*\.\w+)?)"#)
    var names: Set<String> = []
    let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
    while let file = files?.nextObject() as? URL {
      guard file.pathExtension == "swift" else { continue }
      let text = try String(contentsOf: file, encoding: .utf8)
      #expect(file.lastPathComponent == "Syscall.swift" || !text.contains("apus_syscall("), "\(file.path)")
      for match in pattern.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
        guard let range = Range(match.range(at: 1), in: text) else { continue }
        for word in text[range].matches(of: /\.(\w+)/) { names.insert(String(word.1)) }
      }
    }
    return names
  }

  /// Each call of `Host` has a line.
  @Test func everyCallHasItsLine() throws {
    let known = Set(Self.rules.map { "\($0.call)" }).union(HostCallRule.beforeGuestsRun.map { "\($0)" })
    let made = try Self.callsInSources()
    #expect(made.count > 50)
    #expect(made.subtracting(known).sorted() == [])
  }

  /// Jumps of a classic BPF program reach 255 instructions.
  @Test func blocksAreShort() {
    for rule in Self.rules { #expect(HostCallFilter([rule]).code.count < 128, "\(rule.call)") }
    #expect(HostCallFilter(Self.rules).code.count < 4096)
  }
}
