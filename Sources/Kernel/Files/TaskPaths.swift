import FileSystem
import LinuxABI
import Memory
import Network

/// Paths as system calls take them.
extension Task {
  /// Reads a path. - Throws: `ENAMETOOLONG` past `PATH_MAX`.
  func path(_ path: GuestPath) throws(Errno) -> String {
    FileName.string(try memory.readCString(path.address, limit: FileName.maximumPathLength))
  }

  /// Where paths start, relative ones in the working directory.
  var paths: PathContext {
    PathContext(root: fs.root, base: fs.workingDirectory, credentials: credentials, umask: fs.umask)
  }

  /// Where a path starts that comes with a directory descriptor. - Throws: `EBADF`, `ENOTDIR`; before that, `ENOENT` for
  /// an empty path where that is nothing special.
  func paths(
    at directory: DirectoryDescriptor, for path: String, allowsEmpty: Bool = false
  ) throws(Errno) -> PathContext {
    if path.isEmpty, !allowsEmpty { throw .noSuchFileOrDirectory }
    if directory.isWorkingDirectory || path.utf8.first == UInt8(ascii: "/") { return paths }
    guard let location = try files.file(directory.descriptor).location else { throw .notDirectory }
    return PathContext(root: fs.root, base: location, credentials: credentials, umask: fs.umask)
  }

  /// What a path names, below a directory descriptor.
  func resolve(
    at directory: DirectoryDescriptor, _ path: GuestPath, _ options: ResolveOptions = []
  ) throws(Errno) -> PathLocation {
    let path = try self.path(path)
    let context = try paths(at: directory, for: path, allowsEmpty: options.contains(.emptyPath))
    return try kernel.vfs.resolve(path, context, options)
  }

  /// What a path names, below the working directory.
  func resolve(_ path: GuestPath, _ options: ResolveOptions = []) throws(Errno) -> PathLocation {
    try kernel.vfs.resolve(try self.path(path), paths, options)
  }

  /// What a call with `AT_EMPTY_PATH` works on: a descriptor's own file, or what a path names.
  enum PathTarget {
    case file(OpenFile)
    case location(PathLocation)

    var inode: FileSystem.Inode? {
      switch self {
      case .file(let file): file.inode
      case .location(let location): location.dentry.inode
      }
    }

    /// A socket's own attributes are not those of a file.
    var socket: Socket? {
      guard case .file(let file) = self else { return nil }
      return file as? Socket
    }

    var mount: Mount? {
      switch self {
      case .file(let file): file.location?.mount
      case .location(let location): location.mount
      }
    }

    func setAttributes(_ change: AttributeChange) throws(Errno) {
      switch self {
      case .file(let file): try file.setAttributes(change)
      case .location(let location): try location.dentry.inode.setAttributes(change)
      }
    }
  }

  /// Resolves `dirfd`, `pathname` and `flags` as the calls with `AT_EMPTY_PATH` do.
  func target(
    at directory: DirectoryDescriptor, _ path: GuestPath, _ flags: AtFlags
  ) throws(Errno) -> PathTarget {
    let isEmptyAllowed = flags.contains(.emptyPath)
    let path = isEmptyAllowed && path.address.isNull ? "" : try self.path(path)
    if path.isEmpty && isEmptyAllowed && !directory.isWorkingDirectory {
      let file = try files.file(directory.descriptor)
      if file.flags.contains(.path), let location = file.location { return .location(location) }
      return .file(file)
    }
    var options: ResolveOptions = flags.contains(.symbolicLinkNoFollow) ? .noFollow : []
    if isEmptyAllowed { options.insert(.emptyPath) }
    let context = try paths(at: directory, for: path, allowsEmpty: isEmptyAllowed)
    return .location(try kernel.vfs.resolve(path, context, options))
  }
}
