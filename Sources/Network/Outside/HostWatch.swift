import FileSystem
import Host
import LinuxABI
import Memory

/// A descriptor of the host that a socket owns, and what is waited for on it.
///
/// The interrupt thread reports once for each time it is asked. So what several wait for is asked for together, and what
/// did not come is asked for again.
final class HostWatch: Waiter {
  let descriptor: FileDescriptor
  private let services: any KernelServices
  private let budget: HostSocketBudget
  /// Told of what is ready; the socket's, and nil once it is closed.
  private var report: ((PollEvents) -> Void)?
  private let queue = WaitQueue()
  private var registration: WaitQueue.Registration?
  /// What was asked for and has not come.
  private var wanted: PollEvents = []

  /// Owns a descriptor that `budget` has counted.
  init(_ descriptor: FileDescriptor, budget: HostSocketBudget, services: any KernelServices) {
    self.descriptor = descriptor
    self.budget = budget
    self.services = services
  }

  /// Whom to tell.
  func onReport(_ report: @escaping (PollEvents) -> Void) { self.report = report }

  /// What the host can tell of.
  private static let known: PollEvents = [.input, .priority, .output, .readHangUp]

  /// Has `report` called when any of `events` is there.
  func want(_ events: PollEvents) {
    var new = events.intersection(HostWatch.known)
    if !events.isDisjoint(with: .readable) { new.insert(.input) }
    if !events.isDisjoint(with: .writable) { new.insert(.output) }
    guard !isClosed else { return }
    wanted.formUnion(new)
    if registration == nil { registration = queue.add(self) }
    services.watch(descriptor, for: wanted, waking: queue)
  }

  func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    let isEnd = !events.isDisjoint(with: [.error, .hangUp])
    let left = isEnd ? [] : wanted.subtracting(events)
    wanted = []
    var news = events
    if events.contains(.input) { news.formUnion(.readable) }
    if events.contains(.output) { news.formUnion(.writable) }
    report?(isEnd ? .all : news)
    if !left.isEmpty { want(left) }
    return true
  }

  /// What is ready now.
  var readiness: PollEvents {
    Host.Stream.poll(
      descriptor, events: [.input, .priority, .output, .readNormal, .writeNormal, .readHangUp])
  }

  /// Sends what is left of a buffer as one datagram, or loses it, as in a network that is busy.
  func sendDatagram(
    _ datagram: inout IOBuffer, to place: SocketEndpoint, _ control: [UInt8] = []
  ) throws(Errno) {
    var message = Host.Socket.Message()
    message.name = place.hostAddress.bytes
    message.control = control
    do throws(Errno) {
      _ = try datagram.send(message, on: descriptor)
    } catch {
      guard error == .wouldBlock || error == .noBufferSpace else { throw error }
      datagram.advance(datagram.remaining)
    }
  }

  /// Takes datagrams that have come, with where they are from.
  func takeDatagrams(_ take: (_ bytes: [UInt8], _ source: SocketEndpoint) -> Void) {
    for _ in 0..<HostWatch.maximumTurn {
      var buffer = IOBuffer(collecting: 65536)
      // An error is one of a datagram that was lost.
      guard let received = try? buffer.receive(on: descriptor, []) else { break }
      guard let source = SocketEndpoint(hostAddress: received.name) else { continue }
      take(buffer.collected, source)
    }
    want(.input)
  }

  /// What is taken before others have their turn.
  static let maximumTurn = 64

  /// Closes the descriptor.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    report = nil
    if let registration { queue.remove(registration) }
    registration = nil
    services.unwatch(descriptor)
    Host.close(descriptor)
    budget.release()
  }
  private(set) var isClosed = false

  deinit { close() }
}

/// How many descriptors of the host the sockets of one sandbox may take: Apus needs some for itself.
package final class HostSocketBudget {
  private var left: Int
  /// Of which it is a part.
  private let whole: HostSocketBudget?

  package init(_ limit: Int, of whole: HostSocketBudget? = nil) {
    left = limit
    self.whole = whole
  }

  /// Counts one that `make` makes. - Throws: `ENFILE` where there are too many.
  func take(_ make: () throws(Errno) -> FileDescriptor) throws(Errno) -> FileDescriptor {
    guard left > 0 else { throw .tooManyOpenFilesInSystem }
    let descriptor = if let whole { try whole.take(make) } else { try make() }
    left -= 1
    return descriptor
  }

  func release() {
    left += 1
    whole?.release()
  }
}
