import LinuxABI

/// Looking at attributes and changing them.
extension VFS {
  /// access(2), faccessat(2): checks a place. Writing needs a writable mount, except to devices, FIFOs and sockets.
  package func checkAccess(
    _ location: PathLocation, _ wanted: AccessMode, _ credentials: Credentials
  ) throws(Errno) {
    let inode = location.dentry.inode
    if wanted.contains(.write) {
      switch inode.kind {
      case .regular, .directory, .symbolicLink: try checkWritable(location.mount)
      default: break
      }
    }
    if wanted.contains(.execute), inode.kind == .regular, location.mount.flags.contains(.noExecute) {
      throw .permissionDenied
    }
    if !wanted.isEmpty { try credentials.check(wanted, try inode.permissionAttributes()) }
  }

  /// The target of a link was read.
  package func noteRead(_ location: PathLocation) {
    let inode = location.dentry.inode
    inode.touchAccessTime(location.mount.accessTimeRule(inode.kind))
  }

  /// The change that chmod(2) makes; checks that it may be made. Files without a path have no mount.
  package func permissionChange(
    _ inode: Inode, on mount: Mount?, _ permissions: UInt32, _ credentials: Credentials
  ) throws(Errno) -> AttributeChange {
    if let mount { try checkWritable(mount) }
    if inode.kind == .symbolicLink { throw .notSupported }
    let file = try inode.permissionAttributes()
    guard credentials.owns(file) else { throw .notPermitted }
    var change = AttributeChange()
    var mode = permissions & FileMode.permissionMask
    if !credentials.isMember(of: file.gid) && !credentials.has(.fsetid) { mode &= ~FileMode.setGroupID }
    change.permissions = mode
    return change
  }

  /// The change that chown(2) makes; nil leaves an id alone.
  package func ownerChange(
    _ inode: Inode, on mount: Mount?, uid: UInt32?, gid: UInt32?, _ credentials: Credentials
  ) throws(Errno) -> AttributeChange {
    if let mount { try checkWritable(mount) }
    let file = try inode.permissionAttributes()
    if !credentials.has(.chown) {
      if let uid, uid != file.uid || credentials.fsuid != file.uid { throw .notPermitted }
      if let gid {
        guard credentials.fsuid == file.uid, gid == file.gid || credentials.isMember(of: gid) else {
          throw .notPermitted
        }
      }
    }
    var change = AttributeChange()
    change.uid = uid
    change.gid = gid
    if !file.isDirectory { change.permissions = PermissionRules.withoutPrivileges(file.mode) }
    return change
  }

  /// The change that utimensat(2) makes; nil leaves a time alone.
  package func timeChange(
    _ inode: Inode, on mount: Mount?, access: AttributeChange.TimeChange?,
    modification: AttributeChange.TimeChange?, _ credentials: Credentials
  ) throws(Errno) -> AttributeChange {
    if let mount { try checkWritable(mount) }
    let file = try inode.permissionAttributes()
    if case (.now?, .now?) = (access, modification) {
      if !credentials.owns(file) { try credentials.check(.write, file) }
    } else if !credentials.owns(file) {
      throw .notPermitted
    }
    var change = AttributeChange()
    change.accessTime = access
    change.modificationTime = modification
    return change
  }

  /// Opens the file of truncate(2), after checking that it may be changed.
  package func openToTruncate(_ location: PathLocation, _ credentials: Credentials) throws(Errno) -> OpenFile {
    let inode = location.dentry.inode
    if inode.kind == .directory { throw .isDirectory }
    if inode.kind != .regular { throw .invalidArgument }
    let file = try inode.permissionAttributes()
    try checkWritable(location.mount)
    try credentials.check(.write, file)
    if inode.executions > 0 { throw .textFileBusy }
    return try inode.open(.writeOnly, at: location)
  }

  /// statfs(2).
  package func statistics(_ location: PathLocation) throws(Errno) -> StatFS {
    let own = try location.dentry.inode.statistics()
    var result: StatFS
    if let own { result = own } else { result = try location.mount.fileSystem.statistics() }
    result.flags.insert(.valid)
    let shown: [(MountFlags, StatFSFlags)] = [
      (.readOnly, .readOnly), (.noSetUserID, .noSetUserID), (.noDevices, .noDevices), (.noExecute, .noExecute),
      (.synchronous, .synchronous), (.noAccessTimes, .noAccessTimes),
      (.noDirectoryAccessTimes, .noDirectoryAccessTimes), (.relativeAccessTimes, .relativeAccessTimes),
      (.noSymbolicLinks, .noSymbolicLinks),
    ]
    for (flag, answer) in shown where location.mount.flags.contains(flag) { result.flags.insert(answer) }
    return result
  }

  /// Checks a change of an extended attribute (xattr(7)): `user.*` follows the permission bits, and is for regular
  /// files and directories only; `trusted.*` and `security.*` need CAP_SYS_ADMIN.
  package func checkExtendedAttribute(
    _ inode: Inode, on mount: Mount?, _ name: String, writing: Bool, _ credentials: Credentials
  ) throws(Errno) {
    if writing, let mount { try checkWritable(mount) }
    let length = FileName.length(name)
    if length == 0 || length > 255 { throw .outOfRange }
    if name.hasPrefix("user.") {
      guard inode.kind == .regular || inode.kind == .directory else {
        throw writing ? .notPermitted : .noData
      }
      try credentials.check(writing ? .write : .read, try inode.permissionAttributes())
    } else if name.hasPrefix("trusted.") {
      if !credentials.has(.sysAdmin) { throw writing ? .notPermitted : .noData }
    } else if name.hasPrefix("security.") {
      if writing && !credentials.has(.sysAdmin) { throw .notPermitted }
    } else {
      throw .notSupported
    }
    // `user.` alone, say, names no attribute.
    if name.hasSuffix("."), name.utf8.firstIndex(of: UInt8(ascii: ".")) == name.utf8.index(before: name.utf8.endIndex) {
      throw .invalidArgument
    }
  }
}
