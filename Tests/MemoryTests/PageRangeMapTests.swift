import TestSupport
import Testing

@testable import Memory

extension PageNumber: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: UInt64) { self.init(value) }
}

/// Pages with consecutive values: like an extent, without what else belongs to one.
private struct Piece: PageRangeElement, Equatable {
  var start: PageNumber
  var end: PageNumber
  /// The value of the first page.
  var value: UInt64

  mutating func begin(at page: PageNumber) {
    value += page - start
    start = page
  }
  func joins(_ next: Piece) -> Bool { end == next.start && value + (end - start) == next.value }
}

@Suite struct PageRangeMapTests {
  private func map(_ pieces: Piece...) -> PageRangeMap<Piece> {
    var map = PageRangeMap<Piece>()
    for piece in pieces { map.insert(piece) }
    return map
  }

  @Test func insertionJoinsNeighbours() {
    // In the middle of two that continue each other through it.
    let whole = map(
      Piece(start: 0, end: 4, value: 0), Piece(start: 6, end: 9, value: 6), Piece(start: 4, end: 6, value: 4))
    #expect(whole.elements == [Piece(start: 0, end: 9, value: 0)])
    // Touching is not enough.
    let apart = map(Piece(start: 0, end: 4, value: 0), Piece(start: 4, end: 6, value: 100))
    #expect(apart.count == 2 && apart.pages == 6)
  }

  @Test func removalInTheMiddleSplits() {
    var pieces = map(Piece(start: 10, end: 20, value: 0))
    pieces.remove(13..<15)
    #expect(pieces.elements == [Piece(start: 10, end: 13, value: 0), Piece(start: 15, end: 20, value: 5)])
    #expect(pieces.pages == 8 && !pieces.covers(12..<14) && pieces.isFree(13..<15))
  }

  @Test func splitsAndJoins() {
    var pieces = map(Piece(start: 10, end: 20, value: 0))
    pieces.split(at: 14)
    pieces.split(at: 14)
    #expect(pieces.elements == [Piece(start: 10, end: 14, value: 0), Piece(start: 14, end: 20, value: 4)])
    #expect(pieces.indexes(in: 13..<15) == 0..<2)
    pieces.join(around: 14..<15)
    #expect(pieces.elements == [Piece(start: 10, end: 20, value: 0)])
  }

  @Test func extendsAndFilters() {
    var pieces = map(Piece(start: 10, end: 20, value: 0), Piece(start: 30, end: 31, value: 0))
    pieces.extendDown(0, to: 5)
    #expect(pieces.pages == 16 && pieces.index(of: 5) == 0)
    pieces.removeAll { $0.start == 5 }
    #expect(pieces.pages == 1 && pieces.index(of: 5) == nil && pieces.index(of: 30) == 0)
  }

  /// Random changes, against one value a page.
  @Test(arguments: 1...8)
  func agreesWithModel(seed: Int) {
    let size: UInt64 = 48
    var random = SeededGenerator(seed: UInt64(seed))
    var pieces = PageRangeMap<Piece>()
    var model = [UInt64?](repeating: nil, count: Int(size))
    for step in 0..<400 {
      let start = PageNumber(UInt64.random(in: 0..<size, using: &random))
      let end = PageNumber(UInt64.random(in: start.rawValue + 1...size, using: &random))
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        pieces.remove(start..<end)
        for page in start..<end { model[Int(page.rawValue)] = nil }
      case 1:
        pieces.split(at: start)
        pieces.join(around: start..<start)
      default:
        // Few differences between value and page, so that neighbours often continue each other.
        let value = start.rawValue + UInt64.random(in: 0..<2, using: &random) * 1000
        pieces.replace(Piece(start: start, end: end, value: value))
        for page in start..<end { model[Int(page.rawValue)] = value + (page - start) }
      }
      check(&pieces, model, "step \(step)")
    }
  }

  private func check(_ pieces: inout PageRangeMap<Piece>, _ model: [UInt64?], _ step: String) {
    for page in PageNumber(0)..<PageNumber(UInt64(model.count)) {
      let found = pieces.index(of: page).map { pieces[$0].value + (page - pieces[$0].start) }
      #expect(found == model[Int(page.rawValue)], "\(step), page \(page.rawValue)")
    }
    #expect(pieces.pages == UInt64(model.count { $0 != nil }), "\(step)")
    for (one, next) in zip(pieces.elements, pieces.elements.dropFirst()) {
      #expect(one.start < one.end && one.end <= next.start && !one.joins(next), "\(step)")
    }
    let range: Range<PageNumber> = 7..<31
    var gaps = Set<PageNumber>()
    pieces.forEachGap(in: range) { gaps.formUnion($0) }
    #expect(gaps == Set(range.filter { model[Int($0.rawValue)] == nil }), "\(step)")
    #expect(pieces.covers(range) == gaps.isEmpty && pieces.isFree(range) == (gaps.count == range.count), "\(step)")
    let parts = pieces.parts(in: range).flatMap { part in (part.start..<part.end).map { part.value + ($0 - part.start) }
    }
    #expect(parts == range.compactMap { model[Int($0.rawValue)] }, "\(step)")
  }
}
