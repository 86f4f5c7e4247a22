import LinuxABI

/// Pages of a program that were written soon after a fork, by parent or child: at the next fork they are copied at
/// once instead of being write-protected. A forked address space has the same history as its parent; it is a hint.
final class CopyAhead {
  /// Pages copied ahead at most.
  static let maximumPages = 32
  /// Write faults after a fork that are remembered.
  static let watchedFaults = 12
  /// Pages remembered of one fault.
  static let pagesPerFault: UInt64 = 4

  /// Groups of pages, in order.
  private(set) var groups: [Range<PageNumber>] = []
  private var recent: [Range<PageNumber>] = []

  init() {}

  /// Remembers a page that was written soon after a fork, with those next to it.
  func note(_ page: PageNumber) {
    let first = page.roundedDown(to: CopyAhead.pagesPerFault)
    let group = first..<first + CopyAhead.pagesPerFault
    if recent.contains(group) { return }
    if recent.count == CopyAhead.maximumPages / Int(CopyAhead.pagesPerFault) { recent.removeFirst() }
    recent.append(group)
    groups = recent.sorted { $0.lowerBound < $1.lowerBound }
  }
}
