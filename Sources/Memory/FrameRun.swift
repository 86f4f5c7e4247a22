import LinuxABI

/// Index of a frame: a page of the physical memory file.
typealias Frame = UInt32

/// Consecutive frames.
struct FrameRun: Equatable {
  var start: Frame
  var count: Int
  /// Every page of the run is in host memory already (it was used before).
  var isResident = false

  var byteCount: Int { count.pagesToBytes }
  var end: Frame { start &+ Frame(truncatingIfNeeded: count) }

  init(start: Frame, count: Int, isResident: Bool = false) {
    self.start = start
    self.count = count
    self.isResident = isResident
  }

  /// Sorts runs and joins those that touch.
  static func joined(_ runs: [FrameRun]) -> [FrameRun] {
    var result: [FrameRun] = []
    for run in runs.sorted(by: { $0.start < $1.start }) {
      if let last = result.last, last.end == run.start {
        result[result.count - 1].count += run.count
      } else {
        result.append(FrameRun(start: run.start, count: run.count))
      }
    }
    return result
  }
}
