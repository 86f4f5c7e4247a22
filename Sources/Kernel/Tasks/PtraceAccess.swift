import LinuxABI

/// Which of the caller's credentials an access check looks at (ptrace(2), "Ptrace access mode checking").
enum PtraceAccessMode {
  /// `PTRACE_MODE_REALCREDS`, of system calls.
  case realCredentials
  /// `PTRACE_MODE_FSCREDS`, of files in `/proc`.
  case fileSystemCredentials
}

extension Task {
  /// The access check of ptrace(2).
  func mayAccess(_ other: Task, _ mode: PtraceAccessMode = .realCredentials) -> Bool {
    if group === other.group || credentials.has(.sysPtrace) { return true }
    let (mine, theirs) = (credentials, other.credentials)
    let uid: UInt32
    let gid: UInt32
    let capabilities: CapabilitySet
    switch mode {
    case .realCredentials: (uid, gid, capabilities) = (mine.uid, mine.gid, mine.permitted)
    case .fileSystemCredentials: (uid, gid, capabilities) = (mine.fsuid, mine.fsgid, mine.effective)
    }
    return other.group.isDumpable
      && uid == theirs.uid && uid == theirs.euid && uid == theirs.suid
      && gid == theirs.gid && gid == theirs.egid && gid == theirs.sgid
      && theirs.permitted.isSubset(of: capabilities)
  }
}
