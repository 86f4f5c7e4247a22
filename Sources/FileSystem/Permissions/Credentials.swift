import LinuxABI

/// User and group identities of a task (credentials(7)). Guest identities: they mean nothing on the host.
package struct Credentials: Sendable, Equatable {
  package var uid: UInt32
  package var euid: UInt32
  package var suid: UInt32
  /// Used for file access (setfsuid(2)); follows `euid`.
  package var fsuid: UInt32
  package var gid: UInt32
  package var egid: UInt32
  package var sgid: UInt32
  package var fsgid: UInt32
  package var groups: [UInt32] = []
  /// Capability sets (capabilities(7)).
  package var permitted: CapabilitySet
  package var effective: CapabilitySet
  package var inheritable: CapabilitySet = []
  package var bounding: CapabilitySet = .all
  package var ambient: CapabilitySet = []
  package var noNewPrivileges = false

  package init(uid: UInt32, gid: UInt32) {
    self.uid = uid
    self.euid = uid
    self.suid = uid
    self.fsuid = uid
    self.gid = gid
    self.egid = gid
    self.sgid = gid
    self.fsgid = gid
    permitted = uid == 0 ? .all : []
    effective = permitted
  }

  /// The capability is effective.
  package func has(_ capability: Capability) -> Bool { effective.contains(capability) }
  /// `gid` is the file-system group or a supplementary group.
  package func isMember(of gid: UInt32) -> Bool { fsgid == gid || groups.contains(gid) }
}
