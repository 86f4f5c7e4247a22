import LinuxABI
import Memory

/// The open file descriptions of one sandbox, and how many of them there may be (`fs.file-max` of proc_sys_fs(5)).
package final class OpenFileCount {
  package private(set) var count = 0
  package let maximum: Int
  private let memory: KernelMemory

  /// What a description takes, with the object behind it where that has no price of its own.
  private static let price = 1024

  /// As in Linux, a tenth of the memory may go to open files.
  package init(memory: PhysicalMemory) {
    maximum = max(8192, Int(clamping: memory.limit / 10) / OpenFileCount.price)
    self.memory = memory.kernelMemory
  }

  /// Counts a description that gets its first descriptor.
  /// - Parameter isPrivileged: with CAP_SYS_ADMIN there is no limit but memory.
  /// - Throws: `ENFILE`.
  package func admit(_ file: OpenFile, isPrivileged: Bool) throws(Errno) {
    guard file.admission == nil else { return }
    guard count < maximum || isPrivileged else { throw .tooManyOpenFilesInSystem }
    let charge = try memory.charge(OpenFileCount.price, otherwise: .tooManyOpenFilesInSystem)
    file.admission = Admission(files: self, charge: charge)
  }

  /// A description's place in the count, for as long as there is the description.
  struct Admission: ~Copyable {
    private let files: OpenFileCount
    private var charge: MemoryCharge
    fileprivate init(files: OpenFileCount, charge: consuming MemoryCharge) {
      self.files = files
      self.charge = charge
      files.count += 1
    }
    fileprivate mutating func chargeContent(_ bytes: Int) throws(Errno) {
      try charge.resize(to: OpenFileCount.price + bytes)
    }
    deinit { files.count -= 1 }
  }
}

extension OpenFile {
  /// Charges for what the description keeps besides itself, such as the listing of a directory; it counts from the first
  /// descriptor on. - Throws: `ENOMEM`.
  final func chargeContent(_ bytes: Int) throws(Errno) { try admission?.chargeContent(bytes) }
}
