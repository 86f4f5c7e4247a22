import LinuxABI

/// User and group identities of a task (credentials(7)). Guest identities: they mean nothing on the host.
package struct Credentials: Sendable, Equatable {
  package var userIDs: IdentityIDs
  package var groupIDs: IdentityIDs
  package var groups: [UInt32] = []
  /// Capability sets (capabilities(7)).
  package var permitted: CapabilitySet
  package var effective: CapabilitySet
  package var inheritable: CapabilitySet = []
  package var bounding: CapabilitySet = .all
  package var ambient: CapabilitySet = []
  package var noNewPrivileges = false

  package init(uid: UInt32, gid: UInt32) {
    userIDs = IdentityIDs(uid)
    groupIDs = IdentityIDs(gid)
    permitted = uid == 0 ? .all : []
    effective = permitted
  }

  /// The capability is effective.
  package func has(_ capability: Capability) -> Bool { effective.contains(capability) }
  /// `gid` is the file-system group or a supplementary group.
  package func isMember(of gid: UInt32) -> Bool { fsgid == gid || groups.contains(gid) }
}

/// The user ids or the group ids of a task (credentials(7)).
package struct IdentityIDs: Sendable, Equatable {
  package var real: UInt32
  package var effective: UInt32
  package var saved: UInt32
  /// Used for file access (setfsuid(2)); follows `effective`.
  package var fileSystem: UInt32

  package init(_ id: UInt32) {
    real = id
    effective = id
    saved = id
    fileSystem = id
  }
}

extension Credentials {
  @inline(__always) package var uid: UInt32 {
    get { userIDs.real }
    set { userIDs.real = newValue }
  }
  @inline(__always) package var euid: UInt32 {
    get { userIDs.effective }
    set { userIDs.effective = newValue }
  }
  @inline(__always) package var suid: UInt32 {
    get { userIDs.saved }
    set { userIDs.saved = newValue }
  }
  @inline(__always) package var fsuid: UInt32 {
    get { userIDs.fileSystem }
    set { userIDs.fileSystem = newValue }
  }
  @inline(__always) package var gid: UInt32 {
    get { groupIDs.real }
    set { groupIDs.real = newValue }
  }
  @inline(__always) package var egid: UInt32 {
    get { groupIDs.effective }
    set { groupIDs.effective = newValue }
  }
  @inline(__always) package var sgid: UInt32 {
    get { groupIDs.saved }
    set { groupIDs.saved = newValue }
  }
  @inline(__always) package var fsgid: UInt32 {
    get { groupIDs.fileSystem }
    set { groupIDs.fileSystem = newValue }
  }
}
