import FileSystem
import Host
import Kernel
import LinuxABI
import Memory

/// Builds the tree of mounts that guests see.
struct MountTree {
  let vfs: VFS
  private let context: FileSystemContext
  private let root = Credentials(uid: 0, gid: 0)
  /// Missing mount points can be made.
  private var isWritable = false

  init(context: FileSystemContext) {
    self.context = context
    vfs = VFS(context: context)
  }

  private var paths: PathContext { PathContext(root: vfs.root, base: vfs.root, credentials: root, umask: 0) }

  /// Mounts the root, `/dev`, `/sys` and the volumes.
  mutating func mount(_ configuration: SandboxConfiguration) throws(SandboxError) {
    try mountRoot(configuration)
    isWritable = configuration.overlay == .memory
    try mountDevices()
    for volume in configuration.volumes { try mount(volume) }
  }

  private func mountRoot(_ configuration: SandboxConfiguration) throws(SandboxError) {
    let path = configuration.root
    let lower = try attempt("root \(path)", remedy: "--root takes a directory of the host") { () throws(Errno) in
      let lower = try HostFileSystem(path: path, isReadOnly: true, isVolatile: false, context: context)
      guard lower.root?.kind == .directory else { throw .notDirectory }
      return lower
    }
    try attempt("root \(path)") { () throws(Errno) in
      switch configuration.overlay {
      case .memory:
        let overlay = OverlayFileSystem(lower: lower, context: context)
        try vfs.mount(overlay, root: try overlay.makeRoot(permissions: 0o755, uid: 0, gid: 0), at: vfs.root)
      case .none:
        guard let inode = lower.root else { throw .notDirectory }
        try vfs.mount(lower, root: inode, at: vfs.root, flags: [.readOnly, .relativeAccessTimes])
      }
    }
  }

  private func mountDevices() throws(SandboxError) {
    guard let point = try directory("/dev") else { return }
    try attempt("/dev") { () throws(Errno) in
      let devices = TmpFileSystem(source: "dev", context: context)
      let inode = try devices.makeRoot(permissions: 0o755)
      try context.devices.populate(inode)
      try vfs.mount(devices, root: inode, at: point)
      let shared = TmpFileSystem(source: "shm", context: context)
      try vfs.mount(shared, root: try shared.makeRoot(), at: try vfs.resolve("/dev/shm", paths))
    }
  }

  /// Mounts `/proc` and `/sys`, which need the kernel.
  func mountProcesses(of kernel: Kernel) throws(SandboxError) {
    if let point = try directory("/proc") {
      try attempt("/proc") { () throws(Errno) in try kernel.mountProcesses(at: point, context) }
    }
    if let point = try directory("/sys") {
      try attempt("/sys") { () throws(Errno) in try kernel.mountSystem(at: point) }
    }
  }

  /// Puts a file of the sandbox's own in the place of `/etc/resolv.conf`, unless a volume is there.
  func mountResolverConfiguration(_ text: String, _ configuration: SandboxConfiguration) {
    let path = "/etc/resolv.conf"
    guard !configuration.volumes.contains(where: { $0.guestPath == path }) else { return }
    do throws(Errno) {
      let files = TmpFileSystem(source: "resolv.conf", context: context)
      let inode = try files.makeRoot(permissions: 0o755)
        .create("resolv.conf", mode: FileMode(.regular, permissions: 0o644), device: 0, owner: root)
      let point = try makeFile(path)
      try vfs.mount(files, root: inode, at: point)
      var bytes = IOBuffer(bytes: Array(text.utf8))
      _ = try vfs.open(path, paths, flags: .writeOnly).write(from: &bytes, at: nil)
    } catch {
      // A root without the file, or one that can't be changed: names are looked up as that root says.
    }
  }

  /// Adds the sandbox's own name to its `/etc/hosts`, unless it is there, or a volume is.
  func addHostName(_ name: String, _ configuration: SandboxConfiguration) {
    let path = "/etc/hosts"
    guard isWritable, !name.isEmpty, !configuration.volumes.contains(where: { $0.guestPath == path }) else { return }
    do throws(Errno) {
      let file = try vfs.open(path, paths, flags: [.readWrite, .append, .nonBlocking])
      defer { file.close() }
      var buffer = IOBuffer(collecting: 1 << 16)
      while try file.read(into: &buffer, at: nil) > 0 {}
      let text = String(decoding: buffer.collected, as: UTF8.self)
      let words = text.split { $0.isNewline }.flatMap { $0.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" } }
      guard !words.contains(Substring(name)) else { return }
      var line = IOBuffer(bytes: Array("\(text.hasSuffix("\n") || text.isEmpty ? "" : "\n")127.0.0.1\t\(name)\n".utf8))
      _ = try file.write(from: &line, at: nil)
    } catch {
      // A root without the file needs none.
    }
  }

  private func mount(_ volume: SandboxConfiguration.Volume) throws(SandboxError) {
    let name = "volume \(volume.hostPath)"
    try attempt(name) { () throws(Errno) in
      let files = try HostFileSystem(
        path: volume.hostPath, isReadOnly: volume.isReadOnly, isVolatile: true, usesHostIDs: volume.usesHostIDs,
        connectsSockets: volume.connectsSockets, context: context)
      guard let inode = files.root else { throw .noSuchFileOrDirectory }
      let point: PathLocation
      if inode.kind == .directory {
        point = try makeDirectories(volume.guestPath)
      } else {
        point = try makeFile(volume.guestPath)
      }
      try vfs.mount(
        files, root: inode, at: point,
        flags: volume.isReadOnly ? [.readOnly, .relativeAccessTimes] : .relativeAccessTimes)
    }
  }

  /// A directory to mount on; nil where it is missing and can't be made.
  private func directory(_ path: String) throws(SandboxError) -> PathLocation? {
    do throws(Errno) {
      return try makeDirectories(path)
    } catch .readOnlyFileSystem {
      return nil
    } catch { throw SandboxError("\(path): \(error)") }
  }

  private func makeDirectories(_ path: String) throws(Errno) -> PathLocation {
    try find(path) { () throws(Errno) in
      // A trailing slash names the directory that was just made.
      if path.hasSuffix("/") { return try vfs.resolve(path, paths) }
      return try vfs.makeDirectory(path, paths, mode: 0o755)
    }
  }

  private func makeFile(_ path: String) throws(Errno) -> PathLocation {
    try find(path) { () throws(Errno) in
      try vfs.makeNode(path, paths, mode: FileMode(.regular, permissions: 0o644))
    }
  }

  /// What a path names; where nothing is there, the directories above are made, and then what `make` makes.
  private func find(
    _ path: String, orMake make: () throws(Errno) -> PathLocation
  ) throws(Errno) -> PathLocation {
    do throws(Errno) {
      return try vfs.resolve(path, paths)
    } catch .noSuchFileOrDirectory {
      guard isWritable else { throw .readOnlyFileSystem }
      let parent = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
      if !parent.isEmpty { _ = try makeDirectories(String(parent)) }
      return try make()
    }
  }

  /// Where the first process starts.
  func workingDirectory(
    _ configuration: SandboxConfiguration, _ credentials: Credentials
  ) throws(SandboxError) -> PathLocation {
    var paths = paths
    paths.credentials = credentials
    func find(_ path: String) throws(Errno) -> PathLocation {
      let location = try vfs.resolve(path, paths, .directory)
      try vfs.checkAccess(location, .execute, credentials)
      return location
    }
    if let path = configuration.workingDirectory {
      return try attempt("working directory \(path)") { () throws(Errno) in try find(path) }
    }
    guard let path = Host.currentDirectory, let location = try? find(path) else { return vfs.root }
    return location
  }
}
