import LinuxABI
import Testing

@Suite struct GuestAddressTests {
  private let last = GuestAddress(.max)

  @Test func offsetsWrapAroundAtBothEnds() {
    #expect(last &+ 1 == .null)
    #expect(last &+ UInt64.max == last &- 1)
    #expect(GuestAddress.null &+ -1 == last)
    #expect(GuestAddress.null &- 1 == last)
    #expect(GuestAddress(0x1000) &+ Int.min == 0x8000_0000_0000_1000)
    #expect(GuestAddress(5).distance(from: 7) == UInt64.max - 1)
    #expect(GuestAddress(7).distance(from: 5) == 2)
  }

  @Test func advancingPastTheEndGivesNothing() {
    #expect(last.advanced(by: 0) == last)
    #expect(last.advanced(by: 1) == nil)
    #expect(GuestAddress(1).advanced(by: .max) == nil)
    #expect(GuestAddress(0).advanced(by: .max) == last)
  }

  @Test func roundingToPagesKeepsStartsOfPages() {
    for page: GuestAddress in [0, 0x1000, 0xffff_ffff_ffff_f000] {
      #expect(page.isPageAligned && page.offsetInPage == 0)
      #expect(page.pageDown == page && page.pageUp == page)
      #expect((page &+ 0xfff).pageDown == page && (page &+ 0xfff).offsetInPage == 0xfff)
    }
    #expect(GuestAddress(1).pageUp == 0x1000)
    #expect(GuestAddress(0xffff_ffff_ffff_f001).pageUp == nil)
    #expect(last.pageUp == nil)
  }

  @Test func alignmentIsToAnyPowerOfTwo() {
    #expect(last.roundedDown(to: 16) == 0xffff_ffff_ffff_fff0)
    #expect(last.roundedDown(to: 1 << 63) == 0x8000_0000_0000_0000)
    #expect(last.roundedDown(to: 1) == last && last.isAligned(to: 1))
    #expect(GuestAddress(8).isAligned(to: 4) && !GuestAddress(8).isAligned(to: 16))
    #expect(GuestAddress.null.isAligned(to: 1 << 63))
  }

  @Test func theNullAddressIsAnAddressOfUserSpaceButTheLastPageIsNot() {
    #expect(GuestAddress.null.isNull && GuestAddress.null.isUserAddress)
    #expect(GuestAddress(0x7fff_ffff_efff).isUserAddress)
    #expect(!GuestAddress(0x7fff_ffff_f000).isUserAddress && !last.isUserAddress)
  }

  @Test func itLiesInStructuresAsAWordDoes() {
    #expect(MemoryLayout<GuestAddress>.size == 8 && MemoryLayout<GuestAddress>.stride == 8)
    #expect(MemoryLayout<GuestAddress>.alignment == MemoryLayout<UInt64>.alignment)
  }

  @Test func itIsShownAsCPrintsPointers() {
    #expect("\(GuestAddress(0x7fff_c000_0000))" == "0x7fffc0000000")
    #expect("\(GuestAddress.null)" == "0x0")
  }
}
