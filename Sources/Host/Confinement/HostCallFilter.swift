import LinuxABI

/// The table of host calls as a classic BPF program (seccomp(2)).
///
/// It runs at each host call of Apus whose answer depends on arguments, and the host runs it once for every number when
/// it is installed, to know the answers that don't. So it looks for the number by halves, not line by line.
struct HostCallFilter {
  /// `struct sock_filter`, 8 bytes for each instruction.
  let code: [UInt64]

  private static let refusal = instruction(refusing: .notPermitted)

  /// Numbers from `first` up to the next segment, and what is done with them.
  private struct Segment {
    let first: UInt32
    let code: [UInt64]
  }

  init(_ rules: [HostCallRule]) {
    var blocks: [UInt32: [UInt64]] = [:]
    for rule in rules { blocks[UInt32(rule.call.rawValue), default: []] += HostCallFilter.block(rule) }
    // Alternatives that all failed; what follows a block without conditions is never reached.
    for call in blocks.keys { blocks[call]?.append(HostCallFilter.refusal) }
    blocks[UInt32(SyscallNumber.clone3.rawValue)] = [
      HostCallFilter.instruction(refusing: .noFunction)
    ]
    var segments = [Segment(first: 0, code: [HostCallFilter.refusal])]
    func append(_ segment: Segment) {
      if segments.last?.first == segment.first { segments.removeLast() }
      if segments.last?.code != segment.code { segments.append(segment) }
    }
    for (number, code) in blocks.sorted(by: { $0.key < $1.key }) {
      append(Segment(first: number, code: code.first == HostCallFilter.permission ? [HostCallFilter.permission] : code))
      append(Segment(first: number + 1, code: [HostCallFilter.refusal]))
    }
    code =
      [
        HostCallFilter.instruction(.load, 4),
        HostCallFilter.instruction(.jumpIfEqual, SyscallArchitecture.x86_64, whenTrue: 1),
        HostCallFilter.refusal,
        HostCallFilter.instruction(.load, 0),
      ] + HostCallFilter.search(segments[...])
  }

  private static let permission = instruction(.answer, SeccompAnswer.allow.rawValue)

  private static func instruction(
    _ operation: FilterInstruction, _ operand: UInt32, whenTrue: Int = 0, whenFalse: Int = 0
  ) -> UInt64 {
    UInt64(operation.rawValue) | UInt64(UInt8(clamping: whenTrue)) << 16 | UInt64(UInt8(clamping: whenFalse)) << 24
      | UInt64(operand) << 32
  }

  private static func instruction(refusing error: Errno) -> UInt64 {
    instruction(.answer, SeccompAnswer.errno.rawValue | UInt32(error.rawValue))
  }

  /// Finds the segment of the number that is loaded.
  private static func search(_ segments: ArraySlice<Segment>) -> [UInt64] {
    guard segments.count > 1 else { return segments.first?.code ?? [refusal] }
    let middle = segments.startIndex + segments.count / 2
    let below = search(segments[..<middle])
    let above = search(segments[middle...])
    let first = segments[middle].first
    // A conditional jump reaches 255 instructions.
    if below.count < 256 {
      return [instruction(.jumpIfAtLeast, first, whenTrue: below.count)] + below + above
    }
    return [instruction(.jumpIfAtLeast, first, whenFalse: 1), instruction(.jump, UInt32(below.count))] + below + above
  }

  /// A block of its own: it allows the call, or goes on behind itself.
  private static func block(_ rule: HostCallRule) -> [UInt64] {
    var block = Block()
    for condition in rule.conditions { block.append(condition) }
    block.code.append(permission)
    for exit in block.exits {
      let distance = UInt64(UInt8(clamping: block.code.count - exit.at - 1))
      block.code[exit.at] |= distance << (exit.whenTrue ? 16 : 24)
    }
    return block.code
  }

  private struct Block {
    var code: [UInt64] = []
    /// Jumps that lead behind the block, and whether they are taken where the test is true.
    var exits: [(at: Int, whenTrue: Bool)] = []

    private mutating func append(_ operation: FilterInstruction, _ operand: UInt32, whenTrue: Int = 0) {
      code.append(instruction(operation, operand, whenTrue: whenTrue))
    }

    mutating func append(_ condition: HostCallRule.Condition) {
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
      case .isWithin(let argument, let ranges):
        append(.load, low(argument))
        for (index, range) in ranges.enumerated() {
          exits.append((code.count, false))
          append(.jumpIfAtLeast, range.lowerBound)
          let isLast = index == ranges.count - 1
          if isLast { exits.append((code.count, true)) }
          // Within: past the ranges that follow.
          let rest = 2 * (ranges.count - 1 - index)
          code.append(instruction(.jumpIfAtLeast, range.upperBound &+ 1, whenFalse: rest))
        }
      case .isHeld(let argument):
        append(.load, low(argument))
        exits.append((code.count, true))
        append(.jumpIfEqual, UInt32(bitPattern: AtFlags.workingDirectory))
      }
    }
  }
}
