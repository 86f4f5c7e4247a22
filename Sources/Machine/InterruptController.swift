import FileSystem
import Host
import LinuxABI
import Platform

/// The sources of interrupts: host descriptors, dead guest processes, host signals and timers, served by one host thread.
///
/// The table of sources is touched with the kernel lock held; only the sleep in `Host.wait` is outside of it.
final class InterruptController {
  let epoll: FileDescriptor
  let pokeCounter: FileDescriptor
  private var sources: [UInt64: Source] = [:]
  private var tokens: [Int32: UInt64] = [:]
  private var lastToken: UInt64 = 0

  enum Source {
    case poke
    case descriptor(WaitQueue)
    case process(any GuestProcess)
    case hostSignals(FileDescriptor)
  }

  init() throws(Errno) {
    epoll = try Host.makeEpoll()
    pokeCounter = try Host.makeEventCounter()
    sources[0] = .poke
    try Host.control(epoll, .add, pokeCounter, EpollEvent(events: PollEvents.input.rawValue, data: 0))
  }

  deinit {
    try? epoll.close()
    try? pokeCounter.close()
  }

  /// Ends the interrupt thread's sleep.
  func poke() { Host.signal(pokeCounter) }
  func drainPoke() { Host.drain(pokeCounter) }

  func source(_ token: UInt64) -> Source? { sources[token] }

  /// What a descriptor of the host can be watched for. The others are told together with one of these.
  private static let events: PollEvents = [.input, .priority, .output, .error, .hangUp, .readHangUp]

  /// Asks for one report of any of `events`; false where epoll refuses the descriptor (regular files).
  func watch(_ descriptor: FileDescriptor, events: PollEvents, queue: WaitQueue) -> Bool {
    let mask = events.intersection(InterruptController.events).rawValue | EpollFlags.oneShot.rawValue
    if let token = tokens[descriptor.rawValue] {
      sources[token] = .descriptor(queue)
      return (try? Host.control(epoll, .modify, descriptor, EpollEvent(events: mask, data: token))) != nil
    }
    return add(descriptor, mask: mask, .descriptor(queue))
  }

  /// Watches a descriptor for as long as it is registered.
  func add(_ descriptor: FileDescriptor, mask: UInt32 = PollEvents.input.rawValue, _ source: Source) -> Bool {
    lastToken += 1
    do {
      try Host.control(epoll, .add, descriptor, EpollEvent(events: mask, data: lastToken))
    } catch { return false }
    tokens[descriptor.rawValue] = lastToken
    sources[lastToken] = source
    return true
  }

  /// Watches for the death of a host process, if it is not watched already.
  func watchDeath(of process: any GuestProcess) -> Bool {
    tokens[process.deathDescriptor.rawValue] != nil || add(process.deathDescriptor, .process(process))
  }

  func remove(_ descriptor: FileDescriptor) {
    guard let token = tokens.removeValue(forKey: descriptor.rawValue) else { return }
    sources[token] = nil
    try? Host.control(epoll, .delete, descriptor, EpollEvent())
  }
}
