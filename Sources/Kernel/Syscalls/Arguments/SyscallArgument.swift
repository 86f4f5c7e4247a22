import LinuxABI

/// The type of a system call's parameter: how it is decoded, and how `--trace` shows it.
///
/// Decoding never fails; a type holds whatever a guest passed, and the call says what is wrong with it. A parameter of 32
/// bits ignores the upper half of its register, as in the x86-64 ABI.
protocol SyscallArgument: Sendable {
  init(register: UInt64)
  /// The number of an open file, which a call that waits has to keep (`KeptFiles`).
  static var isDescriptor: Bool { get }
  /// As strace(1) shows it. Nil where the call has no such argument, as its other arguments say: the mode of an open(2)
  /// that makes no file.
  func describe(in call: CallFormatter) -> String?
}

extension SyscallArgument {
  static var isDescriptor: Bool { false }
}

// MARK: Numbers

extension Int32: SyscallArgument {
  init(register: UInt64) { self.init(truncatingIfNeeded: register) }
  func describe(in call: CallFormatter) -> String? { "\(self)" }
}

extension UInt32: SyscallArgument {
  init(register: UInt64) { self.init(truncatingIfNeeded: register) }
  func describe(in call: CallFormatter) -> String? { "\(self)" }
}

extension Int64: SyscallArgument {
  init(register: UInt64) { self.init(bitPattern: register) }
  func describe(in call: CallFormatter) -> String? { "\(self)" }
}

extension UInt64: SyscallArgument {
  init(register: UInt64) { self = register }
  func describe(in call: CallFormatter) -> String? { "\(self)" }
}

/// A number that is shown in base 16.
struct Hexadecimal<Value: FixedWidthInteger & Sendable>: SyscallArgument {
  let value: Value
  init(register: UInt64) { value = Value(truncatingIfNeeded: register) }
  func describe(in call: CallFormatter) -> String? { hex(value.zeroExtended) }
}

extension ProcessID: SyscallArgument {
  init(register: UInt64) { self.init(rawValue: Int32(truncatingIfNeeded: register)) }
  func describe(in call: CallFormatter) -> String? { "\(self)" }
}

// MARK: Constants

/// A value that should be one of the constants of a type, and may be any.
struct Constant<Value: NamedConstants & Sendable>: SyscallArgument where Value.RawValue: Sendable {
  let rawValue: Value.RawValue
  init(register: UInt64) { rawValue = Value.RawValue(truncatingIfNeeded: register) }
  /// Nil for a number that is none of them.
  var value: Value? { Value(rawValue: rawValue) }
  func describe(in call: CallFormatter) -> String? { ConstantName.one(rawValue.zeroExtended, Value.names) }
}

extension SyscallArgument where Self: NamedNumber {
  init(register: UInt64) { self.init(rawValue: RawValue(truncatingIfNeeded: register)) }
  func describe(in call: CallFormatter) -> String? { ConstantName.one(rawValue.zeroExtended, Self.names) }
}

extension SyscallArgument where Self: NamedFlags {
  init(register: UInt64) { self.init(rawValue: RawValue(truncatingIfNeeded: register)) }
  func describe(in call: CallFormatter) -> String? { ConstantName.join(rawValue.zeroExtended, Self.names) }
}

extension AccessMode: SyscallArgument {}
extension AtFlags: SyscallArgument {}
extension ClockNumber: SyscallArgument {}
extension IoctlRequest: SyscallArgument {}
extension CloneFlags: SyscallArgument {}
extension IOPriority: SyscallArgument {
  init(register: UInt64) { self.init(rawValue: Int32(truncatingIfNeeded: register)) }
  func describe(in call: CallFormatter) -> String? { hex(rawValue.zeroExtended) }
}
extension EpollCreateFlags: SyscallArgument {}
extension EventFlags: SyscallArgument {}
extension LockAllFlags: SyscallArgument {}
extension LockFlags: SyscallArgument {}
extension MapFlags: SyscallArgument {}
extension MemoryFileFlags: SyscallArgument {}
extension MessageFlags: SyscallArgument {}
extension MemoryProtection: SyscallArgument {}
extension MemorySyncFlags: SyscallArgument {}
extension OpenFlags: SyscallArgument {}
extension RandomFlags: SyscallArgument {}
extension PipeFlags: SyscallArgument {}
extension ProcessFileFlags: SyscallArgument {}
extension RemapFlags: SyscallArgument {}
extension SignalFileFlags: SyscallArgument {}
extension SocketFlags: SyscallArgument {}
extension SocketLevel: SyscallArgument {}
extension StatxMask: SyscallArgument {}
extension TimerFlags: SyscallArgument {}
extension TimerFileFlags: SyscallArgument {}
extension WaitOptions: SyscallArgument {}

// MARK: Relations

/// An argument that one before it shows with itself.
struct ShownBefore<Value: SyscallArgument>: SyscallArgument {
  let value: Value
  init(register: UInt64) { value = Value(register: register) }
  func describe(in call: CallFormatter) -> String? { nil }
}
