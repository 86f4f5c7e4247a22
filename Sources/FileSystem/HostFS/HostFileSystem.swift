import Host
import LinuxABI
import Memory
import Platform

/// A part of the host's files, shown to guests (hostfs).
///
/// Every file is reached from the root by single names, each opened without following links, so that no link, `..`,
/// rename or mount leads out. Only regular files and directories are ever opened; of the rest guests see the
/// attributes. Directories of the host's pseudo file systems appear empty.
package final class HostFileSystem: MountedFileSystem {
  package let context: FileSystemContext
  package let deviceNumber: UInt64
  package let source: String
  package var typeName: String { "hostfs" }
  /// Names are looked at again whenever they are used, because others on the host change them.
  let isVolatile: Bool
  /// Nothing may be changed.
  let isReadOnly: Bool
  /// Guests may connect to sockets in it.
  let connectsSockets: Bool
  let files = HostFileCache()
  /// Nil where the ids of guests are those of the host.
  let owners: GivenOwners?
  private let rootDescriptor: FileDescriptor
  /// What is shown at the mount: the root directory, or a single file.
  package private(set) var root: HostInode?
  /// Device numbers of the host in the order in which they were first seen; the first is the root's.
  private var devices: [UInt64]
  /// Directories that hold a descriptor, and how many may.
  private var openDirectories: [HostInode] = []
  private let openLimit: Int
  var openDirectoryCount: Int { openDirectories.count }
  /// Files that hold one though nobody may have them open: programs, headers and modules are opened again and again, and
  /// the host walks their path each time (Landlock). A quarter as many.
  private var openFiles: [HostInode] = []
  var openFileCount: Int { openFiles.count }
  private var clock: UInt64 = 0
  /// openat2(2) is missing on the host.
  private var lacksOpenBeneath = false
  /// Files with several names, and locked ones, so that all names and looks lead to one inode.
  private var linked: [HostFileKey: WeakInode] = [:]

  private struct WeakInode {
    weak var inode: HostInode?
  }

  /// Shows a directory, or a single file, of the host.
  ///
  /// - Parameters:
  ///   - path: its path on the host; links in it are followed.
  ///   - isVolatile: look at names again at each use. Otherwise the host must not change them meanwhile, or guests may
  ///     see the old names (as for the lower directory of Linux's overlayfs).
  ///   - usesHostIDs: owners that guests give to files are given to them on the host. Otherwise they are remembered here.
  ///   - connectsSockets: guests may connect to sockets of the host in it.
  ///   - directoryLimit: how many directories may hold a descriptor; nil for what suits the host's limit.
  /// - Throws: what open(2) throws, `ENXIO` where it is neither a directory nor a regular file, nor a socket that guests
  ///   may connect to.
  package init(
    path: String, isReadOnly: Bool, isVolatile: Bool, usesHostIDs: Bool = false, connectsSockets: Bool = false,
    directoryLimit: Int? = nil, context: FileSystemContext
  ) throws(Errno) {
    self.context = context
    self.isReadOnly = isReadOnly
    self.connectsSockets = connectsSockets
    self.isVolatile = isVolatile
    owners = usesHostIDs ? nil : GivenOwners(memory: context.services.kernelMemory)
    source = path
    deviceNumber = context.makeDeviceNumber()
    if !isReadOnly { Host.clearFileModeMask() }
    // More than two thirds are left to open files and to the rest of Apus.
    openLimit = directoryLimit ?? max(16, min(1024, Int(clamping: Host.raiseDescriptorLimit()) / 4))
    let named = try Host.open(at: nil, FileName.bytes(path), [.path])
    let status: Stat
    do throws(Errno) { status = try Host.status(named) } catch {
      Host.close(named)
      throw error
    }
    switch status.mode.kind {
    case .directory?:
      rootDescriptor = named
      devices = [status.device]
      root = HostInode(root: self, stat: status)
    case .regular?,
      .socket? where connectsSockets:
      // Reached as any file is: by its name in its directory.
      defer { Host.close(named) }
      let real = try Host.path(of: named)
      guard let slash = real.lastIndex(of: UInt8(ascii: "/")) else { throw .noSuchFileOrDirectory }
      let directory = try Host.open(at: nil, Array(real[...slash]), [.path, .directory])
      rootDescriptor = directory
      devices = [status.device]
      let parent = HostInode(root: self, stat: try Host.status(directory))
      let name = Array(real[(slash + 1)...])
      root = HostInode(parent: parent, name: name, stat: try Host.status(at: directory, name))
    default:
      Host.close(named)
      throw .noSuchAddressOrDevice
    }
  }

  deinit { Host.close(rootDescriptor) }

  package func statistics() throws(Errno) -> StatFS {
    HostFileSystem.statistics(try Host.fileSystemStatus(rootDescriptor))
  }

  /// What guests see of the host's answer: neither how it is mounted there, nor which one it is.
  static func statistics(_ status: StatFS) -> StatFS {
    var result = status
    result.identifier = 0
    result.fragmentSize = status.blockSize
    result.flags = []
    return result
  }

  /// The inode number that guests see: the host's, with the host's device mixed in for all devices but the root's.
  func number(_ inode: UInt64, on device: UInt64) -> UInt64 {
    var index = 0
    while index < devices.count && devices[index] != device { index += 1 }
    if index == devices.count { devices.append(device) }
    return inode ^ UInt64(index) << 48
  }

  // MARK: inodes

  /// The inode of a name that was found with these attributes.
  func inode(parent: HostInode, name: [UInt8], stat: Stat) -> HostInode {
    let kind = stat.mode.kind
    if !linked.isEmpty, let known = linked[HostFileKey(stat)]?.inode, known.kind == kind {
      known.refresh(stat)
      return known
    }
    let inode = HostInode(parent: parent, name: name, stat: stat)
    inode.givenOwner = owners?.find(inode.key) { inode.birthTime() }
    if stat.links > 1 && kind == .regular { keepOne(inode) }
    return inode
  }

  /// While anybody uses the inode, its file has no other.
  func keepOne(_ inode: HostInode) {
    if linked.count > 4096 { linked = linked.filter { $0.value.inode != nil } }
    linked[inode.key] = WeakInode(inode: inode)
  }

  // MARK: descriptors of directories

  /// A descriptor (`O_PATH`) of a directory; valid until the next call.
  /// - Throws: `ENOENT` where the directory isn't there any more.
  func descriptor(of directory: HostInode) throws(Errno) -> FileDescriptor {
    noteUse(of: directory)
    if let descriptor = directory.descriptor { return descriptor.number }
    guard directory.parent != nil else { return rootDescriptor }
    var names: [[UInt8]] = []
    var ancestor = directory
    var base = rootDescriptor
    while let parent = ancestor.parent {
      if let descriptor = ancestor.descriptor {
        base = descriptor.number
        break
      }
      names.append(ancestor.name)
      ancestor = parent
    }
    let opened = HostDescriptor(try openDirectory(base, names.reversed()))
    if HostFileKey(try Host.status(opened.number)) != directory.key { throw .noSuchFileOrDirectory }
    HostFileSystem.makeRoom(in: &openDirectories, limit: openLimit)
    directory.descriptor = opened
    openDirectories.append(directory)
    return opened.number
  }

  private func openDirectory(_ base: FileDescriptor, _ names: [[UInt8]]) throws(Errno) -> FileDescriptor {
    let flags: OpenFlags = [.path, .directory, .noFollow]
    if names.count > 1 && !lacksOpenBeneath {
      do throws(Errno) {
        return try Host.openBeneath(base, Array(names.joined(separator: [UInt8(ascii: "/")])), flags)
      } catch .noFunction {
        lacksOpenBeneath = true
      }
    }
    var current = base
    for (index, name) in names.enumerated() {
      defer { if index > 0 { Host.close(current) } }
      let next = try Host.open(at: current, name, flags)
      if index + 1 == names.count { return next }
      current = next
    }
    throw .noSuchFileOrDirectory
  }

  /// The file has a descriptor that others may use: it stays open for a while.
  func keepOpen(_ file: HostInode) {
    HostFileSystem.makeRoom(in: &openFiles, limit: openLimit / 4)
    noteUse(of: file)
    openFiles.append(file)
  }

  func noteUse(of inode: HostInode) {
    clock &+= 1
    inode.lastUse = clock
  }

  /// Where there are too many, lets go of the descriptors that have not been used for longest.
  private static func makeRoom(in inodes: inout [HostInode], limit: Int) {
    if inodes.count < limit { return }
    inodes.sort { $0.lastUse > $1.lastUse }
    let kept = limit / 2
    for inode in inodes[kept...] { inode.descriptor = nil }
    inodes.removeSubrange(kept...)
  }

  /// A directory was moved or removed: its descriptor may stay, but directories that were found by their names are looked
  /// up again.
  func forget(_ directory: HostInode) {
    if directory.descriptor == nil { return }
    directory.descriptor = nil
    openDirectories.removeAll { $0 === directory }
  }
}

/// A file's identity on the host.
struct HostFileKey: Hashable {
  let device: UInt64
  let inode: UInt64
  init(_ stat: Stat) {
    device = stat.device
    inode = stat.inode
  }
}

/// The host's file systems that guests may not enter.
enum PseudoFileSystem {
  private static let kinds: [FileSystemMagic] = [
    .proc, .sysfs, .pseudoTerminals, .cgroup, .cgroup2, .debugfs, .tracefs, .bpf, .securityfs, .messageQueues,
    .configfs, .pstore, .efivarfs, .selinuxfs, .namespaces, .autofs, .binaryFormats, .fuseControl, .futexfs, .pidfs,
  ]

  /// Tells whether a file system of this `f_type` (statfs(2)) is one of them. Some hosts extend the sign of the number.
  static func contains(_ type: Int64) -> Bool {
    FileSystemMagic(rawValue: Int64(UInt32(truncatingIfNeeded: type))).map { kinds.contains($0) } ?? false
  }
}
