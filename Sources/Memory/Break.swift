import LinuxABI

extension AddressSpace {
  /// Where the program break starts: at random above the end of the program.
  package func setBreakBase(_ address: GuestAddress) {
    breakBase = min((min(address, Layout.stubBase).pageUp ?? address) &+ randomization.programBreak, Layout.stubBase)
    breakEnd = breakBase
  }

  /// brk(2): returns the break, unchanged where the change is refused.
  package func setBreak(_ address: GuestAddress) -> GuestAddress {
    guard address >= breakBase, address < Layout.stubBase, let wanted = address.pageUp, let present = breakEnd.pageUp
    else { return breakEnd }
    if wanted < present {
      let range = Range(pagesOf: wanted..<present)
      remove(range, hides: true)
    } else if wanted > present {
      let range = Range(pagesOf: present..<wanted)
      guard address.distance(from: breakBase) <= limits.data, growBreak(range) else { return breakEnd }
    }
    breakEnd = address
    return breakEnd
  }

  private func growBreak(_ range: Range<PageNumber>) -> Bool {
    guard range.upperBound <= AddressSpace.endPage, range.byteCount <= physical.limit, hasRoom(for: 2) else {
      return false
    }
    // Leave the guard gap of a stack above.
    let next = areas.lowerBound(range.lowerBound)
    if next < areas.count {
      let gap = areas[next].flags.contains(.growsDown) ? AddressSpace.guardPages : 0
      guard areas[next].start >= range.upperBound + gap else { return false }
    }
    var area = VirtualArea(
      start: range.lowerBound, end: range.upperBound, protection: [.read, .write],
      maximum: [.read, .write, .execute], flags: [], object: nil)
    area.name = "[heap]"
    do throws(Errno) { try checkLimits(adding: area) } catch { return false }
    insert(area)
    prepare(area, all: false)
    return true
  }
}
