import FileSystem
import LinuxABI
import Memory

/// Files that are only memory: memfd_create(2).
extension Syscalls {
  static let memfdTable: [SyscallEntry] = [.init(.memfd_create, memfdCreate, .partial("no huge pages"))]

  /// memfd_create(2), without huge pages.
  static func memfdCreate(_ task: Task, _ name: GuestString, _ flags: MemoryFileFlags) throws(Errno) -> Int {
    guard flags.isSubset(of: [.closeOnExec, .allowSealing, .noExecuteSeal, .execute]),
      !flags.isSuperset(of: [.noExecuteSeal, .execute])
    else { throw .invalidArgument }
    let bytes: [UInt8]
    do throws(Errno) { bytes = try task.memory.readCString(name.address, limit: 250) } catch .fileNameTooLong {
      throw .invalidArgument
    }
    let file = try task.kernel.vfs.memoryFiles.makeMemoryFile(
      FileName.string(bytes), isSealable: !flags.isDisjoint(with: [.allowSealing, .noExecuteSeal]),
      isExecutable: !flags.contains(.noExecuteSeal), owner: task.credentials)
    return Int(try task.addFile(file, closeOnExec: flags.contains(.closeOnExec)).rawValue)
  }
}
