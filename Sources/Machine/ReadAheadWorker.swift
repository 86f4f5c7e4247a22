import FileSystem
import Host
import LinuxABI
import Synchronization

/// Reads host files into the host's page cache on a thread of its own, so that a slow disk holds up only the task that
/// waits for it.
final class ReadAheadWorker {
  private let shared = Shared()
  private let interrupts: InterruptController
  private var waiting: [UInt64: WaitQueue] = [:]
  private var lastToken: UInt64 = 0

  fileprivate struct Request: Sendable {
    let token: UInt64
    let descriptor: FileDescriptor
    let offset: UInt64
    let count: Int
  }

  /// What both threads touch.
  private final class Shared: Sendable {
    struct Lists {
      var requests: [Request] = []
      var done: [UInt64] = []
      var isStopped = false
    }
    let lists = Mutex(Lists())
    let wakeup = Wakeup()
  }

  init(interrupts: InterruptController) { self.interrupts = interrupts }

  /// Has a part of a file read; `queue` is woken when it is done. The descriptor may be closed meanwhile.
  func add(_ descriptor: FileDescriptor, offset: UInt64, count: Int, queue: WaitQueue) {
    guard let copy = try? Host.duplicate(descriptor) else { return queue.wake() }
    lastToken &+= 1
    waiting[lastToken] = queue
    let request = Request(token: lastToken, descriptor: copy, offset: offset, count: count)
    shared.lists.withLock { $0.requests.append(request) }
    shared.wakeup.signal()
  }

  /// Wakes those whose reads are done.
  func collect() {
    let done = shared.lists.withLock { lists in
      defer { lists.done = [] }
      return lists.done
    }
    for token in done { waiting.removeValue(forKey: token)?.wake() }
  }

  /// Ends `serve`.
  func stop() {
    shared.lists.withLock { $0.isStopped = true }
    shared.wakeup.signal()
  }

  /// The body of the worker's thread, to be called without the kernel lock.
  func makeService() -> @Sendable () -> Void {
    let shared = shared
    let poke = interrupts.pokeCounter
    return { () -> Void in
      var scratch: [UInt8] = []
      while true {
        let (requests, isStopped) = shared.lists.withLock { lists in
          defer { lists.requests = [] }
          return (lists.requests, lists.isStopped)
        }
        for request in requests {
          if scratch.isEmpty { scratch = [UInt8](repeating: 0, count: 256 << 10) }
          if !isStopped { request.read(into: &scratch) }
          try? request.descriptor.close()
        }
        if isStopped { return }
        if requests.isEmpty {
          shared.wakeup.sleep()
        } else {
          shared.lists.withLock { $0.done += requests.map(\.token) }
          Host.signal(poke)
        }
      }
    }
  }
}

extension ReadAheadWorker.Request {
  fileprivate func read(into scratch: inout [UInt8]) {
    var position = offset
    let end = offset &+ UInt64(max(count, 1))
    while position < end {
      let count = Int(min(UInt64(scratch.count), end - position))
      let got = (try? Host.read(descriptor, into: &scratch, count: count, at: position)) ?? 0
      if got <= 0 { return }
      position += UInt64(got)
    }
  }
}
