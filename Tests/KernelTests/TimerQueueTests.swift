import FileSystem
import LinuxABI
import TestSupport
import Testing

@testable import Kernel

@Suite struct TimerQueueTests {
  private let queue = TimerQueue()

  /// A timer that writes down when it expires.
  private final class Recorder {
    var expired: [String] = []
    func timer(_ name: String, then action: @escaping () -> Void = {}) -> KernelTimer {
      KernelTimer { [unowned self] in
        expired.append(name)
        action()
      }
    }
  }
  private let recorder = Recorder()

  private func serve(at now: MonotonicTime) -> MonotonicTime? {
    queue.beginServing()
    return queue.finishServing(at: now)
  }

  @Test func timersExpireInOrderAndNotBeforeTheyAreDue() {
    let (early, late) = (recorder.timer("early"), recorder.timer("late"))
    _ = queue.arm(late, deadline: 20)
    _ = queue.arm(early, deadline: 10)
    #expect(serve(at: 9) == 10)
    #expect(recorder.expired == [])
    #expect(serve(at: 10) == 20)
    #expect(recorder.expired == ["early"])
    #expect(early.deadline == nil)
    #expect(serve(at: 100) == nil)
    #expect(recorder.expired == ["early", "late"])
  }

  @Test func theMachineIsToldOfEarlierAlarmsAlone() {
    let timers = (0..<4).map { recorder.timer("\($0)") }
    #expect(queue.arm(timers[0], deadline: 20))
    #expect(!queue.arm(timers[1], deadline: 20))
    #expect(!queue.arm(timers[2], deadline: 30))
    #expect(queue.arm(timers[3], deadline: 10))
    // While interrupts are served, the next alarm is what they end with.
    queue.beginServing()
    #expect(!queue.arm(timers[3], deadline: 5))
    #expect(queue.finishServing(at: 0) == 5)
    #expect(queue.arm(timers[2], deadline: 4))
  }

  @Test func anArmedTimerMovesAndADisarmedOneIsForgotten() {
    let (moved, gone) = (recorder.timer("moved"), recorder.timer("gone"))
    _ = queue.arm(moved, deadline: 10)
    _ = queue.arm(gone, deadline: 15)
    _ = queue.arm(moved, deadline: 30)
    queue.disarm(gone)
    queue.disarm(gone)
    #expect(serve(at: 20) == 30)
    #expect(recorder.expired == [])
    #expect(serve(at: 30) == nil)
    #expect(recorder.expired == ["moved"])
  }

  @Test func timersThatAreArmedByOthersExpireInTheSameRound() {
    let second = recorder.timer("second")
    let first = recorder.timer("first") { [queue] in _ = queue.arm(second, deadline: 7) }
    let third = recorder.timer("third") { [queue] in queue.disarm(second) }
    _ = queue.arm(first, deadline: 5)
    _ = queue.arm(third, deadline: 6)
    #expect(serve(at: 10) == nil)
    #expect(recorder.expired == ["first", "third"])
    queue.disarm(third)
    _ = queue.arm(first, deadline: 5)
    #expect(serve(at: 10) == nil)
    #expect(recorder.expired == ["first", "third", "first", "second"])
  }

  /// Against a list that is searched whole.
  @Test(arguments: 1...3) func agreesWithAModel(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var model: [Int: MonotonicTime] = [:]
    var now = MonotonicTime.zero
    let timers = (0..<50).map { recorder.timer("\($0)") }
    for _ in 0..<20_000 {
      let index = Int.random(in: timers.indices, using: &random)
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let deadline = now + Nanoseconds(rawValue: .random(in: 0..<100, using: &random))
        _ = queue.arm(timers[index], deadline: deadline)
        model[index] = deadline
      case 5..<8:
        queue.disarm(timers[index])
        model[index] = nil
      default:
        now = now + Nanoseconds(rawValue: .random(in: 0..<30, using: &random))
        recorder.expired = []
        let next = serve(at: now)
        let due = model.filter { $0.value <= now }
        model = model.filter { $0.value > now }
        #expect(Set(recorder.expired) == Set(due.keys.map { "\($0)" }))
        #expect(recorder.expired.count == due.count)
        let deadlines = recorder.expired.compactMap { name in Int(name).flatMap { due[$0] } }
        #expect(deadlines == deadlines.sorted())
        // Entries of timers that were disarmed may make the machine come for nothing, but never too late.
        if let first = model.values.min() { #expect(next.map { $0 <= first } == true) }
      }
    }
  }
}
