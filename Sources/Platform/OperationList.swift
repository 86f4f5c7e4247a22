import LinuxABI

/// Memory operations in the order they are to be executed, merged where they touch.
struct OperationList {
  private(set) var operations: [MemoryOperation] = []

  init() { operations.reserveCapacity(32) }

  var isEmpty: Bool { operations.isEmpty }

  mutating func removeAll() { operations.removeAll(keepingCapacity: true) }

  /// What all of it takes, roughly (see `MemoryOperation.work`).
  var work: UInt64 { operations.reduce(0) { $0 &+ $1.work } }

  /// Splits an operation in two where it is more work than `limit` and can be split.
  mutating func split(at index: Int, after limit: UInt64) {
    guard let (head, tail) = operations[index].split(after: limit) else { return }
    operations[index] = head
    operations.insert(tail, at: index + 1)
  }

  mutating func removeFirst(_ count: Int) {
    if count == operations.count { removeAll() } else { operations.removeFirst(count) }
  }

  mutating func append(_ operation: MemoryOperation) {
    let range = operation.range
    if range.isEmpty { return }
    // A mapping or an unmapping replaces what is there, so what was queued for the same pages need not happen.
    if operation.replacesRange {
      while let last = operations.last, range.lowerBound <= last.range.lowerBound,
        range.upperBound >= last.range.upperBound
      {
        operations.removeLast()
      }
    }
    if let last = operations.last, let merged = last.merged(with: operation) {
      operations[operations.count - 1] = merged
    } else {
      operations.append(operation)
    }
  }
}

extension MemoryOperation {
  /// The pages it changes.
  var range: Range<GuestAddress> {
    switch self {
    case .mapPhysical(let address, let length, _, _, _), .mapFile(let address, let length, _, _, _),
      .mapFileShared(let address, let length, _, _, _), .unmap(let address, let length),
      .protect(let address, let length, _):
      return address..<(address.advanced(by: length) ?? GuestAddress(.max))
    }
  }

  /// How much work it is for the host, in pages that are filled: roughly a microsecond each. Changing what is mapped takes
  /// much less, and nothing where pages were never touched.
  var work: UInt64 {
    switch self {
    case .mapPhysical(_, let length, _, _, populate: true): length >> 12
    case .mapPhysical(_, let length, _, _, populate: false), .mapFile(_, let length, _, _, _),
      .mapFileShared(_, let length, _, _, _), .unmap(_, let length), .protect(_, let length, _):
      length >> 17
    }
  }

  /// Two operations that do the same one after the other, the first of them as much work as `limit`; nil where it is no
  /// more anyway, or cannot be split.
  fileprivate func split(after limit: UInt64) -> (MemoryOperation, MemoryOperation)? {
    let length = limit << 12
    guard case .mapPhysical(let address, let whole, let offset, let protection, populate: true) = self, length > 0,
      whole > length
    else { return nil }
    return (
      .mapPhysical(address: address, length: length, offset: offset, protection: protection, populate: true),
      .mapPhysical(
        address: address &+ length, length: whole - length, offset: offset &+ length, protection: protection,
        populate: true)
    )
  }

  fileprivate var replacesRange: Bool {
    if case .protect = self { return false }
    return true
  }

  /// One operation that does what this one and then `next` do; nil if there is none.
  fileprivate func merged(with next: MemoryOperation) -> MemoryOperation? {
    switch (self, next) {
    case (
      .mapPhysical(let address, let length, let offset, let protection, let populate),
      .mapPhysical(let nextAddress, let nextLength, let nextOffset, let nextProtection, let nextPopulate)
    ):
      guard protection == nextProtection, populate == nextPopulate else { return nil }
      if nextAddress == address &+ length, nextOffset == offset &+ length {
        return .mapPhysical(
          address: address, length: length &+ nextLength, offset: offset, protection: protection, populate: populate)
      }
      if address == nextAddress &+ nextLength, offset == nextOffset &+ nextLength {
        return .mapPhysical(
          address: nextAddress, length: length &+ nextLength, offset: nextOffset, protection: protection,
          populate: populate)
      }
      return nil
    case (.unmap, .unmap):
      guard let union = union(with: next) else { return nil }
      return .unmap(address: union.lowerBound, length: union.byteCount)
    case (.protect(_, _, let protection), .protect(_, _, let nextProtection)):
      guard protection == nextProtection, let union = union(with: next) else { return nil }
      return .protect(
        address: union.lowerBound, length: union.byteCount, protection: protection)
    default:
      return nil
    }
  }

  /// The pages of both, if there is no gap between them.
  private func union(with next: MemoryOperation) -> Range<GuestAddress>? {
    let (a, b) = (range, next.range)
    guard a.lowerBound <= b.upperBound, b.lowerBound <= a.upperBound else { return nil }
    return min(a.lowerBound, b.lowerBound)..<max(a.upperBound, b.upperBound)
  }
}
