/// An address in the address space of a guest process.
///
/// Guests choose addresses, so no operation traps: where a sum can pass the end of the address space it either wraps
/// around, which the `&` of its name says, or gives nil. An address that has wrapped is low, and what is done there fails
/// as it would at any other address that is not mapped.
@frozen
public struct GuestAddress: Hashable, Comparable, BitwiseCopyable, Sendable {
  public var rawValue: UInt64

  @inlinable @inline(__always) public init(_ rawValue: UInt64) { self.rawValue = rawValue }

  /// What C calls `NULL`: no address.
  @inlinable public static var null: GuestAddress { GuestAddress(0) }
  @inlinable public var isNull: Bool { rawValue == 0 }

  /// Whether it lies in the half of the address space that x86-64 gives to user space.
  @inlinable public var isUserAddress: Bool { self < Layout.userEnd }

  @inlinable @inline(__always)
  public static func < (a: GuestAddress, b: GuestAddress) -> Bool { a.rawValue < b.rawValue }

  // MARK: offsets

  /// The address `bytes` further up, wrapping around.
  @inlinable @inline(__always)
  public static func &+ (address: GuestAddress, bytes: UInt64) -> GuestAddress {
    GuestAddress(address.rawValue &+ bytes)
  }

  /// The address `bytes` further up, or down where that is negative, wrapping around.
  @inlinable @inline(__always)
  public static func &+ (address: GuestAddress, bytes: Int) -> GuestAddress {
    GuestAddress(address.rawValue &+ UInt64(bitPattern: Int64(bytes)))
  }

  /// The address `bytes` further down, wrapping around.
  @inlinable @inline(__always)
  public static func &- (address: GuestAddress, bytes: UInt64) -> GuestAddress {
    GuestAddress(address.rawValue &- bytes)
  }

  /// The address `bytes` further up; nil past the end of the address space.
  @inlinable @inline(__always)
  public func advanced(by bytes: UInt64) -> GuestAddress? {
    let (sum, overflow) = rawValue.addingReportingOverflow(bytes)
    return overflow ? nil : GuestAddress(sum)
  }

  /// Bytes from `base` up to here, wrapping around where `base` is above.
  @inlinable @inline(__always)
  public func distance(from base: GuestAddress) -> UInt64 { rawValue &- base.rawValue }

  // MARK: alignment

  /// Whether it is a multiple of `size`, a power of two.
  @inlinable @inline(__always)
  public func isAligned(to size: UInt64) -> Bool { rawValue & (size &- 1) == 0 }

  /// The next multiple of `size`, a power of two, from here down.
  @inlinable @inline(__always)
  public func roundedDown(to size: UInt64) -> GuestAddress { GuestAddress(rawValue & ~(size &- 1)) }

  @inlinable public var isPageAligned: Bool { offsetInPage == 0 }
  /// Bytes from the start of its page.
  @inlinable @inline(__always) public var offsetInPage: UInt64 { rawValue & Layout.pageMask }
  /// The start of its page.
  @inlinable public var pageDown: GuestAddress { GuestAddress(rawValue & ~Layout.pageMask) }
  /// The address rounded up to the start of a page; nil where there is no page above.
  @inlinable public var pageUp: GuestAddress? { advanced(by: Layout.pageMask)?.pageDown }
}

/// Addresses that are fixed can be written as they are, as in `address == 0x1_0000`.
extension GuestAddress: ExpressibleByIntegerLiteral {
  @inlinable @inline(__always) public init(integerLiteral value: UInt64) { self.init(value) }
}

extension GuestAddress: CustomStringConvertible {
  /// As C's `%p` prints it.
  public var description: String { "0x" + String(rawValue, radix: 16) }
}

extension Range where Bound == GuestAddress {
  /// Bytes from the start to the end.
  @inlinable public var byteCount: UInt64 { upperBound.distance(from: lowerBound) }
}
