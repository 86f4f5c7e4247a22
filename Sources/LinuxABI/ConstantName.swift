/// What the man pages call a constant.
///
/// Each type that holds constants of the ABI lists their names beside them, in a table that refers to the constants. It is
/// made when it is first looked at, which is when something is traced.
public struct ConstantName: Sendable {
  public let name: StaticString
  /// The bits of the constant.
  public let bits: UInt64
  /// The bits that the constant decides on: those it has, or all of a field of which it is one value.
  public let mask: UInt64

  /// A value, or flags that can be set beside others.
  public init<Value: RawRepresentable>(_ name: StaticString, _ value: Value) where Value.RawValue: FixedWidthInteger {
    self.init(name, value, within: value)
  }

  /// One value of a field of several bits, such as `O_WRONLY` of the two bits of `O_ACCMODE`.
  public init<Value: RawRepresentable>(
    _ name: StaticString, _ value: Value, within field: Value
  ) where Value.RawValue: FixedWidthInteger {
    self.name = name
    bits = value.rawValue.zeroExtended
    mask = field.rawValue.zeroExtended
  }
}

/// Values of which each has a name.
public protocol NamedConstants: RawRepresentable where RawValue: FixedWidthInteger {
  static var names: [ConstantName] { get }
}

/// A number of which some values have names. It holds any.
public protocol NamedNumber: NamedConstants {
  init(rawValue: RawValue)
}

/// Flags that can be combined.
public protocol NamedFlags: OptionSet where RawValue: FixedWidthInteger {
  static var names: [ConstantName] { get }
}

extension FixedWidthInteger {
  /// The bits, without those that the sign of a shorter integer would add.
  public var zeroExtended: UInt64 { UInt64(truncatingIfNeeded: Magnitude(truncatingIfNeeded: self)) }
}
