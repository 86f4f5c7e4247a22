import Foundation
import LinuxABI
import Memory
import TestSupport
import Testing

@testable import FileSystem

/// What guests do to an overlay is seen by them, and never by the host.
@Suite struct OverlayTests {
  private func tree() throws -> TestTree {
    try TestTree(.overlay) { host in
      try host.file("a", "lower a")
      try host.file("d/x", "lower x")
      try host.file("d/y", "lower y")
      try host.file("d/sub/deep", "lower deep")
      try host.file("e/z", "lower z")
      try FileManager.default.linkItem(
        at: host.appendingPathComponent("a"), to: host.appendingPathComponent("hard"))
    }
  }

  @Test func writesStayInMemory() throws {
    let tree = try tree()
    let before = try tree.stat("/a")
    let reader = try tree.open("/a")
    try tree.write("/a", " and more", [.writeOnly, .append])
    #expect(try tree.read("/a") == "lower a and more")
    #expect(try tree.read("/hard") == "lower a and more")
    #expect(try reader.read(100) == Array("lower a and more".utf8))
    let after = try tree.stat("/a")
    #expect(after.inode == before.inode && after.device == before.device && after.links == 2)
    #expect(after.size == 16)
    try tree.write("/new", "fresh")
    try tree.write("/d/x", "short", [.writeOnly, .truncate])
    #expect(try tree.read("/d/x") == "short")
    #expect(try tree.host.text("a") == "lower a")
    #expect(try tree.host.text("d/x") == "lower x")
    #expect(!tree.host.has("new"))
  }

  @Test func changesOfAttributesCopyNoData() throws {
    let tree = try tree()
    let used = tree.services.physicalMemory.usedBytes
    try tree.change("/a") {
      $0.permissions = 0o600
      $0.uid = 7
      $0.modificationTime = .set(Timespec(seconds: 5, nanoseconds: 6))
    }
    #expect(tree.services.physicalMemory.usedBytes == used)
    let stat = try tree.stat("/hard")
    #expect(stat.mode == 0o100600 && stat.uid == 7)
    #expect(stat.modificationTime == Timespec(seconds: 5, nanoseconds: 6))
    #expect(try tree.read("/a") == "lower a")
  }

  @Test func removedNamesStayRemoved() throws {
    let tree = try tree()
    try tree.unlink("/d/x")
    #expect(!tree.exists("/d/x"))
    #expect(try Set(tree.list("/d")) == ["y", "sub"])
    #expect(throws: Errno.noSuchFileOrDirectory) { try tree.unlink("/d/x") }
    try tree.makeDirectory("/d/x")
    #expect(try Set(tree.list("/d")) == ["x", "y", "sub"])
    try tree.removeDirectory("/d/x")
    #expect(throws: Errno.directoryNotEmpty) { try tree.removeDirectory("/d") }
    try tree.unlink("/d/y")
    try tree.unlink("/d/sub/deep")
    try tree.removeDirectory("/d/sub")
    try tree.removeDirectory("/d")
    #expect(!tree.exists("/d"))
    // A new directory of that name is empty.
    try tree.makeDirectory("/d")
    #expect(try tree.list("/d").isEmpty)
    #expect(!tree.exists("/d/sub"))
    #expect(tree.host.has("d/sub/deep"))
  }

  @Test func directoriesMoveWithAllThatIsInThem() throws {
    let tree = try tree()
    let inode = try tree.stat("/d/sub/deep").inode
    try tree.write("/d/x", "changed", [.writeOnly, .truncate])
    try tree.unlink("/d/y")
    try tree.rename("/d", "/e/moved")
    #expect(!tree.exists("/d"))
    #expect(try tree.read("/e/moved/x") == "changed")
    #expect(!tree.exists("/e/moved/y"))
    #expect(try tree.read("/e/moved/sub/deep") == "lower deep")
    #expect(try tree.stat("/e/moved/sub/deep").inode == inode)
    #expect(try tree.resolve("/e/moved/sub/..").path == "/e/moved")
    try tree.rename("/e/moved/sub", "/sub")
    #expect(try tree.read("/sub/deep") == "lower deep")
    #expect(try Set(tree.list("/e")) == ["moved", "z"])
    #expect(throws: Errno.invalidArgument) { try tree.rename("/e", "/e/moved/inside") }
    // Round trip: nothing below shines through at the old place.
    try tree.makeDirectory("/d")
    #expect(try tree.list("/d").isEmpty)
    #expect(try tree.host.text("d/sub/deep") == "lower deep")
  }

  @Test func renameReplacesAndExchanges() throws {
    let tree = try tree()
    let held = try tree.open("/d/y")
    try tree.rename("/d/x", "/d/y")
    #expect(try tree.read("/d/y") == "lower x")
    #expect(try held.read(100) == Array("lower y".utf8))
    #expect(!tree.exists("/d/x"))
    #expect(throws: Errno.fileExists) { try tree.rename("/a", "/e/z", .noReplace) }
    try tree.rename("/a", "/e", .exchange)
    #expect(try tree.read("/e") == "lower a")
    #expect(try tree.read("/a/z") == "lower z")
    #expect(throws: Errno.isDirectory) { try tree.rename("/e", "/a") }
    #expect(throws: Errno.notDirectory) { try tree.rename("/a", "/e") }
    // Two names of one file: rename does nothing.
    try tree.rename("/e", "/hard")
    #expect(tree.exists("/e") && tree.exists("/hard"))
  }

  @Test func listingStaysStableWhileEntriesGo() throws {
    let tree = try TestTree(.overlay) { host in
      for index in 0..<50 { try host.file("many/lower\(index)") }
    }
    for index in 0..<50 { try tree.write("/many/upper\(index)", "") }
    let directory = try tree.open("/many", .directory)
    var seen: [String] = []
    var positions: [UInt64] = []
    while true {
      var batch: [DirectoryEntry] = []
      try directory.readDirectory { entry in
        guard batch.count < 7 else { return false }
        batch.append(entry)
        return true
      }
      if batch.isEmpty { break }
      for entry in batch {
        seen.append(entry.name)
        positions.append(entry.next)
        if entry.name != "." && entry.name != ".." { try tree.unlink("/many/\(entry.name)") }
      }
    }
    #expect(seen.count == 102)
    #expect(Set(seen).count == 102)
    #expect(Set(positions).count == 102)
    try tree.removeDirectory("/many")
    #expect(throws: Errno.noSuchFileOrDirectory) { try directory.readDirectory { _ in true } }
  }

  @Test func listedInodeNumbersAreThoseOfStat() throws {
    let tree = try tree()
    try tree.write("/d/new", "")
    let directory = try tree.open("/d", .directory)
    var numbers: [String: UInt64] = [:]
    try directory.readDirectory {
      numbers[$0.name] = $0.inode
      return true
    }
    for name in ["x", "y", "sub", "new"] { #expect(try numbers[name] == tree.stat("/d/\(name)").inode) }
    #expect(try numbers["."] == tree.stat("/d").inode)
    #expect(try numbers[".."] == tree.stat("/").inode)
  }

  @Test func mappingsComeFromTheHostUntilWritten() throws {
    let tree = try tree()
    let first = try tree.open("/a").mappable()
    let second = try tree.open("/hard").mappable()
    #expect(first === second)
    #expect(first.mappingSize == 7)
    guard case .hostFile = try first.mappingBacking() else {
      Issue.record("an unchanged file is mapped from the host")
      return
    }
    let written = try tree.open("/a", .readWrite).mappable()
    guard case .frames(let store) = try written.mappingBacking() else {
      Issue.record("a file that may be written is mapped from memory")
      return
    }
    var buffer = IOBuffer(collecting: 7)
    #expect(try store.read(into: &buffer, at: 0) == 7)
    #expect(buffer.collected == Array("lower a".utf8))
  }

  @Test func bigFilesAreCopiedInParts() throws {
    let text = String(repeating: "0123456789abcdef", count: 5 << 16)
    let tree = try TestTree(.overlay) { host in try host.file("big", text) }
    let file = try tree.open("/big", [.readWrite])
    let other = try tree.open("/big")
    let queue = try #require(file.waitQueue)
    let waiter = CountingWaiter()
    let registration = queue.add(waiter)
    defer { queue.remove(registration) }
    var waits = 0
    while true {
      do throws(Errno) {
        #expect(try file.write(Array("first".utf8)) == 5)
        break
      } catch {
        #expect(error == .wouldBlock)
        waits += 1
        #expect(waiter.count == waits)
        // Until all of it is copied everything is as it was.
        #expect(try other.read(5) == Array("01234".utf8))
        _ = try other.seek(to: 0, whence: .start)
      }
    }
    #expect(waits == 2)
    #expect(try other.read(8) == Array("first567".utf8))
    _ = try other.seek(to: -8, whence: .end)
    #expect(try other.read(100) == Array("89abcdef".utf8))
    #expect(try tree.stat("/big").size == 5 << 20)
    #expect(try tree.host.text("big") == text)
  }

  @Test func bigSparseFilesAreCopiedSparse() throws {
    let tree = try TestTree(.overlay) { host in
      try host.file("sparse", "begin")
      let handle = try FileHandle(forWritingTo: host.appendingPathComponent("sparse"))
      try handle.truncate(atOffset: 1 << 30)
      try handle.seek(toOffset: 600 << 20)
      try handle.write(contentsOf: Data("middle".utf8))
      try handle.close()
    }
    try tree.write("/sparse", "B", [.writeOnly])
    #expect(try tree.stat("/sparse").size == 1 << 30)
    let file = try tree.open("/sparse")
    #expect(try file.read(5) == Array("Begin".utf8))
    _ = try file.seek(to: 600 << 20, whence: .start)
    #expect(try file.read(7) == Array("middle".utf8) + [0])
    #expect(tree.services.physicalMemory.usedBytes < 16 << 20)
  }

  @Test func anOpenFileStaysTheFileItWas() throws {
    let tree = try tree()
    let moved = try tree.open("/d/x", .readWrite)
    try tree.rename("/d/x", "/e/x")
    _ = try moved.write(Array("UPPER".utf8))
    #expect(try tree.read("/e/x") == "UPPER x")
    #expect(try moved.attributes().inode == tree.stat("/e/x").inode)
    let replaced = try tree.open("/d/y")
    try tree.rename("/e/x", "/d/y")
    #expect(try replaced.attributes().links == 0)
    let removed = try tree.open("/e/z")
    try tree.unlink("/e/z")
    #expect(try removed.attributes().links == 0)
    #expect(try removed.read(100) == Array("lower z".utf8))
  }

  @Test func negativeNamesAreForgottenWhenMade() throws {
    let tree = try tree()
    for _ in 0..<2 { #expect(!tree.exists("/d/later")) }
    try tree.write("/d/later", "now")
    #expect(try tree.read("/d/later") == "now")
    try tree.rename("/d/later", "/d/y2")
    #expect(!tree.exists("/d/later"))
    #expect(tree.exists("/d/y2"))
  }
}
