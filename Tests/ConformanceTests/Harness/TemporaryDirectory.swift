import Foundation

/// A directory on the host that goes away with its owner.
final class TemporaryDirectory: Sendable {
  let path: String

  /// Everyone may enter it.
  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/apus-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(
      atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  @discardableResult
  func write(_ name: String, _ text: String, permissions: Int = 0o644) throws -> String {
    let file = "\(path)/\(name)"
    try Data(text.utf8).write(to: URL(fileURLWithPath: file))
    try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: file)
    return file
  }

  /// Copies an executable into the directory, where every user can run it.
  func copy(executable: String) throws -> String {
    let target = "\(path)/\(URL(fileURLWithPath: executable).lastPathComponent)"
    try FileManager.default.copyItem(atPath: executable, toPath: target)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: target)
    return target
  }

  var entries: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}
