import LinuxABI
import Memory
import TestSupport
import Testing

@testable import FileSystem

/// tmpfs, and the rules of permissions that hold on every file system.
@Suite struct MemoryFileSystemTests {
  @Test func linksAreCounted() throws {
    let tree = try TestTree(.memory)
    try tree.makeDirectory("/d")
    try tree.makeDirectory("/d/e")
    #expect(try tree.stat("/d").links == 3)
    try tree.write("/d/f", "data")
    try tree.vfs.link(try tree.resolve("/d/f"), "/g", tree.paths)
    #expect(try tree.stat("/g").links == 2)
    let file = try tree.open("/g", .readWrite)
    try tree.unlink("/g")
    try tree.unlink("/d/f")
    #expect(try file.attributes().links == 0)
    #expect(try file.read(10) == Array("data".utf8))
    #expect(file.description == "/g (deleted)")
    try tree.rename("/d/e", "/e")
    #expect(try tree.stat("/d").links == 2)
    let directory = try tree.resolve("/d")
    try tree.removeDirectory("/d")
    var context = tree.paths
    context.base = directory
    #expect(throws: Errno.noSuchFileOrDirectory) { try tree.vfs.makeDirectory("x", context, mode: 0o755) }
  }

  @Test func temporaryFilesGetNamesLater() throws {
    let tree = try TestTree(.memory)
    let file = try tree.open("/", [.temporary, .readWrite])
    _ = try file.write(Array("hidden".utf8))
    #expect(try tree.list("/").isEmpty)
    try tree.vfs.link(try #require(file.location), "/named", tree.paths)
    #expect(try tree.read("/named") == "hidden")
    #expect(try tree.stat("/named").links == 1)
    #expect(throws: Errno.invalidArgument) { try tree.open("/", .temporary) }
  }

  @Test func sizesAndHoles() throws {
    let tree = try TestTree(.memory)
    let file = try tree.open("/f", [.create, .readWrite])
    _ = try file.seek(to: 1 << 20, whence: .start)
    _ = try file.write([1, 2, 3])
    #expect(try file.attributes().size == 1 << 20 + 3)
    #expect(try file.attributes().blocks < 1024)
    #expect(try file.seek(to: 0, whence: .data) == 1 << 20)
    #expect(try file.seek(to: 0, whence: .hole) == 0)
    #expect(throws: Errno.noSuchAddressOrDevice) { try file.seek(to: 2 << 20, whence: .data) }
    #expect(throws: Errno.invalidArgument) { try file.seek(to: -1, whence: .start) }
    try file.truncate(to: 1 << 20 + 1)
    #expect(try file.seek(to: -1, whence: .end) == 1 << 20)
    #expect(try file.read(10) == [1])
    try file.allocate(mode: [], offset: 0, length: 8192)
    #expect(try file.attributes().size == 1 << 20 + 1)
    #expect(throws: Errno.notSupported) { try file.allocate(mode: .insertRange, offset: 0, length: 4096) }
  }

  @Test func limitsAreKept() throws {
    let tree = try TestTree(.memory)
    let small = TmpFileSystem(size: 1 << 16, nodeLimit: 4, context: tree.context)
    try tree.makeDirectory("/small")
    try tree.vfs.mount(small, root: try small.makeRoot(), at: try tree.resolve("/small"))
    let file = try tree.open("/small/f", [.create, .readWrite])
    var written = 0
    #expect(throws: Errno.noSpace) {
      while true { written += try file.write([UInt8](repeating: 1, count: 4096)) }
    }
    #expect(written == 1 << 16)
    try file.truncate(to: 0)
    #expect(try file.write([1], at: 0) == 1)
    try tree.write("/small/g", "")
    try tree.write("/small/h", "")
    #expect(throws: Errno.noSpace) { try tree.write("/small/i", "") }
    try tree.unlink("/small/g")
    try tree.write("/small/i", "")
  }

  /// What makes the kernel keep something is refused where there is no memory for it, and gives it back when it goes.
  @Test func whatIsKeptCounts() throws {
    let tree = try TestTree(.memory)
    let memory = tree.context.services.kernelMemory
    let before = memory.bytes
    try tree.write("/f", "")
    try tree.vfs.makeSymbolicLink("/l", tree.paths, target: String(repeating: "t", count: 4000))
    var inode: FileSystem.Inode? = try tree.resolve("/f").dentry.inode
    try inode?.setExtendedAttribute("user.a", [UInt8](repeating: 0, count: 60000), flags: [])
    #expect(memory.bytes - before > 64000)
    try inode?.setExtendedAttribute("user.a", [1], flags: [])
    #expect(memory.bytes - before < 12000)
    try tree.rename("/f", "/g")
    try tree.rename("/g", "/l")
    let names = memory.bytes
    let full = try memory.charge(Int(tree.context.services.physicalMemory.limit / 2) - names)
    #expect(throws: Errno.noSpace) { try tree.write("/h", "") }
    #expect(throws: Errno.noSpace) { try inode?.setExtendedAttribute("user.b", [], flags: []) }
    inode = nil
    try tree.unlink("/l")
    try tree.write("/i", "")
    try tree.unlink("/i")
    _ = consume full
  }

  @Test func sealsHold() throws {
    let tree = try TestTree(.memory)
    let file = try tree.vfs.memoryFiles.makeMemoryFile("m", isSealable: true, owner: tree.credentials)
    _ = try file.write(Array("sealed".utf8))
    try file.addSeals([.shrink, .grow])
    #expect(throws: Errno.notPermitted) { try file.truncate(to: 0) }
    #expect(throws: Errno.notPermitted) { try file.truncate(to: 100) }
    _ = try file.seek(to: 0, whence: .start)
    #expect(try file.write([0x53]) == 1)
    try file.addSeals([.write, .seal])
    #expect(throws: Errno.notPermitted) { try file.write([0]) }
    #expect(throws: Errno.notPermitted) { try file.addSeals(.execute) }
    #expect(file.description == "/memfd:m (deleted)")
    let plain = try tree.vfs.memoryFiles.makeMemoryFile("p", isSealable: false, owner: tree.credentials)
    #expect(throws: Errno.notPermitted) { try plain.addSeals(.write) }
  }

  @Test func permissionsFollowTheGuestsCredentials() throws {
    let tree = try TestTree(.memory)
    try tree.makeDirectory("/private", mode: 0o700)
    try tree.write("/private/f", "secret")
    try tree.makeDirectory("/shared")
    try tree.change("/shared") { $0.permissions = 0o1777 }
    try tree.write("/shared/roots", "root's")
    try tree.write("/group", "group's")
    try tree.change("/group") {
      $0.permissions = 0o640
      $0.gid = 50
    }
    tree.credentials = Credentials(uid: 1000, gid: 1000)
    #expect(throws: Errno.permissionDenied) { try tree.read("/private/f") }
    #expect(throws: Errno.permissionDenied) { try tree.write("/new", "") }
    #expect(throws: Errno.permissionDenied) { try tree.read("/group") }
    tree.credentials.groups = [50]
    #expect(try tree.read("/group") == "group's")
    #expect(throws: Errno.permissionDenied) { try tree.write("/group", "x", .writeOnly) }
    // The sticky bit protects what others own.
    #expect(throws: Errno.notPermitted) { try tree.unlink("/shared/roots") }
    try tree.write("/shared/mine", "mine")
    #expect(throws: Errno.notPermitted) { try tree.rename("/shared/mine", "/shared/roots") }
    try tree.unlink("/shared/mine")
    let root = try tree.resolve("/shared/roots")
    #expect(throws: Errno.notPermitted) {
      try tree.vfs.permissionChange(root.dentry.inode, on: root.mount, 0o777, tree.credentials)
    }
    #expect(throws: Errno.notPermitted) {
      try tree.vfs.ownerChange(root.dentry.inode, on: root.mount, uid: 1000, gid: nil, tree.credentials)
    }
    #expect(throws: Errno.permissionDenied) {
      try tree.vfs.timeChange(
        root.dentry.inode, on: root.mount, access: .now, modification: .now, tree.credentials)
    }
  }

  @Test func setGroupIDDirectoriesHandTheirGroupOn() throws {
    let tree = try TestTree(.memory)
    try tree.makeDirectory("/g")
    try tree.change("/g") {
      $0.permissions = 0o2777
      $0.gid = 60
    }
    tree.credentials = Credentials(uid: 1000, gid: 1000)
    try tree.write("/g/f", "")
    try tree.makeDirectory("/g/d")
    #expect(try tree.stat("/g/f").gid == 60)
    #expect(try tree.stat("/g/d").gid == 60)
    #expect(try tree.stat("/g/d").mode.permissions & 0o2000 != 0)
  }

  @Test func writingTakesPrivilegesAway() throws {
    let tree = try TestTree(.memory)
    try tree.write("/s", "suid")
    try tree.change("/s") { $0.permissions = 0o6777 }
    let file = try tree.open("/s", .readWrite)
    try VFS.removePrivileges(of: file, tree.credentials)
    #expect(try tree.stat("/s").mode.permissions == 0o6777)
    try VFS.removePrivileges(of: file, Credentials(uid: 1000, gid: 1000))
    #expect(try tree.stat("/s").mode.permissions == 0o777)
  }

  @Test func extendedAttributes() throws {
    let tree = try TestTree(.memory)
    try tree.write("/f", "")
    let inode = try tree.resolve("/f").dentry.inode
    #expect(throws: Errno.noData) { try inode.extendedAttribute("user.a") }
    try inode.setExtendedAttribute("user.a", [1, 2], flags: [])
    #expect(throws: Errno.fileExists) { try inode.setExtendedAttribute("user.a", [], flags: .create) }
    #expect(throws: Errno.noData) { try inode.setExtendedAttribute("user.b", [], flags: .replace) }
    #expect(try inode.extendedAttribute("user.a") == [1, 2])
    #expect(try inode.extendedAttributeNames() == ["user.a"])
    // A value may be replaced where there is no room for another.
    try inode.setExtendedAttribute("user.a", [UInt8](repeating: 1, count: 65530), flags: [])
    #expect(throws: Errno.noSpace) { try inode.setExtendedAttribute("user.b", [1], flags: []) }
    try inode.setExtendedAttribute("user.a", [1, 2], flags: .replace)
    try inode.removeExtendedAttribute("user.a")
    #expect(try inode.extendedAttributeNames().isEmpty)
  }

  @Test func namesThatAreNotUnicode() throws {
    let samples: [[UInt8]] = [
      [0xFF], [0x61, 0xC3], [0xC3, 0xA9], [0x65, 0xCC, 0x81], [0xF4, 0x8F, 0xB8, 0x80], [0xED, 0xA0, 0x80], [],
    ]
    for sample in samples { #expect(FileName.bytes(FileName.string(sample)) == sample) }
    let tree = try TestTree(.memory)
    // Canonically equivalent, and two names.
    try tree.write("/" + FileName.string([0xC3, 0xA9]), "composed")
    try tree.write("/" + FileName.string([0x65, 0xCC, 0x81]), "decomposed")
    #expect(try tree.list("/").count == 2)
    #expect(try tree.read("/" + FileName.string([0xC3, 0xA9])) == "composed")
  }

  @Test func theCacheOfNamesStaysBounded() throws {
    let cache = DentryCache(limit: 100, memory: KernelMemory())
    let tree = try TestTree(.memory)
    let root = Dentry(name: "", parent: nil, inode: try tree.resolve("/").dentry.inode)
    cache.addRoot(root)
    try tree.write("/kept", "")
    let kept = try cache.child(of: root, "kept")
    for index in 0..<1000 { #expect(try cache.child(of: root, "missing\(index)") == nil) }
    #expect(cache.count <= 101)
    #expect(try cache.child(of: root, "kept") === kept)
  }

  /// A program in a very deep directory holds all names above it: looking for unused ones each time would take for ever.
  @Test func aCacheOfNamesInUseIsSeldomSearched() throws {
    let cache = DentryCache(limit: 100, memory: KernelMemory())
    let tree = try TestTree(.memory)
    let inode = try tree.resolve("/").dentry.inode
    var deepest = Dentry(name: "", parent: nil, inode: inode)
    cache.addRoot(deepest)
    for _ in 0..<2000 { deepest = cache.add(inode, to: deepest, "d") }
    #expect(cache.count == 2000)
    #expect(cache.prunings < 100)
    for index in 0..<200 { #expect(try cache.child(of: deepest, "missing\(index)") == nil) }
    #expect(cache.count < 2200)
  }
}

extension OpenFile {
  func write(_ bytes: [UInt8], at offset: UInt64) throws(Errno) -> Int {
    var buffer = IOBuffer(bytes: bytes)
    return try write(from: &buffer, at: offset)
  }
}
