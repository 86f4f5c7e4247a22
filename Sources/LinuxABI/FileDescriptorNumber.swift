/// What a guest calls an open file by: an index of its table of descriptors. It may be any number that a guest passes.
@frozen
public struct FileDescriptorNumber: RawRepresentable, Hashable, BitwiseCopyable, Sendable {
  public var rawValue: Int32
  @inlinable @inline(__always) public init(rawValue: Int32) { self.rawValue = rawValue }
  /// 0: the lowest there is.
  @inlinable public static var lowest: FileDescriptorNumber { FileDescriptorNumber(rawValue: 0) }
}
