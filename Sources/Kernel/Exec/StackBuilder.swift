import FileSystem
import LinuxABI
import Memory

/// The initial stack of a program: strings, auxiliary vector, environment, arguments (x86-64 psABI 3.4.1).
struct StackBuilder {
  /// Highest top of a stack: a little below the stub.
  private static let highestTop = Layout.stubBase &- 16 * Layout.pageSize
  /// What is mapped at first; faults below grow it.
  private static let initialSize: UInt64 = 132 << 10

  struct Block {
    var stackPointer: GuestAddress
    var arguments: Range<GuestAddress>
    var environment: Range<GuestAddress>
    var auxiliary: [UInt64]
  }

  private let memory: AddressSpace
  private let limit: UInt64
  private let top: GuestAddress
  private let protection: MemoryProtection

  init(_ memory: AddressSpace, isExecutable: Bool, limit: UInt64) throws(Errno) {
    self.memory = memory
    self.limit = limit
    top = StackBuilder.highestTop &- memory.randomization.stack
    protection = isExecutable ? [.read, .write, .execute] : [.read, .write]
  }

  /// Maps the stack and writes everything with one copy. `randomBytes` are the 16 of `AT_RANDOM`.
  mutating func build(
    arguments: ProgramStrings, environment: ProgramStrings, path: [UInt8], auxiliary: [(AuxiliaryKey, UInt64)],
    randomBytes: [UInt8]
  ) throws(Errno) -> Block {
    // From the top: a null word, the path, environment strings, argument strings, platform name, random bytes.
    var strings: [UInt8] = []
    strings.reserveCapacity(arguments.bytes.count + environment.bytes.count + path.count + 64)
    func append(_ string: [UInt8]) -> UInt64 {
      let offset = UInt64(strings.count)
      strings += string
      strings.append(0)
      return offset
    }
    let random = UInt64(strings.count)
    strings += randomBytes
    let platform = append(Array("x86_64".utf8))
    let argumentStart = UInt64(strings.count)
    strings += arguments.bytes
    let environmentStart = UInt64(strings.count)
    strings += environment.bytes
    let environmentEnd = UInt64(strings.count)
    let name = append(path)

    let stringsBase = (top &- 8 &- UInt64(strings.count)).roundedDown(to: 16)
    let vectorWords = 2 * (auxiliary.count + 4)
    let words = 1 + arguments.count + 1 + environment.count + 1 + vectorWords
    let pointer = (stringsBase &- memory.randomization.stackPointer &- UInt64(words * 8)).roundedDown(to: 16)
    let used = top.distance(from: pointer)
    guard used <= min(limit, ExecRequest.sizeLimit(stackLimit: limit) + (64 << 10)) else { throw .argListTooLong }

    let size = (max(used + (64 << 10), min(StackBuilder.initialSize, limit))).pageUp ?? StackBuilder.initialSize
    let start = top &- size
    _ = try memory.map(
      MapRequest(
        address: start, length: size, protection: protection,
        flags: [.private, .anonymous, .fixed, .growsDown, .stack], source: .anonymous))
    memory.setName(start: start, length: size, name: "[stack]")

    var vector = auxiliary.flatMap { [$0.0.rawValue, $0.1] }
    vector += [AuxiliaryKey.random.rawValue, (stringsBase &+ random).rawValue]
    vector += [AuxiliaryKey.platform.rawValue, (stringsBase &+ platform).rawValue]
    vector += [AuxiliaryKey.executableName.rawValue, (stringsBase &+ name).rawValue]
    vector += [AuxiliaryKey.null.rawValue, 0]
    var block: [UInt64] = [UInt64(arguments.count)]
    block.reserveCapacity(words)
    block += arguments.offsets.map { (stringsBase &+ (argumentStart + $0)).rawValue }
    block.append(0)
    block += environment.offsets.map { (stringsBase &+ (environmentStart + $0)).rawValue }
    block.append(0)
    block += vector
    try memory.writeArray(pointer, block)
    try memory.write(stringsBase, strings)
    return Block(
      stackPointer: pointer, arguments: stringsBase &+ argumentStart..<stringsBase &+ environmentStart,
      environment: stringsBase &+ environmentStart..<stringsBase &+ environmentEnd, auxiliary: vector)
  }
}
