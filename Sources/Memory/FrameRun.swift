import LinuxABI

/// Index of a frame: a page of the physical memory file.
typealias Frame = UInt32
/// A virtual page number, or the index of a page in an object.
typealias PageNumber = UInt64

/// Consecutive frames.
struct FrameRun: Equatable {
  var start: Frame
  var count: Int
  /// Every page of the run is in host memory already (it was used before).
  var isResident = false

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

extension PageNumber {
  /// The page that holds an address.
  @inline(__always) init(holding address: UInt64) { self = address >> 12 }
  /// Address of the first byte.
  @inline(__always) var address: UInt64 { self << 12 }
}
