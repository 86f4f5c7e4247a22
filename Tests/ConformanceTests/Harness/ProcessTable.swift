import Foundation

/// What the host's /proc tells of other processes.
enum ProcessTable {
  /// Fields of /proc/PID/stat after the name: state, parent, …
  static func fields(of pid: Int32) -> [Substring]? {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return nil }
    return text[end...].dropFirst(2).split(separator: " ")
  }

  static func state(of pid: Int32) -> String? { fields(of: pid).map { String($0[0]) } }

  /// Processor time in ticks.
  static func ticks(of pid: Int32) -> Int {
    guard let fields = fields(of: pid), fields.count > 12 else { return 0 }
    return (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0)
  }

  static var all: [Int32] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }
  }

  static func children(of parent: Int32) -> [Int32] {
    all.filter { fields(of: $0).map { $0.count > 1 && Int32($0[1]) == parent } ?? false }
  }

  /// The process and everything below it.
  static func family(of pid: Int32) -> [Int32] { [pid] + children(of: pid).flatMap(family) }

  static func isAlive(_ pid: Int32) -> Bool { state(of: pid).map { $0 != "Z" && $0 != "X" } ?? false }

  /// The value of a line of /proc/PID/status.
  static func status(_ name: String, of pid: Int32) -> String? {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return nil }
    return text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
      .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
  }
}
