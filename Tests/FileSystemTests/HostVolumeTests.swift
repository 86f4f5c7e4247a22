import Foundation
import LinuxABI
import TestSupport
import Testing

@testable import FileSystem

/// Volumes: host directories that guests read and write, and that others on the host change meanwhile.
@Suite struct HostVolumeTests {
  @Test func changesReachTheHost() throws {
    let tree = try TestTree(.volume) { try $0.file("d/x", "x") }
    try tree.write("/d/new", "from the guest")
    #expect(try tree.host.text("d/new") == "from the guest")
    try tree.write("/d/new", "!", [.writeOnly, .append])
    #expect(try tree.host.text("d/new") == "from the guest!")
    try tree.makeDirectory("/made")
    try tree.rename("/d/new", "/made/moved")
    #expect(try tree.host.text("made/moved") == "from the guest!")
    try tree.link("made/moved", "/link")
    #expect(try tree.read("/link") == "from the guest!")
    try tree.vfs.link(try tree.resolve("/made/moved"), "/hard", tree.paths)
    #expect(try tree.stat("/hard").links == 2)
    try tree.unlink("/made/moved")
    #expect(try tree.read("/hard") == "from the guest!")
    #expect(throws: Errno.directoryNotEmpty) { try tree.removeDirectory("/d") }
    try tree.unlink("/d/x")
    try tree.removeDirectory("/d")
    #expect(!tree.host.has("d"))
    try tree.change("/hard") { $0.permissions = 0o4755 }
    // No file of the host becomes set-user-ID.
    #expect(try tree.stat("/hard").mode.permissions == 0o755)
    let file = try tree.open("/hard", .readWrite)
    try file.truncate(to: 4)
    #expect(try tree.host.text("hard") == "from")
    try tree.unlink("/hard")
    #expect(try file.attributes().links == 0)
    #expect(try file.read(10) == Array("from".utf8))
  }

  @Test func aMovedDirectoryKeepsItsContents() throws {
    let tree = try TestTree(.volume) { try $0.file("one/two/three/file", "deep") }
    _ = try tree.read("/one/two/three/file")
    let inside = try tree.resolve("/one/two/three")
    try tree.makeDirectory("/other")
    try tree.rename("/one/two", "/other/two")
    #expect(try tree.read("/other/two/three/file") == "deep")
    var context = tree.paths
    context.base = inside
    #expect(try tree.vfs.resolve("file", context).path == "/other/two/three/file")
    try tree.write("/other/two/three/more", "more")
    #expect(try tree.host.text("other/two/three/more") == "more")
  }

  @Test func changesOfOthersAreSeen() throws {
    let tree = try TestTree(.volume) { try $0.file("d/x", "old") }
    #expect(try tree.read("/d/x") == "old")
    #expect(!tree.exists("/d/y"))
    try tree.host.file("d/y", "appeared")
    #expect(try tree.read("/d/y") == "appeared")
    let files = FileManager.default
    try files.removeItem(at: tree.host.appendingPathComponent("d/x"))
    #expect(!tree.exists("/d/x"))
    try tree.host.directory("d/x")
    #expect(try tree.stat("/d/x").mode.kind == .directory)
    try files.removeItem(at: tree.host.appendingPathComponent("d"))
    #expect(!tree.exists("/d/y"))
    #expect(throws: Errno.noSuchFileOrDirectory) { try tree.write("/d/z", "") }
  }

  @Test func readOnlyVolumesStayAsTheyAre() throws {
    let tree = try TestTree(.readOnly) { try $0.file("d/x", "x") }
    #expect(throws: Errno.readOnlyFileSystem) { try tree.write("/d/x", "y") }
    #expect(throws: Errno.readOnlyFileSystem) { try tree.write("/d/new", "y") }
    #expect(throws: Errno.readOnlyFileSystem) { try tree.makeDirectory("/e") }
    #expect(throws: Errno.fileExists) { try tree.makeDirectory("/d") }
    #expect(throws: Errno.readOnlyFileSystem) { try tree.unlink("/d/x") }
    #expect(throws: Errno.readOnlyFileSystem) { try tree.rename("/d/x", "/d/y") }
    #expect(throws: Errno.readOnlyFileSystem) { try tree.change("/d/x") { $0.permissions = 0o777 } }
    #expect(throws: Errno.readOnlyFileSystem) {
      _ = try tree.vfs.openToTruncate(try tree.resolve("/d/x"), tree.credentials)
    }
    #expect(try tree.host.text("d/x") == "x")
  }

  @Test func aSingleFileIsAVolumeToo() throws {
    let tree = try TestTree(.memory) { try $0.file("only", "one file") }
    let files = try HostFileSystem(
      path: tree.host.appendingPathComponent("only").path, isReadOnly: false, isVolatile: true, context: tree.context)
    try tree.write("/point", "below")
    try tree.vfs.mount(files, root: try #require(files.root), at: try tree.resolve("/point"))
    #expect(try tree.read("/point") == "one file")
    try tree.write("/point", "changed", [.writeOnly, .truncate])
    #expect(try tree.host.text("only") == "changed")
    #expect(try tree.resolve("/point").path == "/point")
  }

  @Test func nothingButFilesAndDirectoriesIsOpened() throws {
    let tree = try TestTree(.volume)
    try tree.vfs.makeNode("/fifo", tree.paths, mode: FileMode(.fifo, permissions: 0o600))
    #expect(tree.host.has("fifo"))
    // A pipe of Apus: the host's FIFO would have no reader.
    let end = try tree.open("/fifo", [.readWrite])
    _ = try end.write(Array("hello".utf8))
    #expect(try end.read(5) == Array("hello".utf8))
    try tree.vfs.makeNode("/socket", tree.paths, mode: FileMode(.socket, permissions: 0o600))
    #expect(throws: Errno.noSuchAddressOrDevice) { try tree.open("/socket") }
    #expect(throws: Errno.notPermitted) {
      try tree.vfs.makeNode(
        "/device", tree.paths, mode: FileMode(.characterDevice, permissions: 0o600), device: DeviceTable.null)
    }
  }

  @Test func manyDirectoriesNeedFewDescriptors() throws {
    let tree = try TestTree(.memory) { host in
      for index in 0..<100 { try host.file("d\(index)/sub/f", "\(index)") }
    }
    let files = try HostFileSystem(
      path: tree.host.path, isReadOnly: false, isVolatile: true, directoryLimit: 16, context: tree.context)
    try tree.makeDirectory("/host")
    try tree.vfs.mount(files, root: try #require(files.root), at: try tree.resolve("/host"))
    for index in 0..<100 { #expect(try tree.read("/host/d\(index)/sub/f") == "\(index)") }
    #expect(files.openDirectoryCount <= 16)
    try tree.rename("/host/d0/sub/f", "/host/d99/sub/g")
    #expect(try tree.read("/host/d99/sub/g") == "0")
  }

  /// Where the host's files don't change, those who read one share a descriptor, which few files keep.
  @Test func readersShareDescriptors() throws {
    let tree = try TestTree(.memory) { host in
      for index in 0..<40 { try host.file("f\(index)", "\(index) abc") }
    }
    let files = try HostFileSystem(
      path: tree.host.path, isReadOnly: true, isVolatile: false, directoryLimit: 16, context: tree.context)
    try tree.makeDirectory("/host")
    try tree.vfs.mount(files, root: try #require(files.root), at: try tree.resolve("/host"))
    let first = try tree.open("/host/f0", [])
    for index in 0..<40 { #expect(try tree.read("/host/f\(index)") == "\(index) abc") }
    #expect(files.openFileCount > 0 && files.openFileCount <= 4)
    // Each open file has its own place, and outlives what is kept.
    let second = try tree.open("/host/f0", [])
    #expect(try first.read(3) == Array("0 a".utf8))
    #expect(try second.read(3) == Array("0 a".utf8))
    first.close()
    #expect(try second.read(2) == Array("bc".utf8))
    second.close()
    #expect(try tree.read("/host/f0") == "0 abc")
  }
}
