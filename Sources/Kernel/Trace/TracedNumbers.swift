import FileSystem

// Numbers as strace(1) shows them.

/// A number in base 16.
func hex(_ value: UInt64) -> String { value == 0 ? "0" : "0x" + Text.hex(value) }

/// An address.
func pointer(_ value: UInt64) -> String { value == 0 ? "NULL" : hex(value) }

/// A number as C writes it in base 8.
func octal(_ value: UInt64) -> String { value == 0 ? "000" : "0" + String(value, radix: 8) }
