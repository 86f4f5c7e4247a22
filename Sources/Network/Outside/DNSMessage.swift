import LinuxABI

/// Messages of the Domain Name System (RFC 1035), as far as Apus has to understand those that it carries. Both a guest and
/// a name server may send anything.
package enum DNSMessage {
  package static let port: UInt16 = 53
  private static let headerSize = 12

  /// What a query asks for.
  package struct Question: Hashable, Sendable {
    package let name: DomainName
    package let type: UInt16
  }

  /// The one question of a query; nil where it is no query, or has none or several, or asks for a name that no host has.
  package static func question(of query: [UInt8]) -> Question? {
    guard query.count > headerSize, query[2] & 0xf8 == 0 else { return nil }
    return question(in: query)
  }

  private static func question(in message: [UInt8]) -> Question? {
    guard UInt16(bigEndian: message, at: 4) == 1 else { return nil }
    var reader = Reader(message, at: headerSize)
    guard let name = reader.name(), let type = reader.number() as UInt16?, let group = reader.number() as UInt16?,
      group == 1, let name = DomainName(name)
    else { return nil }
    return Question(name: name, type: type)
  }

  /// The addresses that an answer gives for the name that was asked for, by way of aliases (CNAME) if need be.
  package static func addresses(in answer: [UInt8], to question: Question) -> [IPAddress] {
    guard answer.count > headerSize, answer[2] & 0x80 != 0, answer[3] & 0xf == 0,
      Self.question(in: answer)?.name == question.name, let count = UInt16(bigEndian: answer, at: 6)
    else { return [] }
    var reader = Reader(answer, at: headerSize)
    guard reader.name() != nil, reader.skip(4) else { return [] }
    var aliases: [DomainName: DomainName] = [:]
    var addresses: [DomainName: [IPAddress]] = [:]
    for _ in 0..<count {
      guard let owner = reader.name(), let type = reader.number() as UInt16?, let group = reader.number() as UInt16?,
        reader.skip(4), let size = reader.number() as UInt16?
      else { break }
      var data = reader
      guard let bytes = reader.bytes(Int(size)) else { break }
      guard group == 1, let owner = DomainName(owner) else { continue }
      switch type {
      case 1 where bytes.count == 4, 28 where bytes.count == 16:
        if let address = IPAddress(bytes: bytes) { addresses[owner, default: []].append(address) }
      case 5:
        if let alias = data.name().flatMap({ DomainName($0) }) { aliases[owner] = alias }
      default: break
      }
    }
    var name = question.name
    for _ in 0..<maximumAliases {
      if let found = addresses[name] { return found }
      guard let alias = aliases[name] else { break }
      name = alias
    }
    return []
  }

  private static let maximumAliases = 16

  /// What a name server answers that does not serve the asker: `REFUSED`.
  package static func refusal(of query: [UInt8]) -> [UInt8]? {
    guard query.count >= headerSize else { return nil }
    var answer = query
    answer[2] = query[2] & 0x79 | 0x80
    answer[3] = 0x85
    // Of the sections only the question stays, which the query has whole or not at all.
    guard UInt16(bigEndian: query, at: 4) == 1 else {
      answer.replaceSubrange(4..<headerSize, with: [UInt8](repeating: 0, count: 8))
      return Array(answer.prefix(headerSize))
    }
    var reader = Reader(query, at: headerSize)
    guard reader.name() != nil, reader.skip(4) else { return nil }
    answer.replaceSubrange(6..<headerSize, with: [UInt8](repeating: 0, count: 6))
    return Array(answer.prefix(reader.position))
  }

  private struct Reader {
    private let message: [UInt8]
    private(set) var position: Int

    init(_ message: [UInt8], at position: Int) {
      self.message = message
      self.position = position
    }

    mutating func number<Number: FixedWidthInteger>() -> Number? {
      guard let value = Number(bigEndian: message, at: position) else { return nil }
      position += Number.bitWidth / 8
      return value
    }

    mutating func skip(_ count: Int) -> Bool { bytes(count) != nil }

    mutating func bytes(_ count: Int) -> [UInt8]? {
      guard count <= message.count - position else { return nil }
      defer { position += count }
      return Array(message[position..<position + count])
    }

    /// A name with dots between its labels. Pointers of compressed names lead backwards, so they end.
    mutating func name() -> String? {
      var labels: [String] = []
      var place = position
      var end: Int?
      var length = 0
      while place < message.count {
        let size = Int(message[place])
        if size == 0 {
          position = end ?? place + 1
          return labels.joined(separator: ".")
        }
        if size & 0xc0 == 0xc0 {
          guard let pointer = UInt16(bigEndian: message, at: place), Int(pointer & 0x3fff) < place else { return nil }
          end = end ?? place + 2
          place = Int(pointer & 0x3fff)
          // Each jump counts, so that a chain of pointers ends as a long name does.
          length += 1
        } else {
          guard size < 64, size < message.count - place else { return nil }
          let label = message[place + 1...place + size]
          // A dot within a label would make another name of it.
          guard !label.contains(UInt8(ascii: ".")) else { return nil }
          labels.append(String(decoding: label, as: UTF8.self))
          place += size + 1
          length += size + 1
        }
        guard length <= 255 else { return nil }
      }
      return nil
    }
  }
}
