import Logging
import SystemPackage

/// Where apus tells the user of problems: one line each, that begins with `apus:`.
enum StandardError {
  static func write(_ text: String) { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }

  /// Logs to stderr.
  static var logger: Logger { Logger(label: "apus") { _ in Handler() } }

  private struct Handler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) { StandardError.write("apus: \(event.message)\n") }
  }
}
