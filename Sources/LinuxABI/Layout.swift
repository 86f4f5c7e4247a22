// The target LinuxABI: what guests see of Linux on x86-64. Numbers, flags and structures, with the names that man
// pages and headers have for them; nothing that Apus invents, and no behaviour.
//
// It uses nothing but the standard library and the `Errno` of swift-system. What must hold: a structure has exactly
// the layout of its C original, without padding that Swift chose; each flag and number is defined here alone.

/// Fixed addresses of a guest process. Everything from `stubBase` up belongs to Apus's stub.
public enum Layout {
  @inlinable public static var pageSize: UInt64 { 4096 }
  @inlinable public static var pageMask: UInt64 { pageSize - 1 }
  /// Lowest address a guest may map (the usual `vm.mmap_min_addr`).
  @inlinable public static var minimumAddress: GuestAddress { 0x1_0000 }
  /// First address past the guest's own address space, where the stub begins.
  @inlinable public static var stubBase: GuestAddress { 0x7fff_c000_0000 }
  /// First address past user space on x86-64 with four-level page tables.
  @inlinable public static var userEnd: GuestAddress { 0x7fff_ffff_f000 }
  /// Most bytes that one call of the read(2) and write(2) families moves (`MAX_RW_COUNT`).
  @inlinable public static var maximumTransfer: Int { 0x7fff_f000 }
  /// The bits that an address of user space can have: a segment base with others would fault where it is loaded.
  @inlinable public static var userAddressMask: UInt64 { 0x7fff_ffff_ffff }
}

extension UInt64 {
  /// This length or file offset rounded down to whole pages.
  @inlinable package var pageDown: UInt64 { self & ~Layout.pageMask }
  /// This length or file offset rounded up to whole pages; nil where that overflows.
  @inlinable package var pageUp: UInt64? {
    let (sum, overflow) = addingReportingOverflow(Layout.pageMask)
    return overflow ? nil : sum & ~Layout.pageMask
  }
}
