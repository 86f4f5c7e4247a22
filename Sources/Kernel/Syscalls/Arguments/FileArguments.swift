import LinuxABI
import Memory

extension FileDescriptorNumber: SyscallArgument {
  static var isDescriptor: Bool { true }
  init(register: UInt64) { self.init(rawValue: Int32(truncatingIfNeeded: register)) }
  func describe(in call: CallFormatter) -> String? { "\(rawValue)" }
}

/// A directory in which a path starts: a descriptor, or `AT_FDCWD` (openat(2)).
struct DirectoryDescriptor: SyscallArgument, Equatable {
  let descriptor: FileDescriptorNumber
  init(register: UInt64) { descriptor = FileDescriptorNumber(register: register) }
  init(_ descriptor: FileDescriptorNumber) { self.descriptor = descriptor }

  /// `AT_FDCWD`, the working directory.
  static let working = DirectoryDescriptor(FileDescriptorNumber(rawValue: AtFlags.workingDirectory))
  var isWorkingDirectory: Bool { self == .working }

  func describe(in call: CallFormatter) -> String? {
    isWorkingDirectory ? "AT_FDCWD" : descriptor.describe(in: call)
  }
}

/// The address of a path.
struct GuestPath: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? { call.string(address.rawValue, limit: 4096) }
}

extension FileMode: SyscallArgument {
  init(register: UInt64) { self.init(rawValue: UInt32(truncatingIfNeeded: register)) }
  /// open(2) and openat(2) take a mode only where they may make a file.
  func describe(in call: CallFormatter) -> String? {
    if let flags = call.argument(OpenFlags.self), !flags.mayCreate { return nil }
    return octal(UInt64(rawValue))
  }
}
