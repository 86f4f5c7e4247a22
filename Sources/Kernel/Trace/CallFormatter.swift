import LinuxABI
import Memory

/// Formats one system call with its arguments. Guest memory is looked at as it is now; what can't be read is shown as an
/// address.
struct CallFormatter {
  let task: Task
  let entry: SyscallEntry?
  let number: UInt64
  let arguments: SyscallArguments
  /// Nil before the call has ended.
  let result: Int?
  /// The parameter that is being described.
  private(set) var index = 0

  init(task: Task, entry: SyscallEntry?, number: UInt64, arguments: SyscallArguments, result: Int?) {
    self.task = task
    self.entry = entry
    self.number = number
    self.arguments = arguments
    self.result = result
  }

  /// The call has succeeded: its results are in guest memory.
  var succeeded: Bool { result.map { $0 >= 0 } ?? false }

  var text: String {
    let name = SyscallNumber.name(number)
    guard let entry else {
      let words = (0..<6).map { hex(arguments[$0]) }
      return "\(name)(\(words.joined(separator: ", ")))"
    }
    return "\(name)(\(described(entry).joined(separator: ", ")))"
  }

  private func described(_ entry: SyscallEntry) -> [String] {
    var call = self
    return entry.parameters().enumerated().compactMap { (index, type) in
      call.index = index
      return type.init(register: arguments[index]).describe(in: call)
    }
  }

  // MARK: What a parameter may look at

  /// The register of the argument that follows the one that is being described.
  var next: UInt64 { index < 5 ? arguments[index + 1] : 0 }

  /// The call's first argument of a type; nil where it has none.
  func argument<Argument: SyscallArgument>(_: Argument.Type) -> Argument? {
    guard let index = entry?.parameters().firstIndex(where: { $0 == Argument.self }) else { return nil }
    return Argument(register: arguments[index])
  }

  /// A value in guest memory; the address where it can't be read or has no form of its own.
  func value<Value: GuestValue>(_ address: GuestAddress, as type: Value.Type) -> String {
    guard !address.isNull else { return "NULL" }
    let value = try? task.memory.readValue(address, as: type)
    return value?.traced ?? pointer(address.rawValue)
  }

  /// How many entries of an array are shown.
  private static let listLimit: UInt64 = 32

  /// An array in guest memory; the address where it can't be read.
  func list<Value: GuestValue>(_ address: GuestAddress, count: UInt64, of type: Value.Type) -> String {
    guard !address.isNull else { return "NULL" }
    let shown = Int(min(count, CallFormatter.listLimit))
    guard let values = try? task.memory.readArray(address, count: shown, as: type) else {
      return pointer(address.rawValue)
    }
    let parts = values.map { $0.traced ?? "?" }
    return "[\(parts.joined(separator: ", "))\(count > CallFormatter.listLimit ? ", ..." : "")]"
  }

  /// The buffers of readv(2) and its relatives.
  func vectors(_ address: UInt64, count: UInt64) -> String {
    guard address != 0 else { return "NULL" }
    let shown = Int(min(count, 16))
    guard let words = try? task.memory.readArray(GuestAddress(address), count: shown * 2, as: UInt64.self) else {
      return pointer(address)
    }
    let parts = (0..<shown).map { "{iov_base=\(pointer(words[2 * $0])), iov_len=\(words[2 * $0 + 1])}" }
    return "[\(parts.joined(separator: ", "))\(count > 16 ? ", ..." : "")]"
  }

  // MARK: Strings

  /// How many bytes of a buffer are shown.
  static let stringLimit = 32

  func string(_ address: UInt64, limit: Int) -> String {
    guard address != 0 else { return "NULL" }
    do throws(Errno) {
      let bytes = try task.memory.readCString(GuestAddress(address), limit: 4096)
      let isCut = bytes.count > limit
      return CallFormatter.quote(bytes.prefix(limit)) + (isCut ? "..." : "")
    } catch { return pointer(address) }
  }

  func bytes(_ address: UInt64, count: Int) -> String {
    guard address != 0 else { return "NULL" }
    let shown = min(max(count, 0), CallFormatter.stringLimit)
    guard let bytes = try? task.memory.read(GuestAddress(address), count: shown) else { return pointer(address) }
    return CallFormatter.quote(bytes[...]) + (count > shown ? "..." : "")
  }

  func stringArray(_ address: UInt64) -> String {
    guard address != 0 else { return "NULL" }
    var shown: [String] = []
    var position = address
    while let entry = try? task.memory.readValue(GuestAddress(position), as: UInt64.self) {
      if entry == 0 { return "[\(shown.joined(separator: ", "))]" }
      if shown.count == 32 { return "[\(shown.joined(separator: ", ")), ...]" }
      shown.append(string(entry, limit: CallFormatter.stringLimit))
      position &+= 8
    }
    return pointer(address)
  }

  /// How many pointers stand before a null pointer, at most 4096.
  func pointerCount(_ address: UInt64) -> Int {
    var count = 0
    while count < 4096,
      let entry = try? task.memory.readValue(GuestAddress(address &+ UInt64(count * 8)), as: UInt64.self),
      entry != 0
    { count += 1 }
    return count
  }

  /// A C string literal.
  static func quote(_ bytes: ArraySlice<UInt8>) -> String {
    var text = "\""
    for (offset, byte) in bytes.enumerated() {
      switch byte {
      case UInt8(ascii: "\""): text += "\\\""
      case UInt8(ascii: "\\"): text += "\\\\"
      case 9: text += "\\t"
      case 10: text += "\\n"
      case 11: text += "\\v"
      case 12: text += "\\f"
      case 13: text += "\\r"
      case 0x20...0x7e: text.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        // Three digits only where a digit follows.
        let next = bytes.index(bytes.startIndex, offsetBy: offset + 1)
        let isBeforeDigit = next < bytes.endIndex && (0x30...0x39).contains(bytes[next])
        let digits = String(byte, radix: 8)
        text += "\\" + (isBeforeDigit ? String(repeating: "0", count: 3 - digits.count) : "") + digits
      }
    }
    return text + "\""
  }
}
