import LinuxABI
import Platform
import TestSupport
import Testing

@testable import Memory

@Suite struct KernelMemoryTests {
  @Test func chargesAreGivenBackWithTheirOwner() throws {
    let memory = KernelMemory(limit: 1000)
    var first: MemoryCharge? = try memory.charge(600)
    #expect(memory.bytes == 600)
    #expect(throws: Errno.noSpace) { _ = try memory.charge(401, otherwise: .noSpace).bytes }
    try first?.resize(to: 1000)
    #expect(throws: Errno.noMemory) { try first?.resize(to: 1001) }
    first?.shrink(to: 10)
    #expect(memory.bytes == 10)
    let second = try memory.charge(990)
    first = nil
    #expect(memory.bytes == 990)
    _ = consume second
    #expect(memory.bytes == 0)
  }

  /// What the guests' pages take is not there for Apus, and the other way round.
  @Test func pagesAndObjectsShareTheLimit() throws {
    let physical = try PhysicalMemory(size: 64 << 20, isPrivate: true)
    let half = 32 << 20
    #expect(throws: Errno.noMemory) { _ = try physical.kernelMemory.charge(half + 1).bytes }
    var kept: MemoryCharge? = try physical.kernelMemory.charge(half)
    var pages = 0
    var runs: [FrameRun] = []
    while let run = physical.allocate(1024, zeroed: false) {
      pages += run.count
      runs.append(run)
    }
    #expect(pages == ((half + KernelMemory.uncounted) >> 12))
    #expect(physical.usedBytes == 64 << 20)
    kept = nil
    _ = consume kept
    while let run = physical.allocate(1024, zeroed: false) {
      pages += run.count
      runs.append(run)
    }
    #expect(pages == (64 << 20) >> 12)
    // The smallest programs may keep something all the same.
    let little = try physical.kernelMemory.charge(KernelMemory.uncounted)
    #expect(throws: Errno.noMemory) { _ = try physical.kernelMemory.charge(1).bytes }
    _ = consume little
    physical.release(runs)
  }
}
