import LinuxABI

extension Task {
  /// The access check of ptrace(2), `PTRACE_MODE_ATTACH_REALCREDS`.
  func mayAccess(_ other: Task) -> Bool {
    if group === other.group || credentials.has(.sysPtrace) { return true }
    let (mine, theirs) = (credentials, other.credentials)
    return other.group.isDumpable
      && mine.uid == theirs.uid && mine.uid == theirs.euid && mine.uid == theirs.suid
      && mine.gid == theirs.gid && mine.gid == theirs.egid && mine.gid == theirs.sgid
  }
}
