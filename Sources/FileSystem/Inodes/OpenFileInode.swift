import LinuxABI

/// Stands for an open file without a path where a path is needed: what `/proc/PID/fd/N` of a pipe leads to.
package final class OpenFileInode: Inode {
  private let file: OpenFile
  package init(_ file: OpenFile) { self.file = file }

  /// A place for a file, in no directory.
  package static func location(of file: OpenFile, in fileSystem: any MountedFileSystem) -> PathLocation {
    let dentry = Dentry(name: file.description, parent: nil, inode: OpenFileInode(file))
    return PathLocation(
      mount: Mount(root: dentry, point: nil, fileSystem: fileSystem, flags: []), dentry: dentry)
  }

  package override var kind: FileMode.Kind {
    (try? file.attributes()).flatMap { $0.mode.kind } ?? .regular
  }
  package override func attributes() throws(Errno) -> Stat { try file.attributes() }
  /// Truncation alone, for `O_TRUNC`.
  package override func setAttributes(_ change: AttributeChange) throws(Errno) {
    guard let size = change.size, change.permissions == nil, change.uid == nil, change.gid == nil else {
      throw .notPermitted
    }
    try file.truncate(to: size)
  }
  package override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    try file.reopen(flags)
  }
}
