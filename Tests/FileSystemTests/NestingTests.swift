import LinuxABI
import Memory
import Testing

@testable import FileSystem

/// What guests nest as deep as they like must not be released by recursion: no stack is deep enough.
@Suite struct NestingTests {
  private static let depth = 60_000
  private let owner = Credentials(uid: 0, gid: 0)

  @Test func directories() throws {
    let tree = try TestTree(.memory)
    var fileSystem: TmpFileSystem? = TmpFileSystem(context: tree.context)
    let usage = try #require(fileSystem?.usage)
    var root: FileSystem.Inode? = try fileSystem?.makeRoot()
    var deepest = root
    for _ in 0..<NestingTests.depth {
      deepest = try deepest?.makeDirectory("d", permissions: 0o755, owner: owner)
    }
    #expect(usage.nodes == UInt64(NestingTests.depth) + 1)
    deepest = nil
    root = nil
    fileSystem = nil
    #expect(usage.nodes == 0)
  }

  @Test func names() throws {
    let inode = try TestTree(.memory).resolve("/").dentry.inode
    weak var root: Dentry?
    do {
      var deepest = Dentry(name: "", parent: nil, inode: inode)
      root = deepest
      for _ in 0..<NestingTests.depth { deepest = Dentry(name: "d", parent: deepest, inode: inode) }
    }
    #expect(root == nil)
  }

  @Test func mounts() throws {
    let tree = try TestTree(.memory)
    let context = tree.context
    try tree.makeDirectory("/d")
    let first = try tree.resolve("/d")
    weak var innermost: Mount?
    do {
      var point = first
      for _ in 0..<5000 {
        let fileSystem = TmpFileSystem(context: context)
        let root = try fileSystem.makeRoot()
        let mount = try tree.vfs.mount(fileSystem, root: root, at: point)
        let inode = try root.makeDirectory("d", permissions: 0o755, owner: owner)
        point = PathLocation(mount: mount, dentry: Dentry(name: "d", parent: mount.root, inode: inode))
        innermost = mount
      }
      #expect(throws: Errno.resourceBusy) { try tree.vfs.unmount(try tree.resolve("/d")) }
      try tree.vfs.unmount(try tree.resolve("/d"), detach: true)
    }
    #expect(try tree.resolve("/d") == first)
    #expect(innermost == nil)
  }
}
