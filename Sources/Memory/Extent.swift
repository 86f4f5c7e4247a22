import LinuxABI
import Platform

/// Virtual pages that show consecutive frames.
struct Extent: Equatable, PageRangeElement {
  var start: PageNumber
  var end: PageNumber
  var frame: Frame
  /// What the VMA allows.
  var protection: HostProtection
  /// The frames may be shared: look at their reference counts before writing.
  var isCopyOnWrite: Bool

  var count: Int { Int(end - start) }
  var byteCount: UInt64 { (end - start).pagesToBytes }
  /// What the host's page tables allow.
  @inline(__always) var installed: HostProtection {
    isCopyOnWrite ? protection.readOnly : protection
  }
  @inline(__always) func frame(of page: PageNumber) -> Frame { frame &+ Frame(truncatingIfNeeded: page &- start) }

  @inline(__always) mutating func begin(at page: PageNumber) {
    frame = frame(of: page)
    start = page
  }

  @inline(__always) func joins(_ next: Extent) -> Bool {
    end == next.start && frame(of: end) == next.frame && protection == next.protection
      && isCopyOnWrite == next.isCopyOnWrite
  }
}

/// Extents by virtual page (or by page of an object), joined where they touch and agree.
typealias ExtentMap = PageRangeMap<Extent>
