import Foundation
import LinuxABI
import TestSupport
import Testing

@testable import FileSystem

/// Paths of guests stay below the host directory they were given, and mean what path_resolution(7) says.
@Suite struct PathWalkTests {
  @Test func linksDoNotLeadOutOfTheRoot() throws {
    let tree = try TestTree(.readOnly) { host in
      try host.file("inside/secret", "guest")
      try host.link("inside/absolute", to: "/inside/secret")
      try host.link("inside/up", to: "../../../../../../etc/passwd")
      try host.link("inside/host", to: host.deletingLastPathComponent().path)
      try host.directory("etc")
      try host.file("etc/passwd", "guest passwd")
    }
    #expect(try tree.read("/inside/absolute") == "guest")
    #expect(try tree.read("/inside/up") == "guest passwd")
    #expect(throws: Errno.noSuchFileOrDirectory) { try tree.resolve("/inside/host") }
    #expect(try tree.resolve("/../../..").path == "/")
    #expect(try tree.read("../../../etc/../etc/passwd") == "guest passwd")
  }

  @Test func aDirectoryThatBecomesALinkIsNotFollowed() throws {
    let outside = FileManager.default.temporaryDirectory.appendingPathComponent("apus-outside-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: outside) }
    try outside.file("file", "outside")
    for kind in [TestTree.Kind.volume, .overlay] {
      let tree = try TestTree(kind) { try $0.file("d/e/file", "inside") }
      let directory = try tree.resolve("/d/e")
      // The host swaps the directory while the guest holds it.
      let files = FileManager.default
      try files.moveItem(at: tree.host.appendingPathComponent("d"), to: tree.host.appendingPathComponent("old"))
      try tree.host.directory("d")
      try tree.host.link("d/e", to: outside.path)
      var context = tree.paths
      context.base = directory
      let text = try? tree.vfs.open("file", context, flags: [])
      if let text { #expect(try text.read(100) == Array("inside".utf8)) }
      #expect((try? tree.read("/d/e/file")) != "outside")
    }
  }

  @Test func loopsAndLongNames() throws {
    let tree = try TestTree(.memory)
    try tree.link("b", "/a")
    try tree.link("a", "/b")
    #expect(throws: Errno.tooManySymbolicLinkLevels) { try tree.resolve("/a") }
    #expect(throws: Errno.fileNameTooLong) { try tree.resolve("/" + String(repeating: "x", count: 256)) }
    try tree.makeDirectory("/" + String(repeating: "x", count: 255))
    // 40 links are followed, 41 are not.
    try tree.makeDirectory("/l0")
    for index in 1...41 { try tree.link("l\(index - 1)", "/l\(index)") }
    #expect(try tree.resolve("/l40").path == "/l0")
    #expect(throws: Errno.tooManySymbolicLinkLevels) { try tree.resolve("/l41") }
  }

  @Test func trailingSlashesAndDots() throws {
    let tree = try TestTree(.memory)
    try tree.vfs.makeNode("/file", tree.paths, mode: FileMode(.regular, permissions: 0o644))
    try tree.makeDirectory("/dir/")
    try tree.link("dir", "/link")
    try tree.link("missing", "/dangling")
    #expect(throws: Errno.notDirectory) { try tree.resolve("/file/") }
    #expect(throws: Errno.notDirectory) { try tree.resolve("/file/.") }
    #expect(throws: Errno.notDirectory) { try tree.resolve("/file/..") }
    #expect(try tree.resolve("/link/", .noFollow).path == "/dir")
    #expect(try tree.resolve("/link", .noFollow).path == "/link")
    #expect(throws: Errno.noSuchFileOrDirectory) { try tree.resolve("") }
    #expect(throws: Errno.noSuchFileOrDirectory) { try tree.resolve("/dangling") }
    #expect(throws: Errno.isDirectory) { try tree.open("/new/", [.create, .writeOnly]) }
    #expect(throws: Errno.tooManySymbolicLinkLevels) { try tree.open("/link", .noFollow) }
    #expect(throws: Errno.fileExists) { try tree.open("/dangling", [.create, .exclusive, .writeOnly]) }
    _ = try tree.open("/dangling", [.create, .writeOnly])
    #expect(tree.exists("/missing"))
    #expect(throws: Errno.invalidArgument) { try tree.removeDirectory("/dir/.") }
    #expect(throws: Errno.directoryNotEmpty) { try tree.removeDirectory("/dir/..") }
    #expect(throws: Errno.isDirectory) { try tree.unlink("/dir") }
    #expect(throws: Errno.notDirectory) { try tree.removeDirectory("/file") }
  }

  @Test func chrootHoldsParentDirectories() throws {
    let tree = try TestTree(.memory)
    try tree.makeDirectory("/jail")
    try tree.makeDirectory("/jail/in")
    var context = tree.paths
    context.root = try tree.resolve("/jail")
    context.base = context.root
    #expect(try tree.vfs.resolve("../../..", context) == context.root)
    #expect(try tree.vfs.resolve("/in/../..", context) == context.root)
    #expect(try tree.vfs.resolve("/in", context).path(from: context.root) == "/in")
    #expect(tree.vfs.root.path(from: context.root) == nil)
    // openat2(2)
    #expect(throws: Errno.improperLink) { try tree.vfs.resolve("in/../..", context, .beneath) }
    #expect(throws: Errno.improperLink) { try tree.vfs.resolve("/in", context, .beneath) }
  }

  @Test func mountsCoverAndUncover() throws {
    let tree = try TestTree(.memory)
    try tree.makeDirectory("/mnt")
    try tree.makeDirectory("/mnt/below")
    let point = try tree.resolve("/mnt")
    let other = TmpFileSystem(context: tree.context)
    let mount = try tree.vfs.mount(other, root: try other.makeRoot(), at: point, flags: .readOnly)
    #expect(!tree.exists("/mnt/below"))
    #expect(try tree.resolve("/mnt/..") == tree.vfs.root)
    #expect(throws: Errno.readOnlyFileSystem) { try tree.makeDirectory("/mnt/new") }
    #expect(throws: Errno.resourceBusy) { try tree.removeDirectory("/mnt") }
    #expect(throws: Errno.resourceBusy) { try tree.rename("/mnt", "/elsewhere") }
    try tree.vfs.remount(mount, flags: [])
    try tree.makeDirectory("/mnt/new")
    #expect(throws: Errno.improperLink) { try tree.rename("/mnt/new", "/new") }
    #expect(try tree.resolve("/mnt/new").path == "/mnt/new")
    try tree.vfs.unmount(try tree.resolve("/mnt"))
    #expect(tree.exists("/mnt/below"))
  }

  @Test func hostPseudoFileSystemsAndSpecialFilesStayClosed() throws {
    let tree = try TestTree(.memory)
    let host = try HostFileSystem(path: "/", isReadOnly: true, isVolatile: true, context: tree.context)
    let root = try #require(host.root)
    try tree.makeDirectory("/host")
    try tree.vfs.mount(host, root: root, at: try tree.resolve("/host"), flags: .readOnly)
    #expect(try tree.list("/host/proc").isEmpty)
    #expect(!tree.exists("/host/proc/self"))
    #expect(tree.exists("/host/dev/null"))
    #expect(try tree.stat("/host/dev/null").specialDevice == DeviceTable.null)
    let null = try tree.open("/host/dev/null", .readWrite)
    #expect(null is MemoryDevice)
  }
}
