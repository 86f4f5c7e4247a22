import Foundation
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import FileSystem

/// A directory on the host for one test, and a guest's view of it.
final class TestTree {
  let services: TestServices
  let context: FileSystemContext
  let vfs: VFS
  let host: URL
  var credentials = Credentials(uid: 0, gid: 0)

  enum Kind { case overlay, readOnly, volume, memory }

  init(_ kind: Kind, prepare: (URL) throws -> Void = { _ in }) throws {
    services = try TestServices()
    context = FileSystemContext(services: services)
    vfs = VFS(context: context)
    host = FileManager.default.temporaryDirectory.appendingPathComponent("apus-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: host, withIntermediateDirectories: true)
    try prepare(host)
    switch kind {
    case .overlay:
      let lower = try HostFileSystem(path: host.path, isReadOnly: true, isVolatile: false, context: context)
      let overlay = OverlayFileSystem(lower: lower, context: context)
      try vfs.mount(overlay, root: try overlay.makeRoot(), at: vfs.root)
    case .readOnly, .volume:
      let isVolume = kind == .volume
      let lower = try HostFileSystem(path: host.path, isReadOnly: !isVolume, isVolatile: isVolume, context: context)
      let root = try #require(lower.root)
      try vfs.mount(lower, root: root, at: vfs.root, flags: isVolume ? [] : .readOnly)
    case .memory:
      let memory = TmpFileSystem(context: context)
      try vfs.mount(memory, root: try memory.makeRoot(permissions: 0o755), at: vfs.root)
    }
  }

  deinit {
    vfs.shutdown()
    try? FileManager.default.removeItem(at: host)
  }

  var paths: PathContext { PathContext(root: vfs.root, base: vfs.root, credentials: credentials) }

  func resolve(_ path: String, _ options: ResolveOptions = []) throws(Errno) -> PathLocation {
    try vfs.resolve(path, paths, options)
  }
  func stat(_ path: String) throws(Errno) -> Stat { try resolve(path, .noFollow).dentry.inode.attributes() }
  func exists(_ path: String) -> Bool { (try? resolve(path, .noFollow)) != nil }
  func open(_ path: String, _ flags: OpenFlags = [], mode: FileMode = 0o644) throws(Errno) -> OpenFile {
    try vfs.open(path, paths, flags: flags, mode: mode)
  }
  func read(_ path: String) throws(Errno) -> String {
    let file = try open(path)
    defer { file.close() }
    return String(decoding: try file.read(1 << 16), as: UTF8.self)
  }
  func write(_ path: String, _ text: String, _ flags: OpenFlags = [.writeOnly, .create, .truncate]) throws(Errno) {
    let file = try open(path, flags)
    defer { file.close() }
    _ = try file.write(Array(text.utf8))
  }
  func list(_ path: String) throws(Errno) -> [String] {
    let file = try open(path, .directory)
    var names: [String] = []
    try file.readDirectory {
      names.append($0.name)
      return true
    }
    return names.filter { $0 != "." && $0 != ".." }
  }
  func makeDirectory(_ path: String, mode: FileMode = 0o755) throws(Errno) {
    try vfs.makeDirectory(path, paths, mode: mode)
  }
  func rename(_ old: String, _ new: String, _ flags: RenameFlags = []) throws(Errno) {
    try vfs.rename(old, paths, to: new, paths, flags: flags)
  }
  func link(_ target: String, _ path: String) throws(Errno) {
    try vfs.makeSymbolicLink(path, paths, target: target)
  }
  func unlink(_ path: String) throws(Errno) { try vfs.unlink(path, paths) }
  func removeDirectory(_ path: String) throws(Errno) { try vfs.removeDirectory(path, paths) }
  func change(_ path: String, _ edit: (inout AttributeChange) -> Void) throws(Errno) {
    var change = AttributeChange()
    edit(&change)
    try resolve(path, .noFollow).dentry.inode.setAttributes(change)
  }
}

extension URL {
  func file(_ path: String, _ text: String = "") throws {
    let url = appendingPathComponent(path)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }
  func directory(_ path: String) throws {
    try FileManager.default.createDirectory(at: appendingPathComponent(path), withIntermediateDirectories: true)
  }
  func link(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: appendingPathComponent(path).path, withDestinationPath: target)
  }
  func has(_ path: String) -> Bool { FileManager.default.fileExists(atPath: appendingPathComponent(path).path) }
  func text(_ path: String) throws -> String { try String(contentsOf: appendingPathComponent(path), encoding: .utf8) }
}
