import LinuxABI

/// Arguments or environment of a program: strings one after the other, each with its NUL. There may be hundreds of
/// thousands.
struct ProgramStrings {
  private(set) var bytes: [UInt8] = []
  private(set) var count = 0

  init(_ strings: [[UInt8]] = []) { for string in strings { append(string) } }

  var isEmpty: Bool { count == 0 }

  mutating func append(_ string: [UInt8]) {
    bytes += string
    endString()
  }

  /// Adds a string whose bytes `write` appends.
  mutating func append(_ write: (inout [UInt8]) throws(Errno) -> Void) throws(Errno) {
    try write(&bytes)
    endString()
  }

  private mutating func endString() {
    bytes.append(0)
    count += 1
  }

  /// Other strings in place of the first.
  func replacingFirst(with strings: [[UInt8]]) -> ProgramStrings {
    var result = ProgramStrings(strings)
    guard let end = bytes.firstIndex(of: 0) else { return result }
    result.bytes += bytes[(end + 1)...]
    result.count += count - 1
    return result
  }

  func prefix(_ maximum: Int) -> [ArraySlice<UInt8>] {
    Array(bytes.split(separator: 0, maxSplits: maximum, omittingEmptySubsequences: false).prefix(min(maximum, count)))
  }

  /// Where each begins.
  var offsets: [UInt64] {
    var offsets: [UInt64] = []
    offsets.reserveCapacity(count)
    var start = 0
    for (index, byte) in bytes.enumerated() where byte == 0 {
      offsets.append(UInt64(start))
      start = index + 1
    }
    return offsets
  }
}
