import LinuxABI

/// A file system whose files are made up when they are opened (proc(5), sysfs(5)).
package final class GeneratedFileSystem: MountedFileSystem {
  package let typeName: String
  package let deviceNumber: UInt64
  private let magic: FileSystemMagic
  /// Size that stat(2) gives for its regular files.
  let fileSize: Int64
  /// Time of all its files.
  let time: Timespec
  private var lastNumber: UInt64 = 1

  package init(typeName: String, magic: FileSystemMagic, deviceNumber: UInt64, fileSize: Int64, time: Nanoseconds) {
    self.typeName = typeName
    self.magic = magic
    self.deviceNumber = deviceNumber
    self.fileSize = fileSize
    self.time = Timespec(time)
  }

  package var source: String { typeName }
  package func statistics() throws(Errno) -> StatFS {
    var result = StatFS()
    result.type = magic.rawValue
    return result
  }

  /// An inode number for a file that always exists.
  package func nextNumber() -> UInt64 {
    lastNumber += 1
    return lastNumber
  }

  // MARK: Files

  /// A file that is read whole.
  package func file(
    permissions: UInt32 = 0o444, number: UInt64? = nil, owner: GeneratedInode.Owner? = nil,
    _ read: @escaping () throws(Errno) -> String
  ) -> GeneratedInode {
    let content = GeneratedInode.Content.file(read: { () throws(Errno) in Array(try read().utf8) }, write: nil)
    return GeneratedInode(self, content, permissions, number ?? nextNumber(), owner)
  }

  /// A file that may be written, too.
  package func file(
    permissions: UInt32 = 0o644, number: UInt64? = nil, owner: GeneratedInode.Owner? = nil,
    _ read: @escaping () throws(Errno) -> String, write: @escaping (String) throws(Errno) -> Void
  ) -> GeneratedInode {
    let content = GeneratedInode.Content.file(
      read: { () throws(Errno) in Array(try read().utf8) },
      write: { (bytes) throws(Errno) in try write(String(decoding: bytes, as: UTF8.self)) })
    return GeneratedInode(self, content, permissions, number ?? nextNumber(), owner)
  }

  /// A directory whose entries are always the same.
  package func directory(_ children: [(String, Inode)]) -> GeneratedInode {
    GeneratedInode(self, .directory(FixedDirectory(children)), 0o555, nextNumber(), nil)
  }
}

/// The entries of a generated directory.
package protocol GeneratedDirectory: AnyObject {
  /// The file of that name; nil where there is none.
  func child(_ name: String) throws(Errno) -> Inode?
  /// Tells whether a name still means the file that was found before. Directories whose entries never change are not
  /// asked.
  func isCurrent(_ name: String, _ inode: Inode) -> Bool
  var isVolatile: Bool { get }
  func entries() throws(Errno) -> [DirectoryEntry]
}

/// A directory whose entries never change.
private final class FixedDirectory: GeneratedDirectory {
  private let children: [(name: String, inode: Inode)]
  init(_ children: [(String, Inode)]) { self.children = children }
  var isVolatile: Bool { false }
  func child(_ name: String) throws(Errno) -> Inode? { children.first { $0.name == name }?.inode }
  func isCurrent(_ name: String, _ inode: Inode) -> Bool { true }
  func entries() throws(Errno) -> [DirectoryEntry] {
    children.map {
      DirectoryEntry(inode: ($0.inode as? GeneratedInode)?.number ?? 0, next: 0, kind: $0.inode.kind, name: $0.name)
    }
  }
}
