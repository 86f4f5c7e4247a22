import LinuxABI
import Memory
import Testing

@testable import Kernel

@Suite struct StackBuilderTests {
  private let machine: TestMachine
  private var memory: AddressSpace { machine.first.memory }
  private let random = (1...16).map { UInt8($0) }

  init() throws { machine = try TestMachine() }

  private func build(
    _ arguments: [String], _ environment: [String] = [], isExecutable: Bool = false, limit: UInt64 = 8 << 20
  ) throws -> StackBuilder.Block {
    var builder = try StackBuilder(memory, isExecutable: isExecutable, limit: limit)
    return try builder.build(
      arguments: ProgramStrings(arguments.map { Array($0.utf8) }),
      environment: ProgramStrings(environment.map { Array($0.utf8) }),
      path: Array("/bin/program".utf8), auxiliary: [(.pageSize, 4096), (.entry, 0x40_0100)], randomBytes: random)
  }

  private func string(at address: GuestAddress) throws -> String {
    var bytes: [UInt8] = []
    while true {
      let byte = try memory.readValue(address &+ bytes.count, as: UInt8.self)
      if byte == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes.append(byte)
    }
  }

  /// The strings that pointers lead to, up to a null pointer; moves past it.
  private func strings(_ address: inout GuestAddress) throws -> [String] {
    var result: [String] = []
    while true {
      let pointer = try memory.readValue(address, as: GuestAddress.self)
      address = address &+ 8
      if pointer.isNull { return result }
      result.append(try string(at: pointer))
    }
  }

  @Test func aProgramFindsWhatThePsABIPromises() throws {
    let block = try build(["program", "", "-x"], ["A=1", "B="])
    #expect(block.stackPointer.isAligned(to: 16))
    #expect(try memory.readValue(block.stackPointer, as: UInt64.self) == 3)
    var position = block.stackPointer &+ 8
    #expect(try strings(&position) == ["program", "", "-x"])
    #expect(try strings(&position) == ["A=1", "B="])
    var vector: [UInt64: UInt64] = [:]
    var keys: [UInt64] = []
    repeat {
      let pair = try memory.readArray(position, count: 2, as: UInt64.self)
      keys.append(pair[0])
      vector[pair[0]] = pair[1]
      position = position &+ 16
    } while keys.last != AuxiliaryKey.null.rawValue
    #expect(vector[AuxiliaryKey.pageSize.rawValue] == 4096)
    #expect(vector[AuxiliaryKey.entry.rawValue] == 0x40_0100)
    #expect(try string(at: GuestAddress(try #require(vector[AuxiliaryKey.platform.rawValue]))) == "x86_64")
    #expect(try string(at: GuestAddress(try #require(vector[AuxiliaryKey.executableName.rawValue]))) == "/bin/program")
    #expect(try memory.read(GuestAddress(try #require(vector[AuxiliaryKey.random.rawValue])), count: 16) == random)
    // `/proc/PID/auxv` shows the same.
    #expect(block.auxiliary.count == keys.count * 2)
    // The strings are above all that points to them.
    #expect(position <= block.arguments.lowerBound)
  }

  @Test func stringsLieOneAfterTheOther() throws {
    let block = try build(["program", "-x"], ["A=1", "BC=23"])
    func text(_ range: Range<GuestAddress>) throws -> String {
      String(decoding: try memory.read(range.lowerBound, count: Int(range.byteCount)), as: UTF8.self)
    }
    #expect(try text(block.arguments) == "program\0-x\0")
    #expect(try text(block.environment) == "A=1\0BC=23\0")
    #expect(block.arguments.upperBound == block.environment.lowerBound)
  }

  @Test func theStackGrowsAndIsNotExecutableUnlessTheProgramAsksForIt() throws {
    _ = try build(["program"])
    let stack = try #require(memory.mappings.first { $0.name == "[stack]" })
    #expect(stack.protection == [.read, .write])
    #expect(stack.end < Layout.stubBase)
    #expect(stack.end.distance(from: stack.start) == 132 << 10)
    let other = try TestMachine()
    var builder = try StackBuilder(other.first.memory, isExecutable: true, limit: 8 << 20)
    _ = try builder.build(
      arguments: ProgramStrings(), environment: ProgramStrings(), path: [], auxiliary: [], randomBytes: random)
    let executable = try #require(other.first.memory.mappings.first { $0.name == "[stack]" })
    #expect(executable.protection == [.read, .write, .execute])
  }

  @Test func noArgumentsAreArgumentsToo() throws {
    let block = try build([])
    #expect(block.stackPointer.isAligned(to: 16))
    #expect(try memory.readArray(block.stackPointer, count: 3, as: UInt64.self) == [0, 0, 0])
    #expect(block.arguments.isEmpty && block.environment.isEmpty)
  }

  @Test func moreThanTheLimitAllowsIsTooLong() throws {
    let long = String(repeating: "x", count: 100_000)
    #expect(throws: Errno.argListTooLong) {
      try build([String](repeating: long, count: 3), limit: 256 << 10)
    }
    #expect(!memory.mappings.contains { $0.name == "[stack]" })
    _ = try build([String](repeating: long, count: 3))
  }
}
