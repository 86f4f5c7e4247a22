import FileSystem
import LinuxABI

/// The open files that a parked call goes on with: what its descriptors were when it began. Another thread may close them
/// meanwhile, and their numbers may come to mean other files. No call that waits has more than two descriptors.
///
/// Each counts as a descriptor, so that the file is closed when the call ends and not before.
struct KeptFiles {
  private var first: (number: FileDescriptorNumber, file: OpenFile)?
  private var second: (number: FileDescriptorNumber, file: OpenFile)?

  @inline(__always)
  var isEmpty: Bool { first == nil }

  subscript(number: FileDescriptorNumber) -> OpenFile? {
    if let first, first.number == number { return first.file }
    if let second, second.number == number { return second.file }
    return nil
  }

  mutating func keep(_ file: OpenFile, as number: FileDescriptorNumber) {
    file.retainDescriptor()
    if first == nil { first = (number, file) } else { second = (number, file) }
  }

  func letGo() {
    if let first { FileTable.letGo(first.file) }
    if let second { FileTable.letGo(second.file) }
  }
}

extension Task {
  /// The description behind a descriptor, `O_PATH` or not. A call that has waited goes on with what it was at first.
  func file(_ descriptor: FileDescriptorNumber) throws(Errno) -> OpenFile {
    if call.isRetry, let file = call.files[descriptor] { return file }
    return try files.file(descriptor)
  }

  /// A call waits: keeps the files that its arguments name, unless nobody else can close them.
  func keepFiles(ofCall number: UInt64, _ arguments: SyscallArguments) {
    guard files.sharers > 1, call.files.isEmpty else { return }
    let descriptors = Syscalls.descriptors(number)
    var kept = KeptFiles()
    for index in 0..<6 where descriptors >> UInt8(index) & 1 != 0 {
      let number = FileDescriptorNumber(register: arguments[index])
      guard kept[number] == nil, let file = try? files.file(number) else { continue }
      kept.keep(file, as: number)
    }
    call.files = kept
  }
}
