/// Free frames.
///
/// Runs that were used are kept *dirty* up to a limit, their memory still allocated, because zeroing a page costs a tenth
/// of what a new one costs. All others are *clean*: holes of the memory file, that read as zeros. Clean frames come
/// from regions in rising order, so that successive extents tend to touch.
struct FramePool {
  /// Dirty runs by the logarithm of their length.
  private var dirty: [[FrameRun]] = Array(repeating: [], count: 9)
  private(set) var dirtyPages = 0
  /// Longest run that is kept dirty in one piece.
  static let longestDirty = 256

  private var regions: [FrameRun]
  private var punched: [FrameRun] = []
  private var punchedPages = 0
  /// Frames never used so far start here.
  private var unused: Frame
  private let end: Frame
  /// Frames that are opened at a time, so that the bookkeeping of unused ones is never touched.
  private let step: Int

  init(frames: Frame, step: Int) {
    self.step = max(step, 4096)
    end = frames
    let first = min(Int(frames) - 1, max(step, 4096))
    // Frame 0 is never used.
    regions = [FrameRun(start: 1, count: first)]
    unused = 1 + Frame(first)
  }

  /// Takes a dirty run of at most `count` frames: one that is long enough where there is one, else one of 16 or more.
  mutating func takeDirty(_ count: Int) -> FrameRun? {
    guard dirtyPages > 0 else { return nil }
    let wanted = min(count, FramePool.longestDirty)
    let enough = Int.bitWidth - (wanted - 1).leadingZeroBitCount
    for bin in enough..<max(enough, dirty.count) where !dirty[bin].isEmpty {
      return cut(from: bin, at: dirty[bin].count - 1, wanted)
    }
    // The bin below may have runs that are long enough; otherwise a shorter one has to do.
    var bin = min(enough, dirty.count) - 1
    let least = wanted < 16 ? max(bin, 0) : 4
    while bin >= least {
      if let last = dirty[bin].last, last.count >= min(wanted, 16) {
        return cut(from: bin, at: dirty[bin].count - 1, wanted)
      }
      bin -= 1
    }
    return nil
  }

  private mutating func cut(from bin: Int, at index: Int, _ wanted: Int) -> FrameRun {
    let run = dirty[bin].remove(at: index)
    dirtyPages -= run.count
    guard run.count > wanted else { return run }
    keepDirty(FrameRun(start: run.start + Frame(wanted), count: run.count - wanted))
    return FrameRun(start: run.start, count: wanted)
  }

  /// Keeps a run with its contents.
  mutating func keepDirty(_ run: FrameRun) {
    dirtyPages += run.count
    var rest = run
    while rest.count > FramePool.longestDirty {
      rest.count -= FramePool.longestDirty
      dirty[dirty.count - 1].append(
        FrameRun(start: rest.start + Frame(rest.count), count: FramePool.longestDirty))
    }
    dirty[Int.bitWidth - 1 - rest.count.leadingZeroBitCount].append(rest)
  }

  /// Removes all dirty runs, joined.
  mutating func drainDirty() -> [FrameRun] {
    let all = FrameRun.joined(dirty.flatMap { $0 })
    for index in dirty.indices { dirty[index].removeAll(keepingCapacity: true) }
    dirtyPages = 0
    return all
  }

  /// Whether a dirty run of `count` frames or more is likely.
  func hasDirty(_ count: Int) -> Bool {
    let bin = Int.bitWidth - 1 - count.leadingZeroBitCount
    for index in bin..<max(bin, dirty.count) where !dirty[index].isEmpty { return true }
    return false
  }

  /// Takes a clean run of at most `count` frames.
  mutating func takeClean(_ count: Int) -> FrameRun? {
    while true {
      guard var region = regions.popLast() else {
        guard refill() else { return nil }
        continue
      }
      guard region.count > count else { return region }
      let run = FrameRun(start: region.start, count: count)
      region.start += Frame(count)
      region.count -= count
      regions.append(region)
      return run
    }
  }

  /// Takes back a run whose memory was given back.
  mutating func addClean(_ run: FrameRun) {
    punched.append(run)
    punchedPages += run.count
  }

  private mutating func refill() -> Bool {
    if punchedPages >= step / 2 || (unused >= end && !punched.isEmpty) {
      regions = FrameRun.joined(punched).sorted { $0.count < $1.count }
      punched.removeAll(keepingCapacity: true)
      punchedPages = 0
      return true
    }
    guard unused < end else { return false }
    let count = min(step, Int(end - unused))
    regions = [FrameRun(start: unused, count: count)]
    unused += Frame(count)
    return true
  }
}
