import LinuxABI
import Memory

extension VFS {
  /// Opens a file (openat2(2)). A FIFO that has no peer yet is open, but `isOpenPending`.
  package func open(
    _ path: String, _ context: PathContext, flags: OpenFlags, mode: FileMode = 0, options: ResolveOptions = []
  ) throws(Errno) -> OpenFile {
    var options = options
    if flags.contains(.noFollow) { options.insert(.noFollow) }
    if flags.contains(.path) {
      if flags.contains(.directory) { options.insert(.directory) }
      let location = try resolve(path, context, options)
      return PathFile(flags: flags.intersection([.path, .directory, .noFollow, .closeOnExec]), location: location)
    }
    if flags.contains(.temporary) {
      return try openTemporary(path, context, flags: flags, mode: mode, options: options)
    }
    if !flags.contains(.create) {
      let location = try resolve(path, context, options)
      return try open(location, context.credentials, flags: flags)
    }
    if flags.contains(.directory) { throw .invalidArgument }
    if path.isEmpty { throw .noSuchFileOrDirectory }
    var walk = PathWalk(self, context, options)
    var path = path
    while true {
      let (last, hasSlash) = try walk.walkToLast(path)
      if hasSlash, case .name = last { throw .isDirectory }
      guard case .name(let name) = last else {
        try walk.take(last, following: true)
        throw flags.contains(.exclusive) ? .fileExists : .isDirectory
      }
      guard let child = try walk.child(name) else {
        return try create(name, in: walk.location, context, flags: flags, mode: mode)
      }
      if flags.contains(.exclusive) { throw .fileExists }
      guard child.dentry.inode.kind == .symbolicLink else {
        return try open(child, context.credentials, flags: flags)
      }
      if flags.contains(.noFollow) { throw .tooManySymbolicLinkLevels }
      guard let target = try walk.beginFollowing(child) else {
        return try open(walk.location, context.credentials, flags: flags)
      }
      path = target
    }
  }

  private func create(
    _ name: String, in directory: PathLocation, _ context: PathContext, flags: OpenFlags, mode: FileMode
  ) throws(Errno) -> OpenFile {
    try checkMayCreate(in: directory, context.credentials)
    let parent = directory.dentry
    let (owner, permissions) = PermissionRules.inherit(
      try parent.inode.permissionAttributes(), kind: .regular, permissions: mode.permissions, context)
    let inode = try parent.inode.create(
      name, mode: FileMode(.regular, permissions: permissions), device: 0, owner: owner)
    let dentry = cache.add(inode, to: parent, name)
    // The mode of a new file holds for later opens only.
    return try inode.open(flags, at: PathLocation(mount: directory.mount, dentry: dentry))
  }

  private func openTemporary(
    _ path: String, _ context: PathContext, flags: OpenFlags, mode: FileMode, options: ResolveOptions
  ) throws(Errno) -> OpenFile {
    if !flags.isWritable { throw .invalidArgument }
    let directory = try resolve(path, context, options.union(.directory))
    try checkMayCreate(in: directory, context.credentials)
    let (owner, permissions) = PermissionRules.inherit(
      try directory.dentry.inode.permissionAttributes(), kind: .regular,
      permissions: mode.permissions, context)
    let inode = try directory.dentry.inode.createTemporary(
      permissions: permissions, owner: owner, canBeLinked: !flags.contains(.exclusive))
    let name = "#\(try inode.attributes().inode)"
    let dentry = Dentry(name: name, parent: directory.dentry, inode: inode)
    dentry.isDeleted = true
    return try inode.open(flags, at: PathLocation(mount: directory.mount, dentry: dentry))
  }

  /// Opens what was found at a place, after checking that it may be opened.
  package func open(
    _ location: PathLocation, _ credentials: Credentials, flags: OpenFlags
  ) throws(Errno) -> OpenFile {
    let inode = location.dentry.inode
    let kind = inode.kind
    if flags.contains(.directory) && kind != .directory { throw .notDirectory }
    if kind == .symbolicLink { throw .tooManySymbolicLinkLevels }
    let writes = flags.isWritable || flags.allowsNeither || flags.contains(.truncate)
    if kind == .directory && (writes || flags.contains(.create)) { throw .isDirectory }
    if kind == .directory, flags.contains(.direct) { throw .invalidArgument }
    if kind == .characterDevice || kind == .blockDevice, location.mount.flags.contains(.noDevices) {
      throw .permissionDenied
    }
    var wanted: AccessMode = []
    if flags.isReadable || flags.allowsNeither { wanted.insert(.read) }
    if writes { wanted.insert(.write) }
    let attributes = try inode.permissionAttributes()
    try credentials.check(wanted, attributes)
    if writes && (kind == .regular || kind == .directory) { try checkWritable(location.mount) }
    if writes && inode.executions > 0 { throw .textFileBusy }
    if flags.contains(.noAccessTime) && !credentials.owns(attributes) { throw .notPermitted }
    if flags.contains(.truncate) && kind == .regular {
      var change = AttributeChange()
      change.size = 0
      if !credentials.has(.fsetid) { change.permissions = PermissionRules.withoutPrivileges(attributes.mode) }
      try inode.setAttributes(change)
    }
    return try inode.open(flags, at: location)
  }

  /// A task is about to write: takes capabilities away, and set-user-ID and set-group-ID unless it has CAP_FSETID. Call
  /// it before `OpenFile.write` and `allocate`.
  package static func removePrivileges(of file: OpenFile, _ credentials: Credentials) throws(Errno) {
    guard let inode = file.inode, inode.kind == .regular else { return }
    inode.removeCapabilities()
    guard !credentials.has(.fsetid) else { return }
    guard let mode = PermissionRules.withoutPrivileges(try inode.permissionAttributes().mode) else { return }
    var change = AttributeChange()
    change.permissions = mode
    try file.setAttributes(change)
  }
}

/// A description made with `O_PATH`: a place, and nothing more.
package final class PathFile: OpenFile {
  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    throw .badFileDescriptor
  }
  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    throw .badFileDescriptor
  }
  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 { throw .badFileDescriptor }
  package override func readDirectory(_ emit: (DirectoryEntry) -> Bool) throws(Errno) { throw .badFileDescriptor }
  package override func setAttributes(_ change: AttributeChange) throws(Errno) { throw .badFileDescriptor }
  package override func truncate(to size: UInt64) throws(Errno) { throw .badFileDescriptor }
  package override func allocate(mode: AllocationMode, offset: UInt64, length: UInt64) throws(Errno) {
    throw .badFileDescriptor
  }
  package override func sync(dataOnly: Bool) throws(Errno) { throw .badFileDescriptor }
  package override func mappable() throws(Errno) -> any MappableObject { throw .badFileDescriptor }
}
