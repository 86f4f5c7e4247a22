import LinuxABI

/// The third argument of fcntl(2). Its type depends on the command.
struct FcntlArgument: SyscallArgument {
  private let register: UInt64
  init(register: UInt64) { self.register = register }

  /// The argument of a command that takes this type.
  func `as`<Argument: SyscallArgument>(_: Argument.Type) -> Argument { Argument(register: register) }

  /// Commands without an argument show none.
  func describe(in call: CallFormatter) -> String? {
    guard let command = call.argument(Constant<FcntlCommand>.self)?.value else { return hex(register) }
    return FcntlArgument.type(of: command)?.init(register: register).describe(in: call)
  }

  /// The type that the man page gives for a command; nil where it says `void`.
  private static func type(of command: FcntlCommand) -> (any SyscallArgument.Type)? {
    switch command {
    case .getDescriptorFlags, .getStatusFlags, .getOwner, .getSignal, .getLease, .getPipeSize, .getSeals: nil
    case .duplicate, .duplicateCloseOnExec, .setOwner: Int32.self
    case .duplicateQuery: FileDescriptorNumber.self
    case .setDescriptorFlags: DescriptorFlags.self
    case .setStatusFlags: OpenFlags.self
    case .getLock, .setLock, .setLockWait, .getDescriptionLock, .setDescriptionLock, .setDescriptionLockWait:
      InOutPointer<RecordLock>.self
    case .setOwnerExtended: InPointer<DescriptorOwner>.self
    case .getOwnerExtended: OutPointer<DescriptorOwner>.self
    case .setPipeSize: UInt32.self
    case .addSeals: FileSeals.self
    case .setLease: Constant<RecordLock.Kind>.self
    case .setSignal, .notify: Hexadecimal<UInt64>.self
    }
  }
}
