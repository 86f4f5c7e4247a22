import LinuxABI

/// System calls of one address space that no longer trap by a signal.
///
/// A `syscall` instruction that has trapped often keeps its place and its meaning. The instruction before it, where it is
/// one that can be moved, gives way to a jump to a trampoline near by: the moved instruction, the address of what follows
/// the `syscall` in `rcx` (which a call clobbers anyway), and a jump into the stub, which makes the call without a signal.
/// Whoever jumps to the `syscall` itself traps as before.
///
/// A page with such text is the address space's own, as if a debugger had set a breakpoint in it.
package struct TextRewriting {
  /// Where the stub makes calls; nil where nothing is to be rewritten.
  var entry: GuestAddress?
  /// Calls seen at addresses: a table in which one pushes out another.
  private var counts: [(site: GuestAddress, count: UInt16)] = []
  /// What stood where a jump stands now.
  fileprivate(set) var originals: [GuestAddress: [UInt8]] = [:]
  /// Pages that hold trampolines, and how many each holds.
  fileprivate var trampolines: [(page: PageNumber, count: Int)] = []

  private static let tableSize = 128
  /// After so many calls a place is worth it: each fork takes some 40 µs longer from the first one on. Where it could not be
  /// done then, it is tried again at times.
  private static let threshold: UInt16 = 256
  private static let retry: UInt16 = 1024
  /// How many places of one address space are rewritten at most.
  static let limit = 512

  /// Takes note of a call by signal. - Returns: whether its place should be rewritten.
  @inline(__always)
  mutating func count(_ site: GuestAddress) -> Bool {
    guard entry != nil else { return false }
    if counts.isEmpty { counts = Array(repeating: (.null, 0), count: TextRewriting.tableSize) }
    let index = Int(truncatingIfNeeded: (site.rawValue ^ site.rawValue >> 9) & UInt64(TextRewriting.tableSize - 1))
    guard counts[index].site == site else {
      counts[index] = (site, 1)
      return false
    }
    counts[index].count &+= 1
    return counts[index].count == TextRewriting.threshold || counts[index].count % TextRewriting.retry == 0
  }

  /// Nothing was ever rewritten. (Trampolines stay where text was put back.)
  var isEmpty: Bool { trampolines.isEmpty }
  func touches(_ range: Range<PageNumber>) -> Bool {
    trampolines.contains { range.contains($0.page) }
  }
  mutating func forget(_ range: Range<PageNumber>) {
    originals = originals.filter { !range.contains(PageNumber(holding: $0.key)) }
  }
}

/// An instruction that may stand before a `syscall` and can be moved: it names no address relative to itself.
private struct MovableInstruction {
  let length: Int

  /// - Parameters:
  ///   - bytes: what stands before the `syscall`, eight bytes.
  ///   - registers: those of the call: they must be what the instruction makes of them.
  ///   - load: reads a word of the guest's memory.
  init?(endingWith bytes: [UInt8], _ registers: Registers, load: (GuestAddress) -> UInt64?) {
    guard bytes.count == 8 else { return nil }
    func immediate() -> UInt64 {
      UInt64(bytes[4]) | UInt64(bytes[5]) << 8 | UInt64(bytes[6]) << 16 | UInt64(bytes[7]) << 24
    }
    func onStack(_ displacement: UInt64) -> UInt64? { load(GuestAddress(registers.rsp &+ displacement)) }
    func signed(_ byte: UInt8) -> UInt64 { UInt64(bitPattern: Int64(Int8(bitPattern: byte))) }
    let isPrefix = 0x40...0x4f ~= bytes[2] || bytes[2] == 0x66 || bytes[2] == 0x0f
    switch (bytes[1], bytes[2], bytes[3]) {
    // mov rax, imm32 (sign-extended; numbers are small)
    case (0x48, 0xc7, 0xc0) where registers.rax == immediate(): length = 7
    // mov r8d…r10d, imm32
    case (_, 0x41, 0xb8) where registers.r8 == immediate(): length = 6
    case (_, 0x41, 0xb9) where registers.r9 == immediate(): length = 6
    case (_, 0x41, 0xba) where registers.r10 == immediate(): length = 6
    // mov eax, imm32, which is no part of a store (c7 /0) with a displacement
    case (_, _, 0xb8) where !isPrefix && bytes[0] != 0xc7 && bytes[1] != 0xc7 && registers.rax == immediate():
      length = 5
    // mov r9, [rsp + disp8]; mov rax, [rsp + disp8]
    case (_, _, 0x4c) where bytes[4...6] == [0x8b, 0x4c, 0x24] && onStack(signed(bytes[7])) == registers.r9: length = 5
    case (_, _, 0x48) where bytes[4...6] == [0x8b, 0x44, 0x24] && onStack(signed(bytes[7])) == registers.rax:
      length = 5
    // mov rax, [rsp + disp32]
    case (0x8b, 0x84, 0x24)
    where bytes[0] == 0x48
      && onStack(UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: immediate())))) == registers.rax:
      length = 8
    default: return nil
    }
  }
}

/// What is going to happen to text. What happens to a page of trampolines ends rewriting.
enum TextChange {
  /// It is unmapped, or something else is mapped in its place.
  case removed
  /// It moves, or may be written.
  case movedOrWritten
  /// It can be used in another way, but not be written.
  case protected
}

extension AddressSpace {
  /// Begins to count calls: those that come often shall go to `entry` of the stub.
  package func rewriteText(entry: GuestAddress) { rewriting.entry = entry }
  package var rewritesText: Bool { rewriting.entry != nil }

  /// Takes note of a call by signal at a `syscall` instruction. - Returns: whether it should be rewritten.
  @inline(__always) package func countCall(at site: GuestAddress) -> Bool { rewriting.count(site) }

  /// Has a `syscall` instruction make its calls without a signal, where the instruction before it and what is mapped there
  /// allow it. No other thread may be in guest code.
  package func rewriteCall(at site: GuestAddress, _ registers: Registers) {
    let before = 8
    guard let entry = rewriting.entry, rewriting.originals.count < TextRewriting.limit,
      site.offsetInPage >= before, site.offsetInPage <= Layout.pageSize - 2,
      let index = areas.index(of: PageNumber(holding: site)), isRewritable(areas[index]),
      let bytes = try? read(GuestAddress(site.rawValue - UInt64(before)), count: before + 2),
      bytes[before...] == [0x0f, 0x05],
      let moved = MovableInstruction(
        endingWith: Array(bytes[..<before]), registers, load: { try? readValue($0, as: UInt64.self) })
    else { return }
    let start = GuestAddress(site.rawValue - UInt64(moved.length))
    let original = Array(bytes[(before - moved.length)..<before])
    guard let trampoline = makeTrampoline(original, returningTo: site &+ 2, entry: entry, near: areas[index]),
      let jump = TextRewriting.jump(from: start, to: trampoline)
    else { return }
    do throws(Errno) {
      try rewrite(start, jump + Array(repeating: 0x90, count: moved.length - jump.count))
      rewriting.originals[start] = original
    } catch {}
  }

  /// Puts all text back as it was. Nothing is rewritten from then on.
  package func restoreText() {
    rewriting.entry = nil
    restoreText(in: .zero..<AddressSpace.endPage)
  }

  private func restoreText(in range: Range<PageNumber>) {
    for (address, bytes) in rewriting.originals where range.contains(PageNumber(holding: address)) {
      try? rewrite(address, bytes)
      rewriting.originals[address] = nil
    }
  }

  /// What is mapped in a range is going to change.
  @inline(__always) func textWillChange(_ range: Range<PageNumber>, _ change: TextChange) {
    if !rewriting.isEmpty { settleText(range, change) }
  }

  @inline(never) private func settleText(_ range: Range<PageNumber>, _ change: TextChange) {
    if rewriting.touches(range) { return restoreText() }
    switch change {
    case .removed: rewriting.forget(range)
    case .movedOrWritten: restoreText(in: range)
    case .protected: break
    }
  }

  /// Private text, of a file that stays as it is, or without one.
  private func isRewritable(_ area: VirtualArea) -> Bool {
    !area.isShared && area.protection.contains(.execute) && !area.protection.contains(.write)
      && area.object?.object.mappingIsStable != false
  }

  /// Code that makes the call, within reach of a jump. - Returns: nil where there is no room.
  private func makeTrampoline(
    _ moved: [UInt8], returningTo next: GuestAddress, entry: GuestAddress, near area: VirtualArea
  ) -> GuestAddress? {
    let size = UInt64(32)
    let reach = UInt64(1) << 30
    let perPage = Int(Layout.pageSize / size)
    var slot = rewriting.trampolines.firstIndex { trampoline in
      trampoline.count < perPage
        && (trampoline.page < area.end
          ? area.end.address.distance(from: trampoline.page.address) < reach
          : trampoline.page.address.distance(from: area.start.address) < reach)
    }
    if slot == nil {
      let end = area.end.address.rawValue
      let bottom = PageNumber(holding: max(Layout.minimumAddress, GuestAddress(end > reach ? end - reach : 0)))
      guard let page = findGap(1, below: area.start, above: bottom) else { return nil }
      let request = MapRequest(
        address: page.address, length: Layout.pageSize, protection: [.read, .execute],
        flags: [.private, .anonymous, .fixedNoReplace], source: .anonymous)
      guard (try? map(request)) != nil else { return nil }
      rewriting.trampolines.append((page, 0))
      slot = rewriting.trampolines.count - 1
    }
    guard let slot else { return nil }
    let address = rewriting.trampolines[slot].page.address &+ UInt64(rewriting.trampolines[slot].count) * size
    var code = moved
    // lea rcx, [rip + …]
    let afterLoad = address &+ UInt64(code.count + 7)
    let distance = Int64(bitPattern: next.rawValue &- afterLoad.rawValue)
    guard let near = Int32(exactly: distance) else { return nil }
    code += [0x48, 0x8d, 0x0d]
    code += TextRewriting.bytes(UInt32(bitPattern: near), 4)
    // jmp [rip + 0], and the address
    code += [0xff, 0x25, 0, 0, 0, 0]
    code += TextRewriting.bytes(entry.rawValue, 8)
    guard code.count <= Int(size), (try? rewrite(address, code)) != nil else { return nil }
    rewriting.trampolines[slot].count += 1
    return address
  }
}

extension TextRewriting {
  /// A jump of five bytes; nil where the target is out of its reach.
  fileprivate static func jump(from address: GuestAddress, to target: GuestAddress) -> [UInt8]? {
    let distance = Int64(bitPattern: target.rawValue &- address.rawValue &- 5)
    guard let near = Int32(exactly: distance) else { return nil }
    return [0xe9] + bytes(UInt32(bitPattern: near), 4)
  }

  fileprivate static func bytes(_ value: some FixedWidthInteger, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}
