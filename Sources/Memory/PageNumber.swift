import LinuxABI

/// The number of a page: of an address space, or of an object that is mapped.
///
/// Its sums trap where they do not fit into 64 bits. None does: addresses and offsets are at most that long, so the
/// numbers of their pages leave twelve bits free.
struct PageNumber: Hashable, Strideable, BitwiseCopyable, Sendable {
  var rawValue: UInt64

  @inline(__always) init(_ rawValue: UInt64) { self.rawValue = rawValue }
  /// The page that holds an address.
  @inline(__always) init(holding address: GuestAddress) { rawValue = address.rawValue.bytesToPages }
  /// The page of an object that holds an offset.
  @inline(__always) init(holding offset: UInt64) { rawValue = offset.bytesToPages }

  static let zero = PageNumber(0)
  /// The last page that an address or an offset can be in.
  static let max = PageNumber(UInt64.max.bytesToPages)

  /// Address of the first byte, for a page of an address space.
  @inline(__always) var address: GuestAddress { GuestAddress(rawValue.pagesToBytes) }
  /// Offset of the first byte, for a page of an object.
  @inline(__always) var offset: UInt64 { rawValue.pagesToBytes }

  @inline(__always) static func == (a: PageNumber, b: PageNumber) -> Bool { a.rawValue == b.rawValue }
  @inline(__always) static func < (a: PageNumber, b: PageNumber) -> Bool { a.rawValue < b.rawValue }

  @inline(__always) static func + (page: PageNumber, count: UInt64) -> PageNumber { PageNumber(page.rawValue + count) }
  @inline(__always) static func - (page: PageNumber, count: UInt64) -> PageNumber { PageNumber(page.rawValue - count) }
  @inline(__always) static func &+ (page: PageNumber, count: UInt64) -> PageNumber {
    PageNumber(page.rawValue &+ count)
  }
  @inline(__always) static func += (page: inout PageNumber, count: UInt64) { page = page + count }
  @inline(__always) static func -= (page: inout PageNumber, count: UInt64) { page = page - count }
  /// Pages from `b` up to `a`.
  @inline(__always) static func - (a: PageNumber, b: PageNumber) -> UInt64 { a.rawValue - b.rawValue }
  /// Pages from `b` up to `a`, wrapping around.
  @inline(__always) static func &- (a: PageNumber, b: PageNumber) -> UInt64 { a.rawValue &- b.rawValue }

  /// The page `count` further down, or the first where there are not so many.
  @inline(__always) func lowered(by count: UInt64) -> PageNumber {
    PageNumber(rawValue > count ? rawValue - count : 0)
  }
  /// The next multiple of `count`, a power of two, from here down.
  @inline(__always) func roundedDown(to count: UInt64) -> PageNumber { PageNumber(rawValue & ~(count - 1)) }

  // MARK: ranges count as collections

  @inline(__always) func distance(to other: PageNumber) -> Int { Int(other.rawValue) - Int(rawValue) }
  @inline(__always) func advanced(by count: Int) -> PageNumber { PageNumber(UInt64(Int(rawValue) + count)) }
}

extension Range where Bound == PageNumber {
  /// The pages of a range of addresses that starts and ends with a page.
  init(pagesOf addresses: Range<GuestAddress>) {
    self = PageNumber(holding: addresses.lowerBound)..<PageNumber(holding: addresses.upperBound)
  }

  /// Number of pages.
  @inline(__always) var pageCount: UInt64 { upperBound - lowerBound }
  /// Bytes of all pages.
  @inline(__always) var byteCount: UInt64 { pageCount.pagesToBytes }
}

extension FixedWidthInteger {
  /// Bytes of so many pages.
  @inline(__always) var pagesToBytes: Self { self << 12 }
  /// Whole pages in so many bytes.
  @inline(__always) var bytesToPages: Self { self >> 12 }
  /// Pages that it takes to hold so many bytes.
  @inline(__always) var bytesToPagesUp: Self { self >> 12 + (self & Self(Layout.pageMask) == 0 ? 0 : 1) }
}
