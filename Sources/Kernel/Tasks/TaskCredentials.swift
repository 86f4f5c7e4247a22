import FileSystem
import LinuxABI

extension Task {
  /// Takes on new user and group ids, with what that does to capabilities, to `PR_SET_DUMPABLE` and to the parent-death
  /// signal (capabilities(7), "Effect of user ID changes on capabilities"; prctl(2)).
  func adopt(_ new: Credentials) {
    let old = credentials
    var new = new
    if !attributes.secureBits.contains(.noSetUIDFixup) {
      let hadRoot = old.uid == 0 || old.euid == 0 || old.suid == 0
      if hadRoot, new.uid != 0, new.euid != 0, new.suid != 0 {
        if !attributes.secureBits.contains(.keepCapabilities) {
          new.permitted = []
          new.effective = []
        }
        new.ambient = []
      }
      if old.euid == 0, new.euid != 0 { new.effective = [] }
      if old.euid != 0, new.euid == 0 { new.effective = new.permitted }
      if old.euid == new.euid {
        if old.fsuid == 0, new.fsuid != 0 { new.effective.subtract(.files) }
        if old.fsuid != 0, new.fsuid == 0 { new.effective.formUnion(new.permitted.intersection(.files)) }
      }
    }
    if old.euid != new.euid || old.egid != new.egid || old.fsuid != new.fsuid || old.fsgid != new.fsgid {
      group.isDumpable = false
      attributes.parentDeathSignal = .null
    }
    credentials = new
  }
}
