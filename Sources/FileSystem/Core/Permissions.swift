import LinuxABI

/// What a task wants to do with a file: the bits of access(2).
public struct AccessMode: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public static let execute = AccessMode(rawValue: 1)
  public static let write = AccessMode(rawValue: 2)
  public static let read = AccessMode(rawValue: 4)
}

/// What permission checks look at.
package struct PermissionAttributes: Sendable {
  package var mode: UInt32
  package var uid: UInt32
  package var gid: UInt32
  package init(mode: UInt32, uid: UInt32, gid: UInt32) {
    self.mode = mode
    self.uid = uid
    self.gid = gid
  }
  package init(_ stat: Stat) { self.init(mode: stat.mode, uid: stat.uid, gid: stat.gid) }
  var isDirectory: Bool { mode & 0o170000 == FileMode.Kind.directory.rawValue }
}

extension Credentials {
  /// Checks permission bits and the capabilities that override them (path_resolution(7)). - Throws: `EACCES`.
  package func check(_ wanted: AccessMode, _ file: PermissionAttributes) throws(Errno) {
    let shift: UInt32 = file.uid == fsuid ? 6 : isMember(of: file.gid) ? 3 : 0
    if (file.mode >> shift) & wanted.rawValue == wanted.rawValue { return }
    if file.isDirectory {
      if has(.dacOverride) { return }
      if has(.dacReadSearch) && !wanted.contains(.write) { return }
    } else {
      if has(.dacOverride) && (!wanted.contains(.execute) || file.mode & 0o111 != 0) { return }
      if has(.dacReadSearch) && wanted == .read { return }
    }
    throw .permissionDenied
  }

  /// True where `check` needs no look at a directory to let it be searched.
  var searchesEverything: Bool { has(.dacOverride) || has(.dacReadSearch) }

  /// The identity that access(2) checks with: the real one.
  package var real: Credentials {
    var result = self
    result.fsuid = uid
    result.fsgid = gid
    result.effective = uid == 0 ? permitted : 0
    return result
  }

  /// Owner of the file, or CAP_FOWNER.
  package func owns(_ file: PermissionAttributes) -> Bool { fsuid == file.uid || has(.fowner) }
}

/// `sticky` and set-group-ID rules.
enum PermissionRules {
  static let setUserID: UInt32 = 0o4000
  static let setGroupID: UInt32 = 0o2000
  static let sticky: UInt32 = 0o1000

  /// Whether an entry may be removed from a directory whose sticky bit is set. - Throws: `EPERM`.
  static func checkSticky(
    _ directory: PermissionAttributes, _ file: PermissionAttributes, _ credentials: Credentials
  ) throws(Errno) {
    guard directory.mode & sticky != 0 else { return }
    if credentials.fsuid == file.uid || credentials.fsuid == directory.uid || credentials.has(.fowner) { return }
    throw .notPermitted
  }

  /// Owner and mode of a new file in a directory: a set-group-ID directory hands its group on (inode(7)).
  static func inherit(
    _ directory: PermissionAttributes, kind: FileMode.Kind, permissions: UInt32, _ credentials: Credentials
  ) -> (owner: Credentials, permissions: UInt32) {
    guard directory.mode & setGroupID != 0 else { return (credentials, permissions) }
    var owner = credentials
    owner.fsgid = directory.gid
    if kind == .directory { return (owner, permissions | setGroupID) }
    let strips =
      permissions & (setGroupID | 0o010) == setGroupID | 0o010 && !credentials.isMember(of: directory.gid)
      && !credentials.has(.fsetid)
    return (owner, strips ? permissions & ~setGroupID : permissions)
  }

  /// The mode without what a write or a change of owner takes away; nil where nothing changes.
  static func withoutPrivileges(_ mode: UInt32) -> UInt32? {
    var result = mode & ~setUserID
    if mode & 0o010 != 0 { result &= ~setGroupID }
    return result == mode ? nil : result & 0o7777
  }
}
