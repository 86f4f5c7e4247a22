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
  /// Woken when mounts come, go or change, which is counted.
  package let mountChanges = WaitQueue()
  package private(set) var mountGeneration: UInt64 = 0
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

  /// `fs.protected_hardlinks` and `fs.protected_symlinks` of proc_sys_fs(5).
  package var protectsLinks = true
  package var protectsSymbolicLinks = true

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
    base = Mount(root: dentry, point: nil, fileSystem: EmptyFileSystem(), flags: .readOnly)
  }

  /// `/` of the mount tree.
  package var root: PathLocation { topmost(PathLocation(mount: base, dentry: base.root)) }

  // MARK: mounts

  /// Mounts a file system on a directory (or a file on a file), over what is mounted there.
  @discardableResult
  package func mount(
    _ fileSystem: any MountedFileSystem, root: Inode, at point: PathLocation,
    flags: MountFlags = .relativeAccessTimes
  ) throws(Errno) -> Mount {
    try mount(fileSystem, root: Dentry(name: "", parent: nil, inode: root), at: point, flags: flags)
  }

  /// Shows a part of the tree at another place too (`MS_BIND` of mount(2)); `withMounts` (`MS_REC`) what is mounted in
  /// it, too.
  @discardableResult
  package func bind(
    _ source: PathLocation, at point: PathLocation, withMounts: Bool = false
  ) throws(Errno) -> Mount {
    let inner = withMounts ? mounts : []
    let copy = try mount(source.mount.fileSystem, root: source.dentry, at: point, flags: source.mount.flags)
    var copies = [ObjectIdentifier(source.mount): copy]
    for mount in inner {
      guard let place = mount.point, let outer = copies[ObjectIdentifier(place.mount)],
        place.mount !== source.mount || source.dentry === place.dentry || source.dentry.isAncestor(of: place.dentry)
      else { continue }
      copies[ObjectIdentifier(mount)] = try self.mount(
        mount.fileSystem, root: mount.root, at: PathLocation(mount: outer, dentry: place.dentry), flags: mount.flags)
    }
    return copy
  }

  /// Moves a mount, with what is mounted in it, to another place (`MS_MOVE` of mount(2)).
  /// - Throws: `EINVAL` where the source is no root of a mount, `ELOOP` where the place lies in it.
  package func move(_ source: PathLocation, to point: PathLocation) throws(Errno) {
    let mount = source.mount
    guard source.dentry === mount.root, let old = mount.point, old.mount !== base else { throw .invalidArgument }
    let point = topmost(point)
    guard (source.dentry.inode.kind == .directory) == (point.dentry.inode.kind == .directory) else {
      throw .invalidArgument
    }
    let moving = withInner(mount)
    if moving.contains(ObjectIdentifier(point.mount)) { throw .tooManySymbolicLinkLevels }
    mounted[MountPoint(old)] = nil
    old.dentry.mountCount -= 1
    mount.point = point
    mounted[MountPoint(point)] = mount
    point.dentry.mountCount += 1
    // Mounts come after what they are mounted in.
    let moved = mounts.filter { moving.contains(ObjectIdentifier($0)) }
    mounts.removeAll { moving.contains(ObjectIdentifier($0)) }
    mounts += moved
    noteMountChange()
  }

  /// A mount and all that is mounted in it. Mounts come after what they are mounted in.
  private func withInner(_ mount: Mount) -> Set<ObjectIdentifier> {
    var found: Set<ObjectIdentifier> = [ObjectIdentifier(mount)]
    for inner in mounts {
      if let outer = inner.point?.mount, found.contains(ObjectIdentifier(outer)) {
        found.insert(ObjectIdentifier(inner))
      }
    }
    return found
  }

  private func noteMountChange() {
    mountGeneration &+= 1
    mountChanges.wake([.error, .priority])
  }

  private func mount(
    _ fileSystem: any MountedFileSystem, root: Dentry, at point: PathLocation, flags: MountFlags
  ) throws(Errno) -> Mount {
    let point = topmost(point)
    // Nothing is mounted on the links to open files.
    if point.dentry.inode is GeneratedInode, point.dentry.inode.kind == .symbolicLink { throw .noSuchFileOrDirectory }
    if (root.inode.kind == .directory) != (point.dentry.inode.kind == .directory) { throw .notDirectory }
    if point.dentry.isDeleted { throw .noSuchFileOrDirectory }
    guard mounts.count < VFS.maximumMounts else { throw .noSpace }
    let mount = Mount(root: root, point: point, fileSystem: fileSystem, flags: flags)
    mount.charge = try context.services.kernelMemory.charge(VFS.mountPrice, otherwise: .noSpace)
    mount.number = nextNumber
    nextNumber += 1
    mounts.append(mount)
    mounted[MountPoint(point)] = mount
    point.dentry.mountCount += 1
    cache.addRoot(root)
    noteMountChange()
    return mount
  }

  /// Takes a mount away (umount2(2)); with `detach`, what is mounted in it too, and though it is used. With `expire` one
  /// that was not used since it was last asked for so.
  /// - Parameter isUsed: others than open files use it.
  /// - Throws: `EINVAL` where the place is no root of a mount, `EBUSY` where it is used or with mounts in it, `EAGAIN`
  ///   where it has not expired.
  package func unmount(
    _ location: PathLocation, detach: Bool = false, expire: Bool = false, isUsed: Bool = false
  ) throws(Errno) {
    let mount = location.mount
    guard location.dentry === mount.root, let point = mount.point, point.mount !== base else {
      throw .invalidArgument
    }
    let gone = withInner(mount)
    if !detach, gone.count > 1 || isUsed || mount.openCount > 0 { throw .resourceBusy }
    if expire, !mount.isExpiring {
      mount.isExpiring = true
      throw .resourceTemporarilyUnavailable
    }
    let leaving = mounts.filter { gone.contains(ObjectIdentifier($0)) }
    for inner in leaving {
      guard let point = inner.point else { continue }
      mounted[MountPoint(point)] = nil
      point.dentry.mountCount -= 1
    }
    mounts.removeAll { gone.contains(ObjectIdentifier($0)) }
    noteMountChange()
    let staying = Set(mounts.map { ObjectIdentifier($0.root.top) })
    for inner in leaving where !staying.contains(ObjectIdentifier(inner.root.top)) { cache.removeRoot(inner.root.top) }
  }

  /// Changes the flags of a mount (`MS_REMOUNT`). - Throws: `EBUSY` where files are written that no longer may be.
  package func remount(_ mount: Mount, flags: MountFlags) throws(Errno) {
    if flags.contains(.readOnly), mount.writerCount > 0 { throw .resourceBusy }
    mount.flags = flags
    noteMountChange()
  }

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
