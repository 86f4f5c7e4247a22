import FileSystem
import LinuxABI

/// `/proc/1`: process 1 is Apus itself. It has the files that programs look for in an init, and neither memory nor
/// descriptors to show. What only its owner may see of a process is root's.
extension ProcFS {
  var initProcess: GeneratedInode {
    let files = initFiles
    let thread = fileSystem.directory(files)
    return fileSystem.directory(files + [("task", fileSystem.directory([("1", thread)]))])
  }

  private func text(
    _ permissions: UInt32 = 0o444, contents text: @escaping () throws(Errno) -> String
  ) -> GeneratedInode {
    fileSystem.file(permissions: permissions, text)
  }

  private var initFiles: [(String, Inode)] {
    [
      ("auxv", text(0o400) { () throws(Errno) in "" }),
      ("cgroup", text { () throws(Errno) in "0::/\n" }),
      ("cmdline", text { () throws(Errno) in "apus\0" }),
      ("comm", text { () throws(Errno) in "apus\n" }),
      ("cwd", privateLink("/")),
      ("environ", text(0o400) { () throws(Errno) in "" }),
      ("exe", privateLink("/usr/bin/apus")),
      ("fd", privateDirectory(0o500)),
      ("fdinfo", privateDirectory(0o555)),
      ("io", text(0o400) { () throws(Errno) in "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\n" }),
      ("limits", text { [unowned self] () throws(Errno) in ProcessDirectory.limits(kernel.initProcess.limits) }),
      ("loginuid", text { () throws(Errno) in "4294967295" }),
      ("maps", inspectable { () throws(Errno) in "" }),
      ("mountinfo", text { [unowned self] () throws(Errno) in try viewer.mountInformation() }),
      ("mounts", text { [unowned self] () throws(Errno) in try viewer.mounts() }),
      ("net", network),
      ("oom_score", text { () throws(Errno) in "0\n" }),
      ("oom_score_adj", text { () throws(Errno) in "0\n" }),
      ("root", privateLink("/")),
      ("sessionid", text { () throws(Errno) in "4294967295" }),
      ("smaps", inspectable { () throws(Errno) in "" }),
      ("stat", text { [unowned self] () throws(Errno) in initStatistics }),
      ("statm", text { () throws(Errno) in "0 0 0 0 0 0 0\n" }),
      ("status", text { [unowned self] () throws(Errno) in initStatus }),
      ("wchan", text { () throws(Errno) in "0" }),
    ]
  }

  /// What is shown of mounts is the reader's own view.
  private var viewer: ProcessDirectory {
    get throws(Errno) {
      guard let reader else { throw .noSuchProcess }
      return ProcessDirectory(self, reader, isThread: false)
    }
  }

  /// - Throws: `EACCES` for who may not look into processes of root (ptrace(2), "access mode checking").
  private func checkAccess() throws(Errno) {
    guard let credentials = reader?.credentials else { return }
    let root = kernel.initProcess.credentials
    guard credentials.has(.sysPtrace) || credentials.fsuid == 0 && root.permitted.isSubset(of: credentials.permitted)
    else { throw .permissionDenied }
  }

  private func inspectable(_ contents: @escaping () throws(Errno) -> String) -> GeneratedInode {
    let inode = text(contents: contents)
    inode.checkOpen = { [unowned self] () throws(Errno) in try checkAccess() }
    return inode
  }

  private func privateLink(_ target: String) -> GeneratedInode {
    link { [unowned self] (_) throws(Errno) in
      try checkAccess()
      return target
    }
  }

  private func privateDirectory(_ permissions: UInt32) -> GeneratedInode {
    GeneratedInode(fileSystem, .directory(EmptyDirectory()), permissions, fileSystem.nextNumber(), nil)
  }

  private var initStatistics: String {
    let nice = kernel.initProcess.scheduling.parameters.nice
    let fields: [String] =
      ["1", "(apus)", "S", "0", "1", "1", "0", "-1", "4194560"] + [String](repeating: "0", count: 8)
      + ["\(20 + nice)", "\(nice)", "1", "0", "0"] + [String](repeating: "0", count: 30)
    return fields.joined(separator: " ") + "\n"
  }

  private var initStatus: String {
    let credentials = kernel.initProcess.credentials
    func set(_ value: UInt64) -> String { Text.hex(value, 16) }
    let cpus = kernel.scheduler.cpus.count
    let none = set(0)
    let rows = [
      ("Name", "apus"), ("Umask", "0022"), ("State", "S (sleeping)"), ("Tgid", "1"), ("Ngid", "0"), ("Pid", "1"),
      ("PPid", "0"), ("TracerPid", "0"), ("Uid", "0\t0\t0\t0"), ("Gid", "0\t0\t0\t0"), ("FDSize", "0"),
      ("Groups", ""), ("NStgid", "1"), ("NSpid", "1"), ("NSpgid", "1"), ("NSsid", "1"), ("Threads", "1"),
      ("SigPnd", none), ("ShdPnd", none), ("SigBlk", none), ("SigIgn", none), ("SigCgt", none),
      ("CapInh", set(credentials.inheritable.rawValue)), ("CapPrm", set(credentials.permitted.rawValue)),
      ("CapEff", set(credentials.effective.rawValue)), ("CapBnd", set(credentials.bounding.rawValue)),
      ("CapAmb", set(credentials.ambient.rawValue)), ("NoNewPrivs", "0"), ("Seccomp", "0"),
      ("Cpus_allowed_list", cpus > 1 ? "0-\(cpus - 1)" : "0"), ("Mems_allowed_list", "0"),
    ]
    return rows.map { "\($0):\t\($1)\n" }.joined()
  }
}

/// A directory that stays empty.
private final class EmptyDirectory: GeneratedDirectory {
  var isVolatile: Bool { false }
  func child(_ name: String) throws(Errno) -> Inode? { nil }
  func isCurrent(_ name: String, _ inode: Inode) -> Bool { true }
  func entries() throws(Errno) -> [DirectoryEntry] { [] }
}
