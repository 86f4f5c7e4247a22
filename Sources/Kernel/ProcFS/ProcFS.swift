import FileSystem
import LinuxABI
import Memory

/// The inodes of file systems, not swift-system's inode numbers.
typealias Inode = FileSystem.Inode

/// `/proc` (proc(5)): what programs read of the kernel's state. Texts are made when they are read, from the kernel's own
/// data; what Apus does not count has no file.
final class ProcFS: GeneratedDirectory {
  unowned let kernel: Kernel
  let fileSystem: GeneratedFileSystem
  private var fixed: [(name: String, inode: Inode)] = []
  /// What `/proc/PID/net` is, for every process.
  private(set) lazy var network = networkDirectory

  private init(_ kernel: Kernel) {
    self.kernel = kernel
    fileSystem = GeneratedFileSystem(
      typeName: "proc", magic: .proc, deviceNumber: DeviceNumber.make(0, 0x15), fileSize: 0, time: kernel.realTime)
  }

  /// Makes the file system and its root, to be mounted on `/proc`.
  static func make(for kernel: Kernel) -> (fileSystem: GeneratedFileSystem, root: Inode) {
    let proc = ProcFS(kernel)
    proc.fixed =
      proc.links + proc.systemFiles + [("sys", proc.settings), ("1", proc.initProcess)]
    let root = GeneratedInode(proc.fileSystem, .directory(proc), 0o555, 1, nil)
    return (proc.fileSystem, root)
  }

  /// The task that looks.
  var reader: Task? { kernel.servedTask }

  private var links: [(name: String, inode: Inode)] {
    [
      ("self", link { (task) throws(Errno) in "\(task.group.id)" }),
      ("thread-self", link { (task) throws(Errno) in "\(task.group.id)/task/\(task.id)" }),
      ("mounts", link { (_) throws(Errno) in "self/mounts" }),
      ("net", link { (_) throws(Errno) in "self/net" }),
    ]
  }

  func link(_ target: @escaping (Task) throws(Errno) -> String) -> GeneratedInode {
    let content = GeneratedInode.Content.link(
      read: { [unowned self] () throws(Errno) in
        guard let reader else { throw .noSuchFileOrDirectory }
        return try target(reader)
      },
      follow: { () throws(Errno) in nil })
    return GeneratedInode(fileSystem, content, 0o777, fileSystem.nextNumber(), nil)
  }

  // MARK: The root directory

  var isVolatile: Bool { true }

  func child(_ name: String) throws(Errno) -> Inode? {
    if let known = fixed.first(where: { $0.name == name }) { return known.inode }
    guard let task = task(named: name) else { return nil }
    return ProcessDirectory.make(self, task, isThread: false)
  }

  func isCurrent(_ name: String, _ inode: Inode) -> Bool {
    guard let task = task(named: name) else { return fixed.contains { $0.name == name } }
    return ProcessDirectory.isDirectory(inode, of: task)
  }

  private func task(named name: String) -> Task? {
    guard let id = Int32(name), id > 0, name == "\(id)" else { return nil }
    return kernel.tasks[ProcessID(rawValue: id)]
  }

  func entries() throws(Errno) -> [DirectoryEntry] {
    fixed.map { entry in
      DirectoryEntry(
        inode: (entry.inode as? GeneratedInode)?.number ?? 0, next: 0, kind: entry.inode.kind, name: entry.name)
    }
      + kernel.groups.keys.sorted().map { id in
        DirectoryEntry(inode: ProcessDirectory.number(id, 0), next: 0, kind: .directory, name: "\(id)")
      }
  }
}
