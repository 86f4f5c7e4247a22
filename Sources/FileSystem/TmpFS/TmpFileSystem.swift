import LinuxABI
import Memory

/// A file system in the sandbox's physical memory (tmpfs(5)).
package class TmpFileSystem: MountedFileSystem {
  package final let context: FileSystemContext
  package final let deviceNumber: UInt64
  package final let source: String
  package var typeName: String { "tmpfs" }
  package final let options: String
  final let usage: TmpUsage
  private final var nextNumber: UInt64
  private final var nextOrder: UInt64 = 0

  /// - Parameters:
  ///   - size: bytes that its files may hold; nil for half of the memory.
  ///   - nodeLimit: files and directories it may hold; nil for one for each two pages of memory, at least 65,536.
  ///   - options: as `/proc/mounts` shows them, each after a comma.
  package init(
    source: String = "tmpfs", size: UInt64? = nil, nodeLimit: UInt64? = nil, options: String = "",
    firstNumber: UInt64 = 1, context: FileSystemContext
  ) {
    self.source = source
    self.options = options
    self.context = context
    deviceNumber = context.makeDeviceNumber()
    let memory = context.services.physicalMemory
    usage = TmpUsage(
      frames: FrameQuota(size: size ?? memory.limit / 2), nodeLimit: nodeLimit ?? max(1 << 16, memory.limit / 8192))
    nextNumber = firstNumber
  }

  /// Makes a root directory.
  package func makeRoot(permissions: UInt32 = 0o1777, uid: UInt32 = 0, gid: UInt32 = 0) throws(Errno) -> Inode {
    try TmpDirectory(self, permissions: permissions, owner: Credentials(uid: uid, gid: gid))
  }

  final func makeNumber() -> UInt64 {
    defer { nextNumber += 1 }
    return nextNumber
  }

  /// Entries are listed in the order in which they were made.
  final func makeOrder() -> UInt64 {
    defer { nextOrder += 1 }
    return nextOrder
  }

  package func statistics() throws(Errno) -> StatFS {
    let memory = context.services.physicalMemory
    let left = memory.limit - min(memory.usedBytes, memory.limit)
    let total = usage.frames.limit
    let free = min(total - min(usage.frames.used, total), left / 4096)
    var result = StatFS()
    result.type = FileSystemMagic.tmpfs.rawValue
    result.blocks = total
    result.freeBlocks = free
    result.availableBlocks = free
    result.files = usage.nodeLimit
    result.freeFiles = usage.nodeLimit - min(usage.nodes, usage.nodeLimit)
    return result
  }
}

/// What all inodes of one file system hold together.
final class TmpUsage {
  let frames: FrameQuota
  let nodeLimit: UInt64
  var nodes: UInt64 = 0
  init(frames: FrameQuota, nodeLimit: UInt64) {
    self.frames = frames
    self.nodeLimit = nodeLimit
  }
}
