import LinuxABI
import Memory
import TestSupport
import Testing

@testable import FileSystem

@Suite struct GeneratedFileTests {
  final class Counter { var value = 0 }

  @Test func textIsMadeAgainWhenReadFromTheStart() throws {
    let system = GeneratedFileSystem(
      typeName: "proc", magic: .proc, deviceNumber: DeviceNumber.make(0, 99), fileSize: 0, time: 0)
    let counter = Counter()
    var written = ""
    let root = system.directory([
      (
        "count",
        system.file { () throws(Errno) in
          counter.value += 1
          return "made \(counter.value)\n"
        }
      ),
      (
        "name",
        system.file(
          { () throws(Errno) in written + "\n" }, write: { (text) throws(Errno) in written = text })
      ),
    ])
    let services = try TestServices()
    let kernel = FileSystemContext(services: services)
    let vfs = VFS(context: kernel)
    try vfs.mount(system, root: root, at: vfs.root)
    let context = PathContext(root: vfs.root, base: vfs.root, credentials: Credentials(uid: 0, gid: 0))
    let file = try vfs.open("/count", context, flags: [])
    #expect(try file.read(3) == Array("mad".utf8))
    #expect(try file.read(64) == Array("e 1\n".utf8))
    #expect(try file.read(64) == [])
    _ = try file.seek(to: 0, whence: .start)
    #expect(try file.read(64) == Array("made 2\n".utf8))
    #expect(try file.attributes().size == 0)

    let name = try vfs.open("/name", context, flags: [.writeOnly, .truncate])
    #expect(try name.write(Array("new".utf8)) == 3)
    #expect(written == "new")
    #expect(throws: Errno.noSuchFileOrDirectory) { try vfs.open("/missing", context, flags: []) }
    #expect(throws: Errno.permissionDenied) { try vfs.open("/missing", context, flags: [.create, .writeOnly]) }
    let listing = try vfs.open("/", context, flags: .directory)
    var names: [String] = []
    try listing.readDirectory { entry in
      names.append(entry.name)
      return true
    }
    #expect(names == [".", "..", "count", "name"])
    // The file systems do not keep their services alive.
    #expect(services.watched.isEmpty)
  }

  @Test func pipesCanBeOpenedAgainByTheirPlace() throws {
    let system = GeneratedFileSystem(
      typeName: "proc", magic: .proc, deviceNumber: DeviceNumber.make(0, 99), fileSize: 0, time: 0)
    let (reader, writer) = Pipe.make(flags: [], owner: Credentials(uid: 0, gid: 0), time: 0)
    let place = OpenFileInode.location(of: reader, in: system)
    #expect(place.dentry.inode.kind == .fifo)
    let again = try place.dentry.inode.open([], at: place)
    _ = try writer.write([1])
    #expect(try again.read(4) == [1])
  }
}
