import LinuxABI
import Testing

@testable import Memory

@Suite struct PageNumberTests {
  @Test func addressesAreInTheirPages() {
    #expect(PageNumber(holding: GuestAddress(0)) == .zero && PageNumber(holding: GuestAddress(0xfff)) == .zero)
    #expect(PageNumber(holding: GuestAddress(0x1000)).address == 0x1000)
    #expect(PageNumber(holding: Layout.stubBase).address == Layout.stubBase)
    #expect(PageNumber(holding: Layout.userEnd &- 1).address == Layout.userEnd &- Layout.pageSize)
  }

  @Test func theLastPageIsThatOfTheLastAddress() {
    #expect(PageNumber(holding: GuestAddress(.max)) == .max && PageNumber(holding: UInt64.max) == .max)
    #expect(PageNumber.max.address == 0xffff_ffff_ffff_f000 && PageNumber.max.offset == 0xffff_ffff_ffff_f000)
    #expect((PageNumber.zero..<PageNumber.max).count == (1 << 52) - 1)
  }

  @Test func loweringStopsAtTheFirstPage() {
    #expect(PageNumber(5).lowered(by: 4) == 1 && PageNumber(5).lowered(by: 5) == .zero)
    #expect(PageNumber(5).lowered(by: 6) == .zero && PageNumber.zero.lowered(by: .max) == .zero)
  }

  @Test func roundingGoesDownToPowersOfTwo() {
    #expect(PageNumber(0x7f).roundedDown(to: 64) == 64 && PageNumber(64).roundedDown(to: 64) == 64)
    #expect(PageNumber(63).roundedDown(to: 64) == .zero && PageNumber(63).roundedDown(to: 1) == 63)
  }

  @Test func rangesOfAddressesBecomeRangesOfPages() {
    let range = GuestAddress(0x1000)..<GuestAddress(0x4000)
    #expect(range.byteCount == 0x3000)
    let pages = Range(pagesOf: range)
    #expect(pages == PageNumber(1)..<PageNumber(4) && pages.pageCount == 3 && pages.byteCount == 0x3000)
    #expect(Array(pages) == [1, 2, 3])
    #expect(Range(pagesOf: GuestAddress.null..<GuestAddress.null).isEmpty)
  }

  @Test func bytesBecomePagesUpAndDown() {
    #expect(UInt64(0).bytesToPagesUp == 0 && UInt64(1).bytesToPagesUp == 1)
    #expect(UInt64(4096).bytesToPagesUp == 1 && UInt64(4097).bytesToPagesUp == 2)
    #expect(UInt64.max.bytesToPagesUp == 1 << 52 && UInt64.max.bytesToPages == (1 << 52) - 1)
    #expect(UInt64(3).pagesToBytes == 12288 && Int(3).pagesToBytes == 12288)
  }
}
