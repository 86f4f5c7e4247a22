import FileSystem
import LinuxABI
import Memory
import Testing

@testable import Kernel

/// A program file (elf(5)), made field by field.
struct TestProgram: Sendable {
  struct Segment: Sendable {
    var type: UInt32 = 1
    var flags: UInt32 = 5
    var offset: UInt64 = 0
    var address: UInt64 = 0x40_0000
    var fileSize: UInt64 = 0x1000
    var memorySize: UInt64 = 0x1000
  }
  var magic: UInt32 = 0x464c_457f
  var fileClass: UInt8 = 2
  var encoding: UInt8 = 1
  var type: UInt16 = 2
  var machine: UInt16 = 62
  var entry: UInt64 = 0x40_0100
  var headersOffset: UInt64 = 64
  var headerSize: UInt16 = 56
  var headerCount: UInt16?
  var segments = [Segment()]
  /// What the file holds elsewhere.
  var contents: [(offset: Int, bytes: [UInt8])] = []

  var bytes: [UInt8] {
    func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
      (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
    var file = little(magic) + [fileClass, encoding, 1, 0] + [UInt8](repeating: 0, count: 8)
    file += little(type) + little(machine) + little(UInt32(1)) + little(entry) + little(headersOffset)
    file += little(UInt64(0)) + little(UInt32(0)) + little(UInt16(64)) + little(headerSize)
    file += little(headerCount ?? UInt16(segments.count)) + little(UInt16(0)) + little(UInt16(0)) + little(UInt16(0))
    for segment in segments {
      file += little(segment.type) + little(segment.flags) + little(segment.offset) + little(segment.address)
      file += little(segment.address) + little(segment.fileSize) + little(segment.memorySize) + little(UInt64(4096))
    }
    for (offset, bytes) in contents {
      file += [UInt8](repeating: 0, count: max(0, offset + bytes.count - file.count))
      file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
    return file
  }
}

/// What must not pass for a program.
struct Refusal: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let change: @Sendable (inout TestProgram) -> Void
  init(_ description: String, change: @escaping @Sendable (inout TestProgram) -> Void) {
    testDescription = description
    self.change = change
  }

  static let all: [Refusal] = [
    Refusal("another magic") { $0.magic = 0x464c_457e },
    Refusal("32 bits") { $0.fileClass = 1 },
    Refusal("big-endian") { $0.encoding = 2 },
    Refusal("a relocatable file") { $0.type = 1 },
    Refusal("a core file") { $0.type = 4 },
    Refusal("another processor") { $0.machine = 3 },
    Refusal("program headers of another size") { $0.headerSize = 55 },
    Refusal("no program header") { $0.headerCount = 0 },
    Refusal("more program headers than any program has") { $0.headerCount = 1025 },
    Refusal("program headers past the end of the file") { $0.headersOffset = 1 << 20 },
    Refusal("program headers at the end of all files") { $0.headersOffset = .max },
    Refusal("more program headers than the file holds") { ($0.contents, $0.headerCount) = ([], 3) },
    Refusal("nothing to load") { $0.segments[0].type = 4 },
    Refusal("more in the file than in memory") { $0.segments[0].memorySize = 0xfff },
    Refusal("an end of memory past the end") { $0.segments[0].memorySize = .max },
    Refusal("an end of file past the end") { $0.segments[0].offset = .max - 0xfff },
    Refusal("an address of the kernel") { $0.segments[0].address = 0xffff_8000_0000_0000 },
    Refusal("the place of the stub") { $0.segments[0].address = Layout.stubBase.rawValue },
    Refusal("an address that is not congruent to the offset") { $0.segments[0].address = 0x40_0010 },
    Refusal("a segment of nothing") { ($0.segments[0].fileSize, $0.segments[0].memorySize) = (0, 0) },
    Refusal("an interpreter without a name") {
      $0.segments.append(TestProgram.Segment(type: 3, offset: 0x200, fileSize: 1))
    },
    Refusal("an endless name of an interpreter") {
      $0.segments.append(TestProgram.Segment(type: 3, offset: 0x200, fileSize: 4097))
    },
    Refusal("a name of an interpreter without its end") {
      $0.segments.append(TestProgram.Segment(type: 3, offset: 0x200, fileSize: 4))
      $0.contents = [(0x200, Array("/lib".utf8))]
    },
    Refusal("a name of an interpreter past the end of the file") {
      $0.segments.append(TestProgram.Segment(type: 3, offset: 0x7000_0000, fileSize: 4))
    },
  ]
}

@Suite struct ELFImageTests {
  private let machine: TestMachine
  private var memory: AddressSpace { machine.first.memory }

  init() throws { machine = try TestMachine() }

  private func image(_ program: TestProgram) throws -> ELFImage {
    let bytes = program.bytes
    return try ELFImage(machine.makeFile("/program", bytes), start: Array(bytes.prefix(256)))
  }

  @Test func headersOfAStaticProgram() throws {
    var program = TestProgram()
    program.segments.append(
      TestProgram.Segment(flags: 6, offset: 0x1800, address: 0x40_2800, fileSize: 0x10, memorySize: 0x3000))
    let image = try image(program)
    #expect(!image.isPositionIndependent)
    #expect(image.interpreter == nil)
    #expect(image.header.entry == 0x40_0100)
    #expect(image.segments.count == 2)
    #expect(image.range == 0x40_0000..<0x40_6000)
    // The headers lie in the first segment.
    #expect(image.programHeadersAddress == 0x40_0040)
    #expect(!image.hasExecutableStack)
  }

  @Test func headersOfADynamicProgram() throws {
    var program = TestProgram()
    program.type = 3
    program.segments[0].address = 0
    program.segments.append(TestProgram.Segment(type: 3, offset: 0x200, fileSize: 9, memorySize: 9))
    program.segments.append(TestProgram.Segment(type: 0x6474_e551, flags: 7, fileSize: 0, memorySize: 0))
    program.segments.append(TestProgram.Segment(type: 6, offset: 64, address: 0x40))
    program.contents = [(0x200, Array("/lib/ld\0\0".utf8))]
    let image = try image(program)
    #expect(image.isPositionIndependent)
    #expect(image.interpreter == "/lib/ld")
    #expect(image.hasExecutableStack)
    #expect(image.programHeadersAddress == 0x40)
    #expect(image.segments.count == 1)
  }

  @Test func segmentsInAnyOrderAndOfMemoryAlone() throws {
    var program = TestProgram()
    program.segments.append(TestProgram.Segment(address: 0x30_0000))
    program.segments.append(TestProgram.Segment(flags: 6, offset: 0x123, address: 0x50_0000, fileSize: 0))
    let image = try image(program)
    #expect(image.range == 0x30_0000..<0x50_1000)
    #expect(try image.map(into: memory, preferredBase: 0) == 0)
    #expect(try memory.read(0x30_0000, count: 4) == [0x7f, 0x45, 0x4c, 0x46])
    #expect(try memory.read(0x50_0000, count: 0x1000).allSatisfy { $0 == 0 })
  }

  @Test(arguments: Refusal.all) func isRefused(_ refusal: Refusal) throws {
    var program = TestProgram()
    program.contents = [(0x1fff, [0])]
    refusal.change(&program)
    #expect(throws: Errno.execFormatError) { try image(program) }
  }

  @Test func aFileThatIsTooShortIsRefused() throws {
    let bytes = Array(TestProgram().bytes.prefix(63))
    let file = try machine.makeFile("/program", bytes)
    #expect(throws: Errno.execFormatError) { try ELFImage(file, start: bytes) }
  }

  @Test func segmentsAreMappedWithZerosBehind() throws {
    var program = TestProgram()
    program.segments[0].fileSize = 0x800
    program.segments[0].memorySize = 0x800
    program.segments.append(
      TestProgram.Segment(flags: 6, offset: 0x1ff0, address: 0x40_2ff0, fileSize: 0x18, memorySize: 0x2010))
    program.contents = [(0x1ff0, [UInt8](repeating: 7, count: 0x10)), (0x2000, [UInt8](repeating: 9, count: 0x1000))]
    #expect(try image(program).map(into: memory, preferredBase: 0) == 0)
    // The file goes on behind what the segment has of it; the program must see zeros there.
    #expect(try memory.read(0x40_2ff0, count: 0x20) == [7].repeated(16) + [9].repeated(8) + [0].repeated(8))
    #expect(try memory.read(0x40_3ff0, count: 0x1010).allSatisfy { $0 == 0 })
    #expect(try memory.read(0x40_0000, count: 4) == [0x7f, 0x45, 0x4c, 0x46])
    #expect(throws: Errno.badAddress) { try memory.read(0x40_5000, count: 1) }
    #expect(throws: Errno.badAddress) { try memory.writeValue(0x40_0000, UInt8(1)) }
    try memory.writeValue(0x40_4000, UInt8(1))
    let rows = memory.mappings.filter { (0x40_0000..<0x40_6000 as Range<GuestAddress>).contains($0.start) }
    #expect(rows.map(\.protection) == [[.read, .execute], [.read, .write], [.read, .write]])
    #expect(rows.map(\.name) == ["/program", "/program", ""])
  }

  @Test func positionIndependentProgramsGoWhereTheyAreWanted() throws {
    var program = TestProgram()
    program.type = 3
    program.segments[0].address = 0x1000
    program.segments[0].offset = 0x1000
    program.contents = [(0x1000, [5].repeated(0x1000))]
    let image = try image(program)
    #expect(image.range == 0x1000..<0x2000)
    #expect(try image.map(into: memory, preferredBase: 0x5555_5555_4000) == 0x5555_5555_3000)
    #expect(try memory.readValue(0x5555_5555_4000, as: UInt8.self) == 5)
    // That place is taken now; elsewhere is room.
    #expect(throws: Errno.fileExists) { try image.map(into: memory, preferredBase: 0x5555_5555_4000) }
    let bias = try image.map(into: memory, preferredBase: 0)
    #expect(bias != 0x5555_5555_3000)
    #expect(try memory.readValue(GuestAddress(bias) &+ 0x1000, as: UInt8.self) == 5)
  }
}

extension [UInt8] {
  fileprivate func repeated(_ count: Int) -> [UInt8] { (0..<count).flatMap { _ in self } }
}
