import LinuxABI
import Memory

/// The out-of-memory killer: which process ends when physical memory is used up (proc_pid_oom_score_adj(5)).
package final class OutOfMemory {
  private let memory: PhysicalMemory
  /// Processes ended so far.
  package private(set) var kills = 0
  /// When the last of them was (CLOCK_MONOTONIC).
  private var lastKill = MonotonicTime.zero

  /// How long the memory of a process that was ended is waited for.
  private static let releaseGrace = Nanoseconds.second * 2
  /// The `oom_score_adj` of a process that is never chosen.
  private static let never: Int32 = -1000

  init(memory: PhysicalMemory) { self.memory = memory }

  /// How much of the memory a process uses, in thousandths, with what `oom_score_adj` adds.
  func score(of group: ThreadGroup) -> Int64 {
    let share = Int64(clamping: usedBytes(of: group) / max(memory.limit / 1000, 1))
    return max(0, share + Int64(group.outOfMemoryAdjustment))
  }

  /// Its pages, and what Apus keeps for its threads, areas and page tables.
  func usedBytes(of group: ThreadGroup) -> UInt64 {
    guard let memory = group.tasks.first?.memory else { return 0 }
    let kept = memory.keptBytes + group.tasks.reduce(0) { $0 + Task.price(of: $1.credentials) }
    return memory.residentBytes + UInt64(kept)
  }

  /// Memory is about to be freed: a process is ending, or the last victim is gone but its host process has not given its
  /// memory back yet.
  fileprivate func isExpectingMemory(from groups: [ProcessID: ThreadGroup], at now: MonotonicTime) -> Bool {
    if groups.values.contains(where: { !$0.isZombie && $0.exitStatus != nil }) { return true }
    return kills > 0 && now - lastKill < OutOfMemory.releaseGrace && memory.isReleasing
  }

  /// The process with the highest score, the larger of two that have the same; nil where none may be chosen.
  fileprivate func takeVictim(from processes: [ThreadGroup], at now: MonotonicTime) -> ThreadGroup? {
    let victim = processes.filter { !$0.isZombie && $0.outOfMemoryAdjustment > OutOfMemory.never }
      .max { (score(of: $0), usedBytes(of: $0)) < (score(of: $1), usedBytes(of: $1)) }
    guard let victim else { return nil }
    kills += 1
    lastKill = now
    return victim
  }
}

extension Kernel {
  /// Physical memory is used up: ends a process, unless memory is about to be freed. False where none may be ended.
  func relieveMemoryPressure() -> Bool {
    if outOfMemory.isExpectingMemory(from: groups, at: monotonicTime) { return true }
    guard let victim = outOfMemory.takeVictim(from: processes, at: monotonicTime) else { return false }
    let megabytes = outOfMemory.usedBytes(of: victim) >> 20
    report?(
      "out of memory: ended process \(victim.id) (\(victim.leader?.name ?? "")), which used \(megabytes) MiB; --memory sets the limit"
    )
    endGroup(victim, .signaled(Signal.kill))
    return true
  }
}
