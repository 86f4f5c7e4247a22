import LinuxABI

/// The table of host calls as a classic BPF program (seccomp(2)).
struct HostCallFilter {
  /// `struct sock_filter`, 8 bytes for each instruction.
  private(set) var code: [UInt64] = []

  private enum Operation: UInt64 {
    /// Loads a word of `struct seccomp_data`.
    case load = 0x20
    case and = 0x54
    case jumpIfEqual = 0x15
    case jumpIfAnyBit = 0x45
    case answer = 0x06
  }
  private static let architecture: UInt32 = 0xc000_003e
  private static let allow: UInt32 = 0x7fff_0000
  private static let errno: UInt32 = 0x0005_0000

  init(_ rules: [HostCallRule]) {
    append(.load, 4)
    append(.jumpIfEqual, HostCallFilter.architecture, whenTrue: 1)
    append(.answer, HostCallFilter.errno | UInt32(Errno.notPermitted.rawValue))
    var holdsNumber = false
    for rule in rules {
      if !holdsNumber { append(.load, 0) }
      append(rule)
      holdsNumber = rule.conditions.isEmpty
    }
    append(.load, 0)
    append(.jumpIfEqual, UInt32(SyscallNumber.clone3.rawValue), whenFalse: 1)
    append(.answer, HostCallFilter.errno | UInt32(Errno.noFunction.rawValue))
    append(.answer, HostCallFilter.errno | UInt32(Errno.notPermitted.rawValue))
  }

  private mutating func append(_ operation: Operation, _ operand: UInt32, whenTrue: Int = 0, whenFalse: Int = 0) {
    code.append(
      operation.rawValue | UInt64(UInt8(clamping: whenTrue)) << 16 | UInt64(UInt8(clamping: whenFalse)) << 24
        | UInt64(operand) << 32)
  }

  /// A block of its own: it allows the call, or goes on behind itself.
  private mutating func append(_ rule: HostCallRule) {
    let start = code.count
    append(.jumpIfEqual, UInt32(rule.call.rawValue))
    /// Jumps that lead behind the block, and whether they are taken where the test is true.
    var exits: [(at: Int, whenTrue: Bool)] = [(start, false)]
    for condition in rule.conditions { append(condition, &exits) }
    append(.answer, HostCallFilter.allow)
    for exit in exits {
      let distance = UInt64(UInt8(clamping: code.count - exit.at - 1))
      code[exit.at] |= distance << (exit.whenTrue ? 16 : 24)
    }
  }

  private mutating func append(_ condition: HostCallRule.Condition, _ exits: inout [(at: Int, whenTrue: Bool)]) {
    func low(_ argument: Int) -> UInt32 { UInt32(16 + 8 * argument) }
    switch condition {
    case .isOne(let argument, let values, let ignored):
      append(.load, low(argument))
      if ignored != 0 { append(.and, ~ignored) }
      for (index, value) in values.enumerated() {
        let isLast = index == values.count - 1
        if isLast { exits.append((code.count, false)) }
        append(.jumpIfEqual, value, whenTrue: values.count - 1 - index)
      }
    case .hasNone(let argument, let bits):
      append(.load, low(argument))
      exits.append((code.count, true))
      append(.jumpIfAnyBit, bits)
    case .hasAll(let argument, let bits):
      append(.load, low(argument))
      append(.and, bits)
      exits.append((code.count, false))
      append(.jumpIfEqual, bits)
    case .isNull(let argument):
      for word in 0..<2 {
        append(.load, low(argument) + UInt32(4 * word))
        exits.append((code.count, false))
        append(.jumpIfEqual, 0)
      }
    case .isHeld(let argument):
      append(.load, low(argument))
      exits.append((code.count, true))
      append(.jumpIfEqual, UInt32(bitPattern: -100))  // AT_FDCWD
    }
  }
}
