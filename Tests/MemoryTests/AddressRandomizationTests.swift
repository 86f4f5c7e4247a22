import LinuxABI
import Testing

@testable import Memory

@Suite struct AddressRandomizationTests {
  @Test func partsStayWithinTheirRanges() {
    let most = AddressRandomization(random: [UInt8](repeating: 0xff, count: AddressRandomization.randomCount))
    #expect(most.mappings == ((1 << 28) - 1) * 4096)
    #expect(most.program == ((1 << 28) - 1) * 4096)
    #expect(most.programBreak == (32 << 20) - 4096)
    #expect(most.stack == ((1 << 22) - 1) * 4096)
    #expect(most.stackPointer == 8176)
    #expect(
      AddressRandomization(random: [UInt8](repeating: 0, count: AddressRandomization.randomCount)) == .none)
  }

  @Test func partsDependOnBytesOfTheirOwn() {
    var seen: Set<[UInt64]> = []
    for index in 0..<AddressRandomization.randomCount / 8 {
      var bytes = [UInt8](repeating: 0, count: AddressRandomization.randomCount)
      bytes[index * 8 + 6] = 0x12
      let random = AddressRandomization(random: bytes)
      let parts = [random.mappings, random.program, random.programBreak, random.stack, random.stackPointer]
      #expect(parts.count { $0 != 0 } == 1)
      seen.insert(parts)
    }
    #expect(seen.count == 5)
  }
}
