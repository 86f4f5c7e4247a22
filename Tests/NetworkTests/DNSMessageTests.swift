import LinuxABI
import Testing

@testable import Network

@Suite struct DNSMessageTests {
  private static func name(_ text: String) -> [UInt8] {
    text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  private static func header(flags: UInt16, answers: UInt16 = 0) -> [UInt8] {
    [0x12, 0x34, UInt8(flags >> 8), UInt8(flags & 0xff), 0, 1, UInt8(answers >> 8), UInt8(answers & 0xff), 0, 0, 0, 0]
  }

  private static func query(_ text: String, type: UInt8 = 1) -> [UInt8] {
    header(flags: 0x0100) + name(text) + [0, type, 0, 1]
  }

  private static func record(_ owner: [UInt8], _ type: UInt8, _ data: [UInt8]) -> [UInt8] {
    owner + [0, type, 0, 1, 0, 0, 0, 60, UInt8(data.count >> 8), UInt8(data.count & 0xff)] + data
  }

  private static func answer(_ text: String, _ records: [UInt8]..., flags: UInt16 = 0x8180) -> [UInt8] {
    header(flags: flags, answers: UInt16(records.count)) + name(text) + [0, 1, 0, 1] + records.flatMap(\.self)
  }

  private static let toQuestion: [UInt8] = [0xc0, 12]

  @Test func aQueryAsksForAName() throws {
    let question = try #require(DNSMessage.question(of: Self.query("Www.Example.ORG", type: 28)))
    #expect(question.name.description == "www.example.org")
    #expect(question.type == 28)
  }

  @Test func addressesComeWithTheNameOrItsAliases() throws {
    let question = try #require(DNSMessage.question(of: Self.query("a.org")))
    let direct = Self.answer(
      "A.org", Self.record(Self.toQuestion, 1, [192, 0, 2, 1]), Self.record(Self.toQuestion, 1, [192, 0, 2, 2]))
    #expect(DNSMessage.addresses(in: direct, to: question).map(\.description) == ["192.0.2.1", "192.0.2.2"])
    let alias = Self.answer(
      "a.org", Self.record(Self.toQuestion, 5, Self.name("b.org")),
      Self.record(Self.name("b.org"), 5, Self.name("c.org")),
      Self.record(Self.name("c.org"), 1, [192, 0, 2, 3]))
    #expect(DNSMessage.addresses(in: alias, to: question).map(\.description) == ["192.0.2.3"])
  }

  /// Records of other names, other questions, errors and queries give nothing.
  @Test func otherRecordsAreNoAnswers() throws {
    let question = try #require(DNSMessage.question(of: Self.query("a.org")))
    let record = Self.record(Self.toQuestion, 1, [192, 0, 2, 1])
    #expect(DNSMessage.addresses(in: Self.answer("b.org", record), to: question) == [])
    #expect(DNSMessage.addresses(in: Self.answer("a.org", record, flags: 0x8183), to: question) == [])
    #expect(DNSMessage.addresses(in: Self.answer("a.org", record, flags: 0x0100), to: question) == [])
    let foreign = Self.answer("a.org", Self.record(Self.name("b.org"), 1, [192, 0, 2, 1]))
    #expect(DNSMessage.addresses(in: foreign, to: question) == [])
    let short = Self.answer("a.org", Self.record(Self.toQuestion, 1, [192, 0, 2]))
    #expect(DNSMessage.addresses(in: short, to: question) == [])
    let circle = Self.answer(
      "a.org", Self.record(Self.toQuestion, 5, Self.name("b.org")),
      Self.record(Self.name("b.org"), 5, Self.name("a.org")))
    #expect(DNSMessage.addresses(in: circle, to: question) == [])
  }

  /// A dot within a label does not make another name of it.
  @Test func labelsDoNotHideDots() {
    let trick = Self.header(flags: 0x0100) + [5] + Array("a.org".utf8) + [0, 0, 1, 0, 1]
    #expect(DNSMessage.question(of: trick) == nil)
    let zero = Self.header(flags: 0x0100) + [5] + Array("a\u{0}org".utf8) + [0, 0, 1, 0, 1]
    #expect(DNSMessage.question(of: zero) == nil)
  }

  @Test func namesThatPointAtThemselvesEnd() {
    for pointer in [[0xc0, 12], [0xc0, 14], [0xff, 0xff], [1, 97, 0xc0, 12], [0xc0]] as [[UInt8]] {
      #expect(DNSMessage.question(of: Self.header(flags: 0x0100) + pointer + [0, 1, 0, 1]) == nil)
    }
    let long = [UInt8](repeating: 0, count: 0) + (0..<200).flatMap { _ in [1, 97] as [UInt8] } + [0]
    #expect(DNSMessage.question(of: Self.header(flags: 0x0100) + long + [0, 1, 0, 1]) == nil)
  }

  @Test func aRefusalKeepsTheQuestion() throws {
    let query = Self.query("a.org") + [1, 2, 3]
    let refusal = try #require(DNSMessage.refusal(of: query))
    #expect(refusal[0] == 0x12 && refusal[1] == 0x34)
    #expect(refusal[2] & 0x80 != 0 && refusal[3] & 0xf == 5)
    #expect(Array(refusal[12...]) == Self.name("a.org") + [0, 1, 0, 1])
    #expect(DNSMessage.refusal(of: [1, 2, 3]) == nil)
  }

  /// Anything at all can be read.
  @Test func garbageIsRead() throws {
    var random = SystemRandomNumberGenerator()
    let question = try #require(DNSMessage.question(of: Self.query("a.org")))
    let good = Self.answer(
      "a.org", Self.record(Self.toQuestion, 5, Self.name("b.org")), Self.record(Self.name("b.org"), 1, [192, 0, 2, 1]))
    for _ in 0..<20000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
      }
      bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
      _ = DNSMessage.addresses(in: bytes, to: question)
      _ = DNSMessage.question(of: bytes)
      _ = DNSMessage.refusal(of: bytes)
    }
  }
}
