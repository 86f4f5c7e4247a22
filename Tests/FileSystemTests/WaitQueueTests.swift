import FileSystem
import LinuxABI
import Testing

/// A waiter that does something when it is woken.
private final class ActingWaiter: Waiter {
  private let action: () -> Bool
  init(_ action: @escaping () -> Bool) { self.action = action }
  func wake(by queue: WaitQueue, events: PollEvents) -> Bool { action() }
}

@Suite struct WaitQueueTests {
  let queue = WaitQueue()

  @Test func waitersAreWokenInTheOrderInWhichTheyCame() {
    var order: [Int] = []
    let registrations = (0..<40).map { number in
      queue.add(
        ActingWaiter {
          order.append(number); return true
        })
    }
    for number in [0, 7, 39] { queue.remove(registrations[number]) }
    queue.wake()
    #expect(order == (0..<40).filter { ![0, 7, 39].contains($0) })
  }

  @Test func whoeverIsWokenMayLeaveAndReturn() {
    var wakes = 0
    var registration: WaitQueue.Registration?
    let waiter = ActingWaiter {
      wakes += 1
      return true
    }
    let returning = ActingWaiter { [queue] in
      if let old = registration { queue.remove(old) }
      registration = queue.add(waiter)
      return true
    }
    registration = queue.add(returning)
    // Who comes during a wake-up waits for the next one.
    queue.wake()
    #expect(wakes == 0)
    queue.wake()
    #expect(wakes == 1)
    if let registration { queue.remove(registration) }
    #expect(queue.isEmpty)
    queue.wake()
    #expect(wakes == 1)
  }

  @Test func aWaiterThatAnotherRemovedIsNotWoken() {
    var wasWoken = false
    var later: WaitQueue.Registration?
    queue.add(
      ActingWaiter { [queue] in
        if let later { queue.remove(later) }
        return true
      })
    later = queue.add(
      ActingWaiter {
        wasWoken = true
        return true
      })
    queue.wake()
    #expect(!wasWoken)
  }

  @Test func exclusiveWaitersAreWokenUntilOneCares() {
    var woken: [Int] = []
    for (number, cares) in [false, true, true].enumerated() {
      queue.add(
        ActingWaiter {
          woken.append(number); return cares
        }, exclusive: true)
    }
    queue.add(
      ActingWaiter {
        woken.append(3); return true
      })
    queue.wakeOne()
    #expect(woken == [0, 1, 3])
  }

  @Test func aRegistrationEndsOnce() {
    let first = queue.add(ActingWaiter { true })
    queue.remove(first)
    queue.add(ActingWaiter { true })
    queue.remove(first)
    #expect(!queue.isEmpty)
  }
}
