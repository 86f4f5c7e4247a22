/// `struct new_utsname` of uname(2): six texts that end with NUL.
package struct SystemName: BitwiseCopyable, Sendable {
  package typealias Field = InlineArray<65, UInt8>
  package var system = Field(repeating: 0)
  package var node = Field(repeating: 0)
  package var release = Field(repeating: 0)
  package var version = Field(repeating: 0)
  package var machine = Field(repeating: 0)
  package var domain = Field(repeating: 0)
  package init() {}

  /// A text as a field, cut to what fits.
  package static func field(_ text: String) -> Field {
    var field = Field(repeating: 0)
    for (index, byte) in text.utf8.prefix(64).enumerated() { field[index] = byte }
    return field
  }

  /// The text of a field.
  package static func text(_ field: Field) -> [UInt8] { field.indices.map { field[$0] }.prefix { $0 != 0 }.map(\.self) }
}

/// `struct sysinfo` of sysinfo(2).
package struct SystemInformation: BitwiseCopyable, Sendable {
  package var uptime: Int64 = 0
  package var loads = InlineArray<3, UInt64>(repeating: 0)
  package var totalMemory: UInt64 = 0
  package var freeMemory: UInt64 = 0
  package var sharedMemory: UInt64 = 0
  package var bufferMemory: UInt64 = 0
  package var totalSwap: UInt64 = 0
  package var freeSwap: UInt64 = 0
  package var processes: UInt16 = 0
  private var padding: UInt16 = 0
  package var totalHighMemory: UInt64 = 0
  package var freeHighMemory: UInt64 = 0
  /// What the sizes are multiples of, in bytes.
  package var unit: UInt32 = 1
  private var padding2: UInt32 = 0
  package init() {}
}
