import FileSystem
import LinuxABI
import Memory

/// `/proc/PID/cmdline`, `environ`, `auxv` and the mount tables.
extension ProcessDirectory {
  /// Bytes of a range that the process may have overwritten; what is no longer mapped is left out.
  private func bytes(_ range: Range<GuestAddress>, of task: Task) -> [UInt8] {
    guard task.state != .zombie, !range.isEmpty else { return [] }
    let count = Int(min(range.byteCount, 1 << 21))
    return (try? task.memory.read(range.lowerBound, count: count)) ?? []
  }

  func commandLine() throws(Errno) -> [UInt8] {
    let task = try task
    return bytes(task.group.argumentRange, of: task)
  }

  func environment() throws(Errno) -> [UInt8] {
    let task = try inspectable
    return bytes(task.group.environmentRange, of: task)
  }

  func auxiliaryVector() throws(Errno) -> [UInt8] {
    try inspectable.group.auxiliaryVector.flatMap { word in
      (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) }
    }
  }

  // MARK: Mounts

  /// The mounts that the process sees, with their places below its root directory.
  private func visibleMounts() throws(Errno) -> [(mount: Mount, path: String)] {
    let root = try task.fs.root
    var seen = proc.kernel.vfs.mounts.compactMap { mount in
      PathLocation(mount: mount, dentry: mount.root).path(from: root).map { (mount: mount, path: $0) }
    }
    // Of several mounts at one place only the topmost shows.
    var paths = Set<String>()
    seen = seen.reversed().filter { paths.insert($0.path).inserted }.reversed()
    return seen
  }

  func mounts() throws(Errno) -> String {
    try visibleMounts().map { mount, path in
      let system = mount.fileSystem
      return "\(Text.escaped(system.source)) \(Text.escaped(path)) \(system.typeName) "
        + "\(mount.isReadOnly ? "ro" : "rw")\(mount.commonOptions)\(mount.options)\(system.options) 0 0\n"
    }.joined()
  }

  func mountInformation() throws(Errno) -> String {
    try visibleMounts().map { mount, path in
      let system = mount.fileSystem
      let parent = mount.point?.mount.number ?? mount.number
      let device = "\(DeviceNumber.major(system.deviceNumber)):\(DeviceNumber.minor(system.deviceNumber))"
      let access = mount.isReadOnly ? "ro" : "rw"
      let root = ProcessDirectory.rootInFileSystem(mount)
      return "\(mount.number) \(parent) \(device) \(Text.escaped(root)) \(Text.escaped(path)) "
        + "\(access)\(mount.options) - \(system.typeName) \(Text.escaped(system.source)) "
        + "\(access)\(mount.commonOptions)\(system.options)\n"
    }.joined()
  }

  /// The directory of the file system that a (bind) mount shows.
  private static func rootInFileSystem(_ mount: Mount) -> String {
    var names: [String] = []
    var dentry: Dentry? = mount.root
    while let current = dentry, let parent = current.parent {
      names.append(current.name)
      dentry = parent
    }
    return "/" + names.reversed().joined(separator: "/")
  }
}
