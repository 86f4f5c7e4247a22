// The target FileSystem: paths, mounts, inodes and open files of a sandbox, and all kinds of files but sockets and
// those of `/proc`.
//
// It uses Memory (guest memory, frames), LinuxABI, and of the host what HostFS and HostStream open; everything else it
// gets through `KernelServices`. It knows nothing of tasks and system calls. What must hold: all calls are made with the
// kernel lock held; none blocks, but throws `.wouldBlock` and wakes a `WaitQueue`; permissions are checked by `VFS` and
// the path walk, never by inodes; what guests nest is not released by recursion.

import LinuxABI

/// The tree of mounts that guests see, and the operations on paths in it.
///
/// Operations check what Linux checks before it calls a file system: permissions with the guest's credentials,
/// read-only mounts, the rules for `.` and `..`, for sticky and set-group-ID directories. They never block.
package final class VFS {
  let cache: DentryCache
  /// What everything is mounted on, as Linux's `rootfs`.
  private let base: Mount
  /// All mounts, in the order in which they were made.
  package private(set) var mounts: [Mount] = []
  /// The topmost mount on a dentry of a mount.
  private var mounted: [MountPoint: Mount] = [:]
  private var nextNumber = 1
  /// `fs.mount-max`.
  private static let maximumMounts = 100_000
  private static let mountPrice = 2048

  private struct MountPoint: Hashable {
    let mount: ObjectIdentifier
    let dentry: ObjectIdentifier
    init(_ location: PathLocation) {
      mount = ObjectIdentifier(location.mount)
      dentry = ObjectIdentifier(location.dentry)
    }
  }

  /// What file systems that are made later need.
  package let context: FileSystemContext
  /// Holds the files of memfd_create(2), which have no names.
  package private(set) lazy var memoryFiles = TmpFileSystem(
    source: "memfd", size: .max, nodeLimit: .max, context: context)

  /// A tree with nothing but an empty directory; mount a file system on `root` first.
  package init(context: FileSystemContext) {
    self.context = context
    cache = DentryCache(memory: context.services.physicalMemory)
    let dentry = Dentry(name: "", parent: nil, inode: EmptyDirectory())
    base = Mount(root: dentry, point: nil, fileSystem: EmptyFileSystem(), isReadOnly: true)
  }

  /// `/` of the mount tree.
  package var root: PathLocation { topmost(PathLocation(mount: base, dentry: base.root)) }

  // MARK: mounts

  /// Mounts a file system on a directory (or a file on a file), over what is mounted there.
  @discardableResult
  package func mount(
    _ fileSystem: any MountedFileSystem, root: Inode, at point: PathLocation, isReadOnly: Bool = false
  ) throws(Errno) -> Mount {
    try mount(fileSystem, root: Dentry(name: "", parent: nil, inode: root), at: point, isReadOnly: isReadOnly)
  }

  /// Shows a part of the tree at another place too (`MS_BIND` of mount(2)).
  @discardableResult
  package func bind(_ source: PathLocation, at point: PathLocation, isReadOnly: Bool = false) throws(Errno) -> Mount {
    try mount(
      source.mount.fileSystem, root: source.dentry, at: point, isReadOnly: isReadOnly || source.mount.isReadOnly)
  }

  private func mount(
    _ fileSystem: any MountedFileSystem, root: Dentry, at point: PathLocation, isReadOnly: Bool
  ) throws(Errno) -> Mount {
    let point = topmost(point)
    if (root.inode.kind == .directory) != (point.dentry.inode.kind == .directory) { throw .notDirectory }
    if point.dentry.isDeleted { throw .noSuchFileOrDirectory }
    guard mounts.count < VFS.maximumMounts else { throw .noSpace }
    let mount = Mount(root: root, point: point, fileSystem: fileSystem, isReadOnly: isReadOnly)
    mount.charge = try context.services.kernelMemory.charge(VFS.mountPrice, otherwise: .noSpace)
    mount.number = nextNumber
    nextNumber += 1
    mounts.append(mount)
    mounted[MountPoint(point)] = mount
    point.dentry.mountCount += 1
    cache.addRoot(root)
    return mount
  }

  /// Takes a mount away (umount2(2)); with `detach`, what is mounted in it too.
  /// - Throws: `EINVAL` where the place is no root of a mount, `EBUSY` with mounts in it.
  package func unmount(_ location: PathLocation, detach: Bool = false) throws(Errno) {
    let mount = location.mount
    guard location.dentry === mount.root, let point = mount.point, point.mount !== base else {
      throw .invalidArgument
    }
    // Mounts come after what they are mounted in.
    var gone: Set<ObjectIdentifier> = [ObjectIdentifier(mount)]
    for inner in mounts {
      if let outer = inner.point?.mount, gone.contains(ObjectIdentifier(outer)) { gone.insert(ObjectIdentifier(inner)) }
    }
    if gone.count > 1, !detach { throw .resourceBusy }
    let leaving = mounts.filter { gone.contains(ObjectIdentifier($0)) }
    for inner in leaving {
      guard let point = inner.point else { continue }
      mounted[MountPoint(point)] = nil
      point.dentry.mountCount -= 1
    }
    mounts.removeAll { gone.contains(ObjectIdentifier($0)) }
    let staying = Set(mounts.map { ObjectIdentifier($0.root.top) })
    for inner in leaving where !staying.contains(ObjectIdentifier(inner.root.top)) { cache.removeRoot(inner.root.top) }
  }

  /// Changes whether a mount may be written (`MS_REMOUNT`).
  package func remount(_ mount: Mount, isReadOnly: Bool) { mount.isReadOnly = isReadOnly }

  /// What is seen at a place: the root of the last mount on it.
  func topmost(_ location: PathLocation) -> PathLocation {
    var location = location
    while location.dentry.mountCount > 0, let mount = mounted[MountPoint(location)] {
      location = PathLocation(mount: mount, dentry: mount.root)
    }
    return location
  }

  /// Forgets all names, so that file systems and what they hold are released. Nothing works afterwards.
  package func shutdown() {
    cache.removeAll()
    mounted = [:]
    mounts = []
  }

  // MARK: resolving

  /// Finds what a path names. - Throws: `ENOENT`, `ENOTDIR`, `ELOOP`, `EACCES`, `ENAMETOOLONG`.
  package func resolve(
    _ path: String, _ context: consuming PathContext, _ options: ResolveOptions = []
  ) throws(Errno) -> PathLocation {
    var walk = PathWalk(self, context, options)
    if path.isEmpty {
      guard options.contains(.emptyPath) else { throw .noSuchFileOrDirectory }
    } else {
      try walk.walk(path, followingLast: !options.contains(.noFollow))
    }
    if options.contains(.directory) && walk.location.dentry.inode.kind != .directory { throw .notDirectory }
    return walk.location
  }

  /// A place in a directory for a new name. - Throws: `EEXIST`.
  func resolveForCreation(
    _ path: String, _ context: PathContext, kind: FileMode.Kind
  ) throws(Errno) -> (directory: PathLocation, name: String) {
    if path.isEmpty { throw .noSuchFileOrDirectory }
    var walk = PathWalk(self, context, [])
    let (last, hasSlash) = try walk.walkToLast(path)
    guard case .name(let name) = last else { throw .fileExists }
    if try walk.child(name) != nil { throw .fileExists }
    if hasSlash && kind != .directory { throw .noSuchFileOrDirectory }
    try checkMayCreate(in: walk.location, context.credentials)
    return (walk.location, name)
  }

  /// Entries may be made in (or removed from) a directory.
  func checkMayCreate(in directory: PathLocation, _ credentials: Credentials) throws(Errno) {
    if directory.dentry.isDeleted { throw .noSuchFileOrDirectory }
    try checkWritable(directory.mount)
    try credentials.check([.write, .execute], try directory.dentry.inode.permissionAttributes())
  }

  func checkWritable(_ mount: Mount) throws(Errno) {
    if mount.isReadOnly { throw .readOnlyFileSystem }
  }
}

/// The directory that the first file system is mounted on.
private final class EmptyDirectory: Inode {
  override var kind: FileMode.Kind { .directory }
  override func attributes() throws(Errno) -> Stat {
    var stat = Stat()
    stat.mode = FileMode(.directory, permissions: 0o555)
    stat.inode = 1
    return stat
  }
  override func lookup(_ name: String) throws(Errno) -> Inode { throw .noSuchFileOrDirectory }
  override func listEntries() throws(Errno) -> [DirectoryEntry] { [] }
  override func open(_ flags: OpenFlags, at location: PathLocation) throws(Errno) -> OpenFile {
    DirectoryFile(flags: flags, location: location)
  }
}

private final class EmptyFileSystem: MountedFileSystem {
  var typeName: String { "rootfs" }
  var source: String { "rootfs" }
  var deviceNumber: UInt64 { 1 }
  func statistics() throws(Errno) -> StatFS { StatFS() }
}
