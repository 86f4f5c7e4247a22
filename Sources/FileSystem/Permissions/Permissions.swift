import LinuxABI

/// What permission checks look at.
package struct PermissionAttributes: Sendable {
  package var mode: FileMode
  package var uid: UInt32
  package var gid: UInt32
  package init(mode: FileMode, uid: UInt32, gid: UInt32) {
    self.mode = mode
    self.uid = uid
    self.gid = gid
  }
  package init(_ stat: Stat) { self.init(mode: stat.mode, uid: stat.uid, gid: stat.gid) }
  var isDirectory: Bool { mode.kind == .directory }
}

extension Credentials {
  /// Checks permission bits and the capabilities that override them (path_resolution(7)). - Throws: `EACCES`.
  package func check(_ wanted: AccessMode, _ file: PermissionAttributes) throws(Errno) {
    let shift: UInt32 = file.uid == fsuid ? 6 : isMember(of: file.gid) ? 3 : 0
    if (file.mode.rawValue >> shift) & wanted.rawValue == wanted.rawValue { return }
    if file.isDirectory {
      if has(.dacOverride) { return }
      if has(.dacReadSearch) && !wanted.contains(.write) { return }
    } else {
      if has(.dacOverride) && (!wanted.contains(.execute) || file.mode.hasAny(of: FileMode.anyExecute)) { return }
      if has(.dacReadSearch) && wanted == .read { return }
    }
    throw .permissionDenied
  }

  /// `check` would let any directory be searched, whatever its attributes are.
  var searchesEverything: Bool { has(.dacOverride) || has(.dacReadSearch) }

  /// The identity that access(2) checks with: the real one.
  package var real: Credentials {
    var result = self
    result.fsuid = uid
    result.fsgid = gid
    result.effective = uid == 0 ? permitted : []
    return result
  }

  /// Owner of the file, or CAP_FOWNER.
  package func owns(_ file: PermissionAttributes) -> Bool { fsuid == file.uid || has(.fowner) }
}

/// `sticky` and set-group-ID rules.
enum PermissionRules {
  /// Whether an entry may be removed from a directory whose sticky bit is set. - Throws: `EPERM`.
  static func checkSticky(
    _ directory: PermissionAttributes, _ file: PermissionAttributes, _ credentials: Credentials
  ) throws(Errno) {
    guard directory.mode.hasAny(of: FileMode.sticky) else { return }
    if credentials.fsuid == file.uid || credentials.fsuid == directory.uid || credentials.has(.fowner) { return }
    throw .notPermitted
  }

  /// Owner and mode of a new file in a directory: a set-group-ID directory hands its group on (inode(7)). Whether that
  /// takes the file's own bit away is decided before the umask.
  static func inherit(
    _ directory: PermissionAttributes, kind: FileMode.Kind, permissions asked: UInt32, _ context: PathContext
  ) -> (owner: Credentials, permissions: UInt32) {
    let credentials = context.credentials
    let permissions = kind == .symbolicLink ? asked : asked & ~context.umask
    guard directory.mode.hasAny(of: FileMode.setGroupID) else { return (credentials, permissions) }
    var owner = credentials
    owner.fsgid = directory.gid
    if kind == .directory { return (owner, permissions | FileMode.setGroupID) }
    let executableByGroup = FileMode.setGroupID | FileMode.groupExecute
    let strips =
      asked & executableByGroup == executableByGroup && !credentials.isMember(of: directory.gid)
      && !credentials.has(.fsetid)
    return (owner, strips ? permissions & ~FileMode.setGroupID : permissions)
  }

  /// The mode without what a write or a change of owner takes away; nil where nothing changes.
  static func withoutPrivileges(_ mode: FileMode) -> UInt32? {
    var result = mode.permissions & ~FileMode.setUserID
    if mode.hasAny(of: FileMode.groupExecute) { result &= ~FileMode.setGroupID }
    return result == mode.permissions ? nil : result
  }
}
