import LinuxABI
import TestSupport
import Testing

@testable import Memory

/// What a shared object holds, by page.
private final class ModelObject {
  var pages: [UInt64: UInt8] = [:]
  /// Every value that a page ever had. A private mapping may show any of them where it was not written: like mmap(2),
  /// Apus does not say whether it shows later changes of the object.
  var history: [UInt64: Set<UInt8>] = [:]
  var size: UInt64
  let object: FakeObject?
  /// Contents that never change: a host file.
  let isFixed: Bool
  init(size: UInt64, object: FakeObject?, isFixed: Bool) {
    self.size = size
    self.object = object
    self.isFixed = isFixed
  }
  func value(_ index: UInt64) -> UInt8 { isFixed ? UInt8(truncatingIfNeeded: index &+ 1) : pages[index] ?? 0 }
}

/// What a guest must see at a page.
private struct ModelPage {
  var protection: MemoryProtection
  var isShared: Bool
  var object: ModelObject?
  var index: UInt64
  /// Private contents, once written.
  var own: UInt8?

  var value: UInt8? {
    if let object, index >= object.size { return nil }
    return own ?? object?.value(index) ?? 0
  }

  func agrees(with got: UInt8?) -> Bool {
    if got == value { return true }
    guard let got, value != nil, own == nil, !isShared, let object else { return false }
    return got == 0 || object.history[index]?.contains(got) == true
  }
}

/// Where guest and model differ.
private struct Mismatch: Error, CustomStringConvertible {
  var description: String
}

private typealias Model = [UInt64: ModelPage]

/// Random calls on several address spaces, against a page-by-page model.
@Suite struct RandomOperationTests {
  private static let base: UInt64 = 0x4000_0
  private static let pages: UInt64 = 160

  @Test(arguments: 1...12)
  func agreesWithModel(seed: Int) throws {
    var random = SeededGenerator(seed: UInt64(seed))
    let machine = try TestMemory(limit: 32 << 20)
    let file = try FakeFile(machine.platform, size: 100 * 4096) { UInt8(($0 >> 12) + 1 & 255) }
    let fileModel = ModelObject(size: 100, object: nil, isFixed: true)
    let object = FakeObject(FrameStore(physical: machine.physical))
    object.store.size = 120 * 4096
    let storeModel = ModelObject(size: 120, object: object, isFixed: false)
    var spaces: [(space: AddressSpace, model: Model)] = [(machine.makeSpace(), [:])]

    for step in 0..<300 {
      let who = Int.random(in: 0..<spaces.count, using: &random)
      let space = spaces[who].space
      let first = RandomOperationTests.base + UInt64.random(in: 0..<RandomOperationTests.pages, using: &random)
      let count = UInt64.random(in: 1...(Bool.random(using: &random) ? 4 : 40), using: &random)
      let range = first..<first + count
      let protection: MemoryProtection =
        [[.read, .write], [.read, .write], .read, []].randomElement(using: &random) ?? []
      let kind = Int.random(in: 0..<24, using: &random)
      let before = spaces[who].model
      switch kind {
      case 0, 1, 2:
        try map(space, &spaces[who].model, range, protection, .anonymous, nil, &random)
      case 3:
        try map(space, &spaces[who].model, range, protection, .file(file, offset: 0), fileModel, &random)
      case 4, 5:
        try map(space, &spaces[who].model, range, protection, .file(object, offset: 0), storeModel, &random)
      case 6:
        try space.unmap(PageNumber(first).address, length: count << 12)
        for page in range { spaces[who].model[page] = nil }
      case 7, 8:
        let isWhole = range.allSatisfy { spaces[who].model[$0] != nil }
        do throws(Errno) {
          try space.protect(PageNumber(first).address, length: count << 12, protection)
          #expect(isWhole)
        } catch { #expect(!isWhole && error == .noMemory) }
        for page in range {
          if spaces[who].model[page] == nil { break }
          spaces[who].model[page]?.protection = protection
        }
      case 9:
        let isWhole = range.allSatisfy { spaces[who].model[$0] != nil }
        do throws(Errno) {
          try space.advise(PageNumber(first).address, length: count << 12, advice: .dontNeed)
          #expect(isWhole)
        } catch { #expect(!isWhole && error == .noMemory) }
        for page in range where spaces[who].model[page]?.isShared == false { spaces[who].model[page]?.own = nil }
      case 10:
        if spaces.count < 4 { spaces.append((try machine.fork(space), spaces[who].model)) }
      case 11:
        if spaces.count > 1 {
          space.destroy()
          if Bool.random(using: &random) { try machine.process(of: space).flush() }
          spaces.remove(at: who)
        }
      case 12:
        let size = UInt64.random(in: 60...140, using: &random)
        object.store.size = size * 4096
        let old = storeModel.size
        storeModel.size = size
        storeModel.pages = storeModel.pages.filter { $0.key < size }
        if size < old {
          for index in spaces.indices {
            for (page, what) in spaces[index].model where what.object === storeModel && what.index >= size {
              spaces[index].model[page]?.own = nil
            }
          }
        }
      case 13:
        try move(space, &spaces[who].model, range, &random)
      default:
        for _ in 0..<12 {
          let page = RandomOperationTests.base + UInt64.random(in: 0..<RandomOperationTests.pages + 40, using: &random)
          try touch(machine, space, &spaces[who].model, page, UInt8(step & 127 + 1), &random)
        }
      }
      for (space, model) in spaces {
        do {
          try compare(machine, space, model)
          if step % 8 == 0 { try machine.verify(space) }
        } catch {
          throw Mismatch(description: "step \(step), call \(kind) on \(range) of \(who) (\(before.count)): \(error)")
        }
      }
    }
    for (space, model) in spaces { try compare(machine, space, model) }
    object.store.size = 0
    try machine.end(spaces.map(\.space))
  }

  private func map(
    _ space: AddressSpace, _ model: inout Model, _ range: Range<UInt64>, _ protection: MemoryProtection,
    _ source: MappingSource, _ object: ModelObject?, _ random: inout SeededGenerator
  ) throws {
    let isShared = object.map { !$0.isFixed && Bool.random(using: &random) } ?? false
    var source = source
    var index: UInt64 = 0
    if case .file(let file, _) = source {
      index = UInt64.random(in: 0..<100, using: &random)
      source = .file(file, offset: index << 12)
    }
    let flags: MapFlags = isShared ? [.shared, .fixed] : [.private, .fixed]
    let got = try space.map(
      MapRequest(
        address: PageNumber(range.lowerBound).address, length: UInt64(range.count) << 12, protection: protection,
        flags: flags,
        source: source))
    #expect(got == PageNumber(range.lowerBound).address)
    for page in range {
      model[page] = ModelPage(
        protection: protection, isShared: isShared, object: object, index: index + page - range.lowerBound)
    }
  }

  private func move(
    _ space: AddressSpace, _ model: inout Model, _ range: Range<UInt64>, _ random: inout SeededGenerator
  ) throws {
    let target = RandomOperationTests.base + UInt64.random(in: 0..<RandomOperationTests.pages, using: &random)
    let count = UInt64(range.count)
    guard !(target..<target + count).overlaps(range) else { return }
    do throws(Errno) {
      _ = try space.remap(
        PageNumber(range.lowerBound).address, oldLength: count << 12, newLength: count << 12,
        flags: [.mayMove, .fixed],
        newAddress: PageNumber(target).address)
    } catch {
      #expect(error == .badAddress)
      return
    }
    // What lies between mappings is not moved.
    for page in range where model[page] != nil {
      model[target + page - range.lowerBound] = model[page]
      model[page] = nil
    }
  }

  private func touch(
    _ machine: TestMemory, _ space: AddressSpace, _ model: inout Model, _ page: UInt64, _ value: UInt8,
    _ random: inout SeededGenerator
  ) throws {
    let address = PageNumber(page).address &+ 33
    let isWrite = Bool.random(using: &random)
    let byKernel = Bool.random(using: &random)
    if isWrite {
      let done: Bool
      if byKernel {
        done = (try? space.writeValue(address, value)) != nil
      } else {
        done = try machine.poke(space, address, value) == nil
      }
      let what = model[page]
      let isAllowed = what.map { $0.protection.contains(.write) && $0.value != nil } ?? false
      if done != isAllowed { throw Mismatch(description: "write \(done): \(String(describing: what))") }
      guard done, let what else { return }
      if what.isShared {
        what.object?.pages[what.index] = value
        what.object?.history[what.index, default: []].insert(value)
      } else {
        model[page]?.own = value
      }
    } else {
      let got = byKernel ? try? space.readValue(address, as: UInt8.self) : try machine.peek(space, address)
      let wanted = model[page].flatMap { $0.protection.isEmpty ? nil : $0.value }
      // A host file's pages past its end read as nothing in the model of the host.
      if model[page]?.object?.isFixed == true && wanted == nil { return }
      if model[page]?.protection.isEmpty ?? true ? got != nil : model[page]?.agrees(with: got) != true {
        throw Mismatch(description: "read of \(page) gives \(String(describing: got)), not \(wanted as Any)")
      }
    }
  }

  private func compare(_ machine: TestMemory, _ space: AddressSpace, _ model: Model) throws {
    for (page, what) in model where !what.protection.isEmpty {
      guard let wanted = what.value else { continue }
      let got = try? space.readValue(PageNumber(page).address &+ 33, as: UInt8.self)
      if !what.agrees(with: got) {
        throw Mismatch(description: "page \(page) is \(got.map(String.init) ?? "-"), not \(wanted): \(what)")
      }
    }
    #expect(space.totalBytes == UInt64(model.count) << 12)
  }
}
