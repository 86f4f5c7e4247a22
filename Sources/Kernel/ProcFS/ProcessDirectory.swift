import FileSystem
import LinuxABI
import Memory

/// `/proc/PID`, and `/proc/PID/task/TID`.
final class ProcessDirectory: GeneratedDirectory {
  unowned let proc: ProcFS
  let id: ProcessID
  /// Tells the task from a later one with the same id.
  private let startTime: MonotonicTime
  private let isThread: Bool

  init(_ proc: ProcFS, _ task: Task, isThread: Bool) {
    self.proc = proc
    id = task.id
    startTime = task.startTime
    self.isThread = isThread
  }

  static func make(_ proc: ProcFS, _ task: Task, isThread: Bool) -> GeneratedInode {
    let directory = ProcessDirectory(proc, task, isThread: isThread)
    return directory.inode(.directory(directory), 0o555, 0)
  }

  static func isDirectory(_ inode: Inode, of task: Task) -> Bool {
    guard case .directory(let directory)? = (inode as? GeneratedInode)?.content else { return false }
    return (directory as? ProcessDirectory)?.found === task
  }

  /// The process of an inode that is `/proc/PID`; nil for a thread's, and once the process was waited for.
  static func process(of inode: Inode) -> ThreadGroup? {
    guard case .directory(let directory)? = (inode as? GeneratedInode)?.content,
      let directory = directory as? ProcessDirectory, !directory.isThread
    else { return nil }
    return directory.found?.group
  }

  /// Inode numbers: the id, and a number for each file.
  static func number(_ id: ProcessID, _ index: Int) -> UInt64 {
    UInt64(UInt32(bitPattern: id.rawValue)) << 24 | UInt64(index) | 1 << 23
  }

  func inode(_ content: GeneratedInode.Content, _ permissions: UInt32, _ index: Int) -> GeneratedInode {
    GeneratedInode(
      proc.fileSystem, content, permissions, ProcessDirectory.number(id, index),
      { [self] in (found?.credentials.euid ?? 0, found?.credentials.egid ?? 0) })
  }

  /// The task while there is one. (A weak reference would make every use of the task slower.)
  private var found: Task? {
    guard let task = proc.kernel.tasks[id], task.startTime == startTime else { return nil }
    return task
  }

  /// The task. - Throws: `ESRCH` once it has ended and was waited for.
  var task: Task {
    get throws(Errno) {
      guard let found, found.state != .dead else { throw .noSuchProcess }
      return found
    }
  }

  /// The task, for a reader that may look inside it (ptrace(2), "access mode checking"). - Throws: `EACCES`.
  var inspectable: Task {
    get throws(Errno) {
      let task = try task
      guard proc.reader?.mayAccess(task, .fileSystemCredentials) != false else { throw .permissionDenied }
      return task
    }
  }

  // MARK: Entries

  private enum Kind: Sendable {
    typealias Contents<Result> = @Sendable (ProcessDirectory) throws(Errno) -> Result
    /// `inspects`: only those may open it who may look inside the process.
    case text(permissions: UInt32, inspects: Bool = false, Contents<String>)
    case bytes(permissions: UInt32, inspects: Bool = false, Contents<[UInt8]>)
    /// Tells through poll(2) when the mounts have changed.
    case mountTable(Contents<String>)
    case settable(@Sendable (Task) -> String, write: @Sendable (ProcessDirectory, String) throws(Errno) -> Void)
    case link(@Sendable (Task) throws(Errno) -> PathLocation?)
    case mappings(showsSizes: Bool)
    case memory
    case descriptors, descriptorInformation, threads, network
  }

  private static let table: [(name: String, kind: Kind)] = [
    (
      "auxv",
      .bytes(permissions: 0o400, inspects: true) { (directory) throws(Errno) in try directory.auxiliaryVector() }
    ),
    ("cgroup", .text(permissions: 0o444) { (_) throws(Errno) in "0::/\n" }),
    ("cmdline", .bytes(permissions: 0o444) { (directory) throws(Errno) in try directory.commandLine() }),
    (
      "comm",
      .settable({ $0.name + "\n" }) { (directory, text) throws(Errno) in
        guard directory.proc.reader?.group === (try directory.task).group else { throw .invalidArgument }
        try directory.task.name = String(decoding: text.utf8.prefix { $0 != 10 }.prefix(15), as: UTF8.self)
      }
    ),
    ("cwd", .link { (task) throws(Errno) in task.fs.workingDirectory }),
    (
      "environ",
      .bytes(permissions: 0o400, inspects: true) { (directory) throws(Errno) in try directory.environment() }
    ),
    ("exe", .link { (task) throws(Errno) in task.group.executable }),
    ("fd", .descriptors),
    ("fdinfo", .descriptorInformation),
    ("io", .text(permissions: 0o400) { (directory) throws(Errno) in try directory.transfers() }),
    ("limits", .text(permissions: 0o444) { (directory) throws(Errno) in try directory.limits() }),
    ("loginuid", .text(permissions: 0o644) { (_) throws(Errno) in "4294967295" }),
    ("maps", .mappings(showsSizes: false)),
    ("mem", .memory),
    ("mountinfo", .mountTable { (directory) throws(Errno) in try directory.mountInformation() }),
    ("mounts", .mountTable { (directory) throws(Errno) in try directory.mounts() }),
    ("net", .network),
    ("oom_score", .text(permissions: 0o444) { (directory) throws(Errno) in try directory.outOfMemoryScore() }),
    (
      "oom_score_adj",
      .settable({ "\($0.group.outOfMemoryAdjustment)\n" }) { (directory, text) throws(Errno) in
        try directory.setOutOfMemoryAdjustment(text)
      }
    ),
    ("root", .link { (task) throws(Errno) in task.fs.root }),
    ("sessionid", .text(permissions: 0o444) { (_) throws(Errno) in "4294967295" }),
    ("smaps", .mappings(showsSizes: true)),
    ("stat", .text(permissions: 0o444) { (directory) throws(Errno) in try directory.statistics() }),
    ("statm", .text(permissions: 0o444) { (directory) throws(Errno) in try directory.memoryPages() }),
    ("status", .text(permissions: 0o444) { (directory) throws(Errno) in try directory.status() }),
    ("task", .threads),
    ("wchan", .text(permissions: 0o444) { (_) throws(Errno) in "0" }),
  ]

  var isVolatile: Bool { true }
  func isCurrent(_ name: String, _ inode: Inode) -> Bool { (try? task) != nil }

  func entries() throws(Errno) -> [DirectoryEntry] {
    _ = try task
    return ProcessDirectory.table.enumerated().compactMap { index, row in
      if isThread, case .threads = row.kind { return nil }
      let kind: FileMode.Kind =
        switch row.kind {
        case .link: .symbolicLink
        case .descriptors, .descriptorInformation, .threads, .network: .directory
        default: .regular
        }
      return DirectoryEntry(inode: ProcessDirectory.number(id, index + 1), next: 0, kind: kind, name: row.name)
    }
  }

  /// The file of bytes that can only be read, whose contents are made when they are.
  private func readOnly(
    _ permissions: UInt32, _ inspects: Bool, _ number: Int, _ read: @escaping () throws(Errno) -> [UInt8]
  ) -> GeneratedInode {
    let inode = inode(.file(read: read, write: nil), permissions, number)
    if inspects { inode.checkOpen = { [self] () throws(Errno) in _ = try inspectable } }
    return inode
  }

  func child(_ name: String) throws(Errno) -> Inode? {
    _ = try task
    guard let index = ProcessDirectory.table.firstIndex(where: { $0.name == name }) else { return nil }
    let number = index + 1
    switch ProcessDirectory.table[index].kind {
    case .text(let permissions, let inspects, let text):
      return readOnly(permissions, inspects, number) { [self] () throws(Errno) in Array(try text(self).utf8) }
    case .mountTable(let text):
      let inode = readOnly(0o444, false, number) { [self] () throws(Errno) in Array(try text(self).utf8) }
      inode.changes = { [unowned vfs = proc.kernel.vfs] in (vfs.mountChanges, vfs.mountGeneration) }
      return inode
    case .bytes(let permissions, let inspects, let bytes):
      return readOnly(permissions, inspects, number) { [self] () throws(Errno) in try bytes(self) }
    case .settable(let read, let write):
      let content = GeneratedInode.Content.file(
        read: { [self] () throws(Errno) in Array(read(try task).utf8) },
        write: { [self] (bytes) throws(Errno) in try write(self, String(decoding: bytes, as: UTF8.self)) })
      return inode(content, 0o644, number)
    case .link(let target):
      let content = GeneratedInode.Content.link(
        read: { [self] () throws(Errno) in
          guard let place = try target(try inspectable) else { throw .noSuchFileOrDirectory }
          return shownPath(place)
        },
        follow: { [self] () throws(Errno) in
          guard let place = try target(try inspectable) else { throw .noSuchFileOrDirectory }
          return place
        })
      return inode(content, 0o777, number)
    case .mappings(let showsSizes):
      let content = GeneratedInode.Content.opened { [self] (flags, location) throws(Errno) in
        try MappingsText.file(of: self, showsSizes: showsSizes, flags: flags, location: location)
      }
      return inode(content, 0o444, number)
    case .memory:
      let content = GeneratedInode.Content.opened { [self] (flags, location) throws(Errno) in
        ProcessMemoryFile(try inspectable.memory, flags: flags, location: location)
      }
      return inode(content, 0o600, number)
    case .network: return proc.network
    case .descriptors:
      return inode(.directory(DescriptorDirectory(self, showsInformation: false)), 0o500, number)
    case .descriptorInformation:
      return inode(.directory(DescriptorDirectory(self, showsInformation: true)), 0o555, number)
    case .threads:
      return isThread ? nil : inode(.directory(ThreadDirectory(self)), 0o555, number)
    }
  }

  /// A place's path as the reader sees it.
  func shownPath(_ place: PathLocation) -> String { place.path(from: proc.reader?.fs.root) ?? place.path }
}

/// `/proc/PID/task`.
final class ThreadDirectory: GeneratedDirectory {
  private let owner: ProcessDirectory
  init(_ owner: ProcessDirectory) { self.owner = owner }

  var isVolatile: Bool { true }
  func child(_ name: String) throws(Errno) -> Inode? {
    guard let id = Int32(name), let thread = threads().first(where: { $0.id.rawValue == id }) else { return nil }
    return ProcessDirectory.make(owner.proc, thread, isThread: true)
  }
  func isCurrent(_ name: String, _ inode: Inode) -> Bool {
    threads().contains { "\($0.id)" == name && ProcessDirectory.isDirectory(inode, of: $0) }
  }
  func entries() throws(Errno) -> [DirectoryEntry] {
    threads().map { thread in
      DirectoryEntry(
        inode: ProcessDirectory.number(thread.id, 0), next: 0, kind: .directory, name: "\(thread.id)")
    }
  }

  /// All threads; of a process that has ended, its leader.
  private func threads() -> [Task] {
    guard let task = try? owner.task else { return [] }
    if task.group.tasks.isEmpty { return task.group.leader.map { [$0] } ?? [] }
    return task.group.tasks.sorted { $0.id < $1.id }
  }
}

/// `/proc/PID/fd` and `/proc/PID/fdinfo`.
final class DescriptorDirectory: GeneratedDirectory {
  private let owner: ProcessDirectory
  private let showsInformation: Bool
  init(_ owner: ProcessDirectory, showsInformation: Bool) {
    self.owner = owner
    self.showsInformation = showsInformation
  }

  var isVolatile: Bool { true }
  func isCurrent(_ name: String, _ inode: Inode) -> Bool {
    guard let descriptor = FileDescriptorNumber(entry: name) else { return false }
    return (try? owner.inspectable.files.file(descriptor)) != nil
  }

  func entries() throws(Errno) -> [DirectoryEntry] {
    try owner.inspectable.files.descriptors.map { descriptor in
      DirectoryEntry(
        inode: number(descriptor), next: 0, kind: showsInformation ? .regular : .symbolicLink,
        name: "\(descriptor.rawValue)")
    }
  }

  private func number(_ descriptor: FileDescriptorNumber) -> UInt64 {
    ProcessDirectory.number(owner.id, (showsInformation ? 1 << 22 : 1 << 21) + Int(descriptor.rawValue & 0xf_ffff))
  }

  func child(_ name: String) throws(Errno) -> Inode? {
    guard let descriptor = FileDescriptorNumber(entry: name) else { return nil }
    guard let file = try? owner.inspectable.files.file(descriptor) else { return nil }
    let index = Int(number(descriptor) & 0x7f_ffff)
    if showsInformation {
      return owner.inode(
        .file(read: { [self] () throws(Errno) in Array(try information(descriptor).utf8) }, write: nil), 0o444, index)
    }
    let content = GeneratedInode.Content.link(
      read: { [self] () throws(Errno) in
        let file = try current(descriptor)
        return file.location.map { owner.shownPath($0) } ?? file.description
      },
      follow: { [self] () throws(Errno) in
        let file = try current(descriptor)
        return file.location ?? OpenFileInode.location(of: file, in: owner.proc.fileSystem)
      })
    var mode = FileMode.ownerExecute
    if file.flags.isReadable { mode |= FileMode.ownerRead }
    if file.flags.isWritable { mode |= FileMode.ownerWrite }
    return owner.inode(content, mode, index)
  }

  private func current(_ descriptor: FileDescriptorNumber) throws(Errno) -> OpenFile {
    guard let file = try? owner.inspectable.files.file(descriptor) else { throw .noSuchFileOrDirectory }
    return file
  }

  private func information(_ descriptor: FileDescriptorNumber) throws(Errno) -> String {
    guard let slot = try? owner.inspectable.files.slot(descriptor) else { throw .noSuchFileOrDirectory }
    var flags = slot.file.flags
    if slot.closeOnExec { flags.insert(.closeOnExec) } else { flags.remove(.closeOnExec) }
    let mount = slot.file.location?.mount.number ?? 0
    return "pos:\t\(slot.file.position)\nflags:\t0\(String(flags.rawValue, radix: 8))\nmnt_id:\t\(mount)\n"
      + "ino:\t\((try? slot.file.attributes().inode) ?? 0)\n" + slot.file.information
  }
}

extension FileDescriptorNumber {
  /// The descriptor that an entry of `/proc/PID/fd` names: decimal, without leading zeros.
  fileprivate init?(entry name: String) {
    guard let number = Int32(name), name == "\(number)" else { return nil }
    self.init(rawValue: number)
  }
}
