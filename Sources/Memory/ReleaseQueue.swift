import LinuxABI
import Platform

/// Frames that a guest process gave up, and that it may still reach until its agent has confirmed the unmapping.
///
/// The queue *holds* the references meanwhile: no one else can come to own such a frame alone, let alone reuse it.
final class ReleaseQueue {
  private struct Batch {
    var ticket: UInt64
    var runs: [FrameRun]
  }

  private let platform: any Platform
  private let process: any GuestProcess
  private unowned let physical: PhysicalMemory
  private var pending: [FrameRun] = []
  private var pendingPages = 0
  private var batches: [Batch] = []
  /// The address space is gone.
  private(set) var isRetired = false
  private var isListed = false

  /// Pages that are collected before a confirmation is asked for.
  static let batchPages = 48
  static let batchRuns = 24

  init(platform: any Platform, process: any GuestProcess, physical: PhysicalMemory) {
    self.platform = platform
    self.process = process
    self.physical = physical
  }

  var isEmpty: Bool { pending.isEmpty && batches.isEmpty }
  var hasBatches: Bool { !batches.isEmpty }

  /// Gives up one reference to each frame of a run, once its unmapping has been queued and done.
  func add(_ run: FrameRun) {
    if let last = pending.last, last.end == run.start {
      pending[pending.count - 1].count += run.count
    } else {
      pending.append(run)
    }
    pendingPages += run.count
    if !isListed {
      isListed = true
      physical.list(self)
    }
  }

  /// Asks for the confirmation of what was collected, once there is much of it. To be called after the unmap operations
  /// have been queued.
  @inline(__always) func settle() {
    if pendingPages >= ReleaseQueue.batchPages || pending.count >= ReleaseQueue.batchRuns { seal() }
  }

  /// Asks for the confirmation of everything collected.
  func seal() {
    guard !pending.isEmpty && !isRetired else { return }
    batches.append(Batch(ticket: process.releaseTicket(), runs: pending))
    pending.removeAll(keepingCapacity: true)
    pendingPages = 0
  }

  /// The address space has ended: its process is emptied, and the frames are free when that is done.
  func retire() {
    seal()
    process.recycle()
    isRetired = true
    drain()
  }

  /// The address space has ended and its process is dead: the frames are free when the process is gone.
  func abandon() {
    process.kill()
    isRetired = true
    drain()
  }

  private func releaseAll() {
    for batch in batches { physical.release(batch.runs) }
    batches.removeAll()
    physical.release(pending)
    pending.removeAll()
    pendingPages = 0
  }

  /// Has the process confirm what was collected without waiting for its threads to run.
  func hurry() {
    seal()
    if !batches.isEmpty && !isRetired { process.flush() }
  }

  /// Releases what has been confirmed. Returns false when nothing is left to wait for.
  @discardableResult
  func drain() -> Bool {
    if !batches.isEmpty || (process.isDead && !pending.isEmpty) {
      // A process that is gone has confirmed everything.
      let confirmed = platform.confirmedRelease(of: process)
      if confirmed == .max {
        releaseAll()
      } else {
        var done = 0
        while done < batches.count && batches[done].ticket <= confirmed {
          physical.release(batches[done].runs)
          done += 1
        }
        if done > 0 { batches.removeSubrange(0..<done) }
      }
    }
    isListed = !isEmpty
    return isListed
  }
}
