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
  /// Capability sets (capabilities(7)), bit n for capability n.
  package var permitted: UInt64
  package var effective: UInt64
  package var inheritable: UInt64 = 0
  package var bounding: UInt64 = Credentials.allCapabilities
  package var ambient: UInt64 = 0
  package var noNewPrivileges = false

  /// CAP_CHOWN … CAP_CHECKPOINT_RESTORE.
  package static let allCapabilities: UInt64 = (1 << 41) - 1

  package init(uid: UInt32, gid: UInt32) {
    self.uid = uid
    self.euid = uid
    self.suid = uid
    self.fsuid = uid
    self.gid = gid
    self.egid = gid
    self.sgid = gid
    self.fsgid = gid
    permitted = uid == 0 ? Credentials.allCapabilities : 0
    effective = permitted
  }

  /// The capability (`CAP_*` number) is effective.
  package func has(_ capability: Capability) -> Bool { effective & (1 << capability.rawValue) != 0 }
  /// `gid` is the file-system group or a supplementary group.
  package func isMember(of gid: UInt32) -> Bool { fsgid == gid || groups.contains(gid) }
}

/// `CAP_*` of capabilities(7), those that Apus checks.
package enum Capability: UInt64, Sendable {
  case chown = 0
  case dacOverride = 1
  case dacReadSearch = 2
  case fowner = 3
  case fsetid = 4
  case kill = 5
  case setgid = 6
  case setuid = 7
  case setpcap = 8
  case linuxImmutable = 9
  case netBindService = 10
  case netAdmin = 12
  case ipcLock = 14
  case sysModule = 16
  case sysChroot = 18
  case sysPtrace = 19
  case sysAdmin = 21
  case sysBoot = 22
  case sysNice = 23
  case sysResource = 24
  case sysTime = 25
  case mknod = 27
  case setfcap = 31
}
