/// Fixed addresses of a guest process. Everything from `stubBase` up belongs to Apus's stub.
package enum Layout {
  package static let pageSize: UInt64 = 4096
  package static let pageMask: UInt64 = pageSize - 1
  /// Lowest address a guest may map (the usual `vm.mmap_min_addr`).
  package static let minimumAddress: UInt64 = 0x1_0000
  /// First address past the guest's own address space, where the stub begins.
  package static let stubBase: UInt64 = 0x7fff_c000_0000
  /// First address past user space on x86-64 with four-level page tables.
  package static let userEnd: UInt64 = 0x7fff_ffff_f000
}

extension UInt64 {
  /// This address rounded down to its page.
  package var pageDown: UInt64 { self & ~Layout.pageMask }
  /// This length or address rounded up to whole pages; nil where that overflows.
  package var pageUp: UInt64? {
    let (sum, overflow) = addingReportingOverflow(Layout.pageMask)
    return overflow ? nil : sum & ~Layout.pageMask
  }
}
