import LinuxABI
import Memory

extension GuestAddress: SyscallArgument {
  init(register: UInt64) { self.init(register) }
  func describe(in call: CallFormatter) -> String? { pointer(rawValue) }
}

/// The address of a string that is no path.
struct GuestString: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? { call.string(address.rawValue, limit: CallFormatter.stringLimit) }
}

// MARK: Buffers

/// The address of bytes that the call reads. Their count is the next argument.
struct InBuffer: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    call.bytes(address.rawValue, count: Int(clamping: call.next))
  }
}

/// The address of bytes that the call writes. The next argument is how many there may be, the result how many there are;
/// that may be more, where the call says how many it would have written.
struct OutBuffer: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  func describe(in call: CallFormatter) -> String? {
    guard call.succeeded, let count = call.result else { return pointer(address.rawValue) }
    return call.bytes(address.rawValue, count: min(count, Int(clamping: call.next)))
  }
}

/// The address of an array of `struct iovec`. Their count is the next argument.
struct VectorPointer: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  init(_ address: GuestAddress) { self.address = address }
  func describe(in call: CallFormatter) -> String? { call.vectors(address.rawValue, count: call.next) }
}

// MARK: Structures

/// A structure or a number that calls take or hand out by its address.
protocol GuestValue: BitwiseCopyable, Sendable {
  /// As `--trace` shows it; nil to show the address instead.
  var traced: String? { get }
}

extension GuestValue {
  var traced: String? { nil }
}

extension Int32: GuestValue {}
extension UInt32: GuestValue {}
extension Int64: GuestValue {}
extension UInt64: GuestValue {}

/// The address of a structure that the call reads.
struct InPointer<Value: GuestValue>: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  var isNull: Bool { address.isNull }
  func describe(in call: CallFormatter) -> String? { call.value(address, as: Value.self) }
}

/// The address to which the call writes a structure. It is shown where the call succeeds.
struct OutPointer<Value: GuestValue>: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  var isNull: Bool { address.isNull }
  func describe(in call: CallFormatter) -> String? {
    call.succeeded ? call.value(address, as: Value.self) : pointer(address.rawValue)
  }
}

/// The address of a structure that the call reads and changes.
struct InOutPointer<Value: GuestValue>: SyscallArgument {
  let address: GuestAddress
  init(register: UInt64) { address = GuestAddress(register) }
  var isNull: Bool { address.isNull }
  func describe(in call: CallFormatter) -> String? { call.value(address, as: Value.self) }
}

extension Task {
  /// What a pointer points to. - Throws: `EFAULT`.
  func load<Value>(_ pointer: InPointer<Value>) throws(Errno) -> Value {
    try memory.readValue(pointer.address, as: Value.self)
  }
  func load<Value>(_ pointer: InOutPointer<Value>) throws(Errno) -> Value {
    try memory.readValue(pointer.address, as: Value.self)
  }
  /// Writes where a pointer points to. - Throws: `EFAULT`.
  func store<Value>(_ value: Value, to pointer: OutPointer<Value>) throws(Errno) {
    try memory.writeValue(pointer.address, value)
  }
  func store<Value>(_ value: Value, to pointer: InOutPointer<Value>) throws(Errno) {
    try memory.writeValue(pointer.address, value)
  }
}
