import LinuxABI

/// Making, removing and moving names.
extension VFS {
  /// mkdir(2).
  @discardableResult
  package func makeDirectory(_ path: String, _ context: PathContext, mode: FileMode) throws(Errno) -> PathLocation {
    let (directory, name) = try resolveForCreation(path, context, kind: .directory)
    let parent = directory.dentry
    // The set-ID bits have no meaning here (mkdir(2)).
    let asked = mode.permissions & (FileMode.accessMask | FileMode.sticky)
    let (owner, permissions) = PermissionRules.inherit(
      try parent.inode.permissionAttributes(), kind: .directory, permissions: asked, context)
    let inode = try parent.inode.makeDirectory(name, permissions: permissions, owner: owner)
    return PathLocation(mount: directory.mount, dentry: cache.add(inode, to: parent, name))
  }

  /// mknod(2): a regular file, FIFO, socket or device node. Device nodes need CAP_MKNOD, except a whiteout
  /// (character device 0:0).
  @discardableResult
  package func makeNode(
    _ path: String, _ context: PathContext, mode: FileMode, device: UInt64 = 0
  ) throws(Errno) -> PathLocation {
    let kind = mode.rawValue & FileMode.kindMask == 0 ? .regular : mode.kind
    switch kind {
    case .regular?, .fifo?, .socket?, .characterDevice?, .blockDevice?: break
    case .directory?: throw .notPermitted
    default: throw .invalidArgument
    }
    guard let kind else { throw .invalidArgument }
    let (directory, name) = try resolveForCreation(path, context, kind: kind)
    let isDevice = kind == .characterDevice || kind == .blockDevice
    let isWhiteout = kind == .characterDevice && device == 0
    if isDevice && !isWhiteout && !context.credentials.has(.mknod) { throw .notPermitted }
    let parent = directory.dentry
    let (owner, permissions) = PermissionRules.inherit(
      try parent.inode.permissionAttributes(), kind: kind, permissions: mode.permissions, context)
    let inode = try parent.inode.create(
      name, mode: FileMode(kind, permissions: permissions), device: device, owner: owner)
    return PathLocation(mount: directory.mount, dentry: cache.add(inode, to: parent, name))
  }

  /// symlink(2).
  package func makeSymbolicLink(_ path: String, _ context: PathContext, target: String) throws(Errno) {
    if target.isEmpty { throw .noSuchFileOrDirectory }
    let (directory, name) = try resolveForCreation(path, context, kind: .symbolicLink)
    let parent = directory.dentry
    let (owner, _) = PermissionRules.inherit(
      try parent.inode.permissionAttributes(), kind: .symbolicLink, permissions: 0o777, context)
    let inode = try parent.inode.makeSymbolicLink(name, target: target, owner: owner)
    _ = cache.add(inode, to: parent, name)
  }

  /// link(2).
  package func link(_ source: PathLocation, _ path: String, _ context: PathContext) throws(Errno) {
    let inode = source.dentry.inode
    // That a directory can't get a second name is found out last: the new name is looked up as any other file's.
    let kind = inode.kind == .directory ? .regular : inode.kind
    let (directory, name) = try resolveForCreation(path, context, kind: kind)
    if source.mount !== directory.mount { throw .improperLink }
    if protectsLinks { try checkMayLink(inode, context.credentials) }
    if inode.kind == .directory { throw .notPermitted }
    let parent = directory.dentry
    try parent.inode.link(name, to: inode)
    _ = cache.add(inode, to: parent, name)
  }

  /// `fs.protected_hardlinks` of proc_sys_fs(5): others make links only to regular files that they may read and write, and
  /// that give nobody rights. - Throws: `EPERM`.
  private func checkMayLink(_ inode: Inode, _ credentials: Credentials) throws(Errno) {
    let file = try inode.permissionAttributes()
    if credentials.owns(file) { return }
    guard inode.kind == .regular, !file.mode.hasAny(of: FileMode.setUserID),
      !file.mode.hasAll(of: FileMode.setGroupID | FileMode.groupExecute),
      (try? credentials.check([.read, .write], file)) != nil
    else { throw .notPermitted }
  }

  /// unlink(2).
  package func unlink(_ path: String, _ context: PathContext) throws(Errno) {
    var walk = PathWalk(self, context, [])
    if path.isEmpty { throw .noSuchFileOrDirectory }
    let (last, hasSlash) = try walk.walkToLast(path)
    guard case .name(let name) = last else { throw .isDirectory }
    guard let child = try walk.child(name) else { throw .noSuchFileOrDirectory }
    let inode = child.dentry.inode
    if hasSlash { throw inode.kind == .directory ? .isDirectory : .notDirectory }
    try checkMayRemove(child, from: walk.location, context.credentials)
    if inode.kind == .directory { throw .isDirectory }
    if isMountPoint(child, in: walk.location) { throw .resourceBusy }
    try walk.location.dentry.inode.unlink(name, inode: inode)
    cache.remove(child.dentry)
  }

  /// rmdir(2).
  package func removeDirectory(_ path: String, _ context: PathContext) throws(Errno) {
    var walk = PathWalk(self, context, [])
    if path.isEmpty { throw .noSuchFileOrDirectory }
    let name: String
    switch try walk.walkToLast(path).last {
    case .name(let last): name = last
    case .dot: throw .invalidArgument
    case .dotDot: throw .directoryNotEmpty
    case .none: throw .resourceBusy
    }
    guard let child = try walk.child(name) else { throw .noSuchFileOrDirectory }
    try checkMayRemove(child, from: walk.location, context.credentials)
    let inode = child.dentry.inode
    if inode.kind != .directory { throw .notDirectory }
    if isMountPoint(child, in: walk.location) { throw .resourceBusy }
    try walk.location.dentry.inode.removeDirectory(name, inode: inode)
    cache.remove(child.dentry)
  }

  private func isMountPoint(_ child: PathLocation, in directory: PathLocation) -> Bool {
    child.dentry.mountCount > 0 || child.mount !== directory.mount
  }

  /// The directory may be written, and its sticky bit does not protect the file.
  private func checkMayRemove(
    _ file: PathLocation, from directory: PathLocation, _ credentials: Credentials
  ) throws(Errno) {
    try checkMayCreate(in: directory, credentials)
    try PermissionRules.checkSticky(
      try directory.dentry.inode.permissionAttributes(), try file.dentry.inode.permissionAttributes(), credentials)
  }

  /// renameat2(2).
  package func rename(
    _ oldPath: String, _ oldContext: PathContext, to newPath: String, _ newContext: PathContext,
    flags: RenameFlags = []
  ) throws(Errno) {
    if flags.contains(.exchange) && !flags.isDisjoint(with: [.noReplace, .whiteout]) { throw .invalidArgument }
    if !flags.isSubset(of: [.noReplace, .exchange]) { throw .invalidArgument }
    if oldPath.isEmpty { throw .noSuchFileOrDirectory }
    var from = PathWalk(self, oldContext, [])
    var to = PathWalk(self, newContext, [])
    let (oldLast, oldHasSlash) = try from.walkToLast(oldPath)
    if newPath.isEmpty { throw .noSuchFileOrDirectory }
    let (newLast, newHasSlash) = try to.walkToLast(newPath)
    if from.location.mount !== to.location.mount { throw .improperLink }
    guard case .name(let oldName) = oldLast else { throw .resourceBusy }
    guard case .name(let newName) = newLast else { throw flags.contains(.noReplace) ? .fileExists : .resourceBusy }
    guard let source = try from.child(oldName) else { throw .noSuchFileOrDirectory }
    let target = try to.child(newName)
    if flags.contains(.noReplace) && target != nil { throw .fileExists }
    if flags.contains(.exchange) && target == nil { throw .noSuchFileOrDirectory }
    let isDirectory = source.dentry.inode.kind == .directory
    if !isDirectory && (oldHasSlash || (newHasSlash && !flags.contains(.exchange))) { throw .notDirectory }
    if newHasSlash, let target, flags.contains(.exchange), target.dentry.inode.kind != .directory {
      throw .notDirectory
    }
    if source.dentry.isAncestor(of: to.location.dentry) { throw .invalidArgument }
    if let target, target.dentry.isAncestor(of: from.location.dentry) {
      throw flags.contains(.exchange) ? .invalidArgument : .directoryNotEmpty
    }

    let credentials = oldContext.credentials
    try checkMayRemove(source, from: from.location, credentials)
    if let target {
      try checkMayRemove(target, from: to.location, credentials)
      if !flags.contains(.exchange) {
        let replacesDirectory = target.dentry.inode.kind == .directory
        if isDirectory && !replacesDirectory { throw .notDirectory }
        if !isDirectory && replacesDirectory { throw .isDirectory }
      }
    } else {
      try checkMayCreate(in: to.location, credentials)
    }
    // A directory that moves gets another `..`, so it must be writable itself.
    if from.location.dentry !== to.location.dentry {
      if isDirectory { try credentials.check(.write, try source.dentry.inode.permissionAttributes()) }
      if flags.contains(.exchange), let target, target.dentry.inode.kind == .directory {
        try credentials.check(.write, try target.dentry.inode.permissionAttributes())
      }
    }
    if isMountPoint(source, in: from.location) { throw .resourceBusy }
    if let target {
      if isMountPoint(target, in: to.location) { throw .resourceBusy }
      // Two names of one file: nothing to do.
      if target.dentry.inode === source.dentry.inode { return }
    }

    let (oldParent, newParent) = (from.location.dentry, to.location.dentry)
    try oldParent.inode.rename(oldName, to: newParent.inode, newName, flags: flags)
    if flags.contains(.exchange), let target {
      cache.exchange(source.dentry, target.dentry)
      target.dentry.inode.moved(to: oldParent.inode, oldName)
    } else {
      cache.move(source.dentry, to: newParent, newName)
    }
    source.dentry.inode.moved(to: newParent.inode, newName)
  }
}
