import LinuxABI

/// How far from their usual places the parts of a program lie, in bytes (`randomize_va_space` of
/// proc_sys_kernel(5)). The ranges are Linux's own on x86-64.
package struct AddressRandomization: Sendable, Equatable {
  /// Lowers the mappings whose addresses are chosen: 28 bits of pages.
  package private(set) var mappings: UInt64 = 0
  /// Raises a position-independent program: 28 bits of pages.
  package private(set) var program: UInt64 = 0
  /// Raises the program break above the program: up to 32 MiB.
  package private(set) var programBreak: UInt64 = 0
  /// Lowers the stack: 22 bits of pages.
  package private(set) var stack: UInt64 = 0
  /// Lowers the first stack pointer below the strings: less than two pages.
  package private(set) var stackPointer: UInt64 = 0

  /// Everything at its usual place (`ADDR_NO_RANDOMIZE` of personality(2)).
  package static let none = AddressRandomization()
  /// How many random bytes `init(random:)` takes.
  package static let randomCount = 40

  private init() {}

  package init(random: [UInt8]) {
    var words = stride(from: 0, to: random.count, by: 8).map { start in
      random[start..<min(start + 8, random.count)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }
    func pages(bits: UInt64) -> UInt64 { (words.popLast() ?? 0) % (1 << bits) * Layout.pageSize }
    mappings = pages(bits: 28)
    program = pages(bits: 28)
    programBreak = pages(bits: 13)
    stack = pages(bits: 22)
    stackPointer = (words.popLast() ?? 0) % (2 * Layout.pageSize) & ~15
  }
}
