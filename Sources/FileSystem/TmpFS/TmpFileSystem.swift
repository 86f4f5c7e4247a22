import LinuxABI
import Memory

/// A file system in the sandbox's physical memory (tmpfs(5)).
package class TmpFileSystem: MountedFileSystem {
  package final let context: FileSystemContext
  package final let deviceNumber: UInt64
  package final let source: String
  package var typeName: String { "tmpfs" }
  final let usage: TmpUsage
  private final var nextNumber: UInt64
  private final var nextOrder: UInt64 = 0

  /// - Parameters:
  ///   - size: bytes that its files may hold; nil for all memory.
  ///   - nodeLimit: files and directories it may hold.
  package init(
    source: String = "tmpfs", size: UInt64? = nil, nodeLimit: UInt64 = 1 << 20, firstNumber: UInt64 = 1,
    context: FileSystemContext
  ) {
    self.source = source
    self.context = context
    deviceNumber = context.makeDeviceNumber()
    // Inodes lie in the memory of Apus. Linux allows one for two pages of memory.
    let mostNodes = max(1 << 16, context.services.physicalMemory.limit / 4096)
    usage = TmpUsage(byteLimit: size ?? .max, nodeLimit: min(nodeLimit, mostNodes))
    nextNumber = firstNumber
  }

  /// Makes a root directory.
  package func makeRoot(permissions: UInt32 = 0o1777, uid: UInt32 = 0, gid: UInt32 = 0) -> Inode {
    TmpDirectory(self, permissions: permissions, owner: Credentials(uid: uid, gid: gid))
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
    let total = min(usage.byteLimit, memory.limit)
    let free = min(total - min(usage.bytes, total), left)
    var result = StatFS()
    result.type = FileSystemMagic.tmpfs.rawValue
    result.blocks = total / 4096
    result.freeBlocks = free / 4096
    result.availableBlocks = free / 4096
    result.files = usage.nodeLimit
    result.freeFiles = usage.nodeLimit - min(usage.nodes, usage.nodeLimit)
    return result
  }
}

/// What all inodes of one file system hold together.
final class TmpUsage {
  let byteLimit: UInt64
  let nodeLimit: UInt64
  var bytes: UInt64 = 0
  var nodes: UInt64 = 0
  init(byteLimit: UInt64, nodeLimit: UInt64) {
    self.byteLimit = byteLimit
    self.nodeLimit = nodeLimit
  }
}
