import DequeModule
import LinuxABI
import Memory

/// An epoll instance (epoll(7)).
///
/// Items put themselves on `ready` when their file's wait queue reports an event; `collect` asks each file again what
/// it is ready for. A level-triggered item that is ready goes back to the end of the list, one that is not leaves it.
package final class Epoll: AnonymousFile {
  private struct Key: Hashable {
    let descriptor: FileDescriptorNumber
    let file: ObjectIdentifier
  }
  private var items: [Key: EpollItem] = [:]
  private var ready = Deque<EpollItem>()
  private let queue = WaitQueue()
  /// Charged for the items.
  private var charge: MemoryCharge
  /// What one takes, with its places in the lists of its file.
  private static let itemPrice = 512
  /// The longest chain of epoll instances that watch each other.
  private static let maximumNesting = 5

  /// An instance without items; `memory` counts those that are added.
  package init(memory: KernelMemory) {
    charge = memory.openCharge()
    super.init(kindName: "[eventpoll]", flags: .readWrite)
  }

  package override var waitQueue: WaitQueue? { queue }

  /// Watches a file by one of its descriptors (`EPOLL_CTL_ADD` of epoll_ctl(2)).
  /// - Throws: `EPERM`, `EEXIST`, `ELOOP` for instances that watch each other in a circle or too deep, `EINVAL`, `ENOMEM`.
  package func add(_ descriptor: FileDescriptorNumber, _ file: OpenFile, _ event: EpollEvent) throws(Errno) {
    guard file.isPollable, let fileQueue = file.waitQueue else { throw .notPermitted }
    guard file !== self else { throw .invalidArgument }
    if event.flags.contains(.exclusive) {
      let allowed: PollEvents = [.input, .output, .error, .hangUp, .readNormal, .writeNormal]
      let isFit = !(file is Epoll) && !event.flags.contains(.oneShot) && event.wanted.isSubset(of: allowed)
      guard isFit else { throw .invalidArgument }
    }
    let key = Key(descriptor: descriptor, file: ObjectIdentifier(file))
    guard items[key] == nil else { throw .fileExists }
    // The files whose events will reach this instance over new chains.
    var sources = epollItems.isEmpty ? [] : [file]
    if let other = file as? Epoll {
      let below = other.reach { $0.items.values.compactMap { $0.file as? Epoll } }
      let above = reach { $0.epollItems.compactMap(\.epoll) }
      let isLoop = below.instances[ObjectIdentifier(self)] != nil
      guard !isLoop, above.height + below.height <= Epoll.maximumNesting else { throw .tooManySymbolicLinkLevels }
      sources = below.instances.values.flatMap { $0.items.values.map(\.file).filter { !($0 is Epoll) } }
    }
    try charge.resize(to: (items.count + 1) * Epoll.itemPrice)
    let item = EpollItem(epoll: self, descriptor: descriptor, file: file, queue: fileQueue)
    items[key] = item
    file.epollItems.append(item)
    guard Epoll.areBounded(sources) else {
      forget(item)
      throw .invalidArgument
    }
    arm(item, event)
  }

  /// Changes what a watched file is watched for (`EPOLL_CTL_MOD`), and arms it again. - Throws: `ENOENT`, `EINVAL`.
  package func modify(_ descriptor: FileDescriptorNumber, _ file: OpenFile, _ event: EpollEvent) throws(Errno) {
    guard !event.flags.contains(.exclusive) else { throw .invalidArgument }
    let item = try item(descriptor, file)
    guard !item.flags.contains(.exclusive) else { throw .invalidArgument }
    item.endRegistration()
    arm(item, event)
  }

  /// Watches a file no longer (`EPOLL_CTL_DEL`). - Throws: `ENOENT`, `EINVAL`.
  package func delete(_ descriptor: FileDescriptorNumber, _ file: OpenFile) throws(Errno) {
    forget(try item(descriptor, file))
  }

  private func item(_ descriptor: FileDescriptorNumber, _ file: OpenFile) throws(Errno) -> EpollItem {
    guard file !== self else { throw .invalidArgument }
    guard let item = items[Key(descriptor: descriptor, file: ObjectIdentifier(file))] else {
      throw .noSuchFileOrDirectory
    }
    return item
  }

  private func arm(_ item: EpollItem, _ event: EpollEvent) {
    item.events = event.wanted.union([.error, .hangUp])
    item.flags = event.flags
    item.data = event.data
    item.isArmed = true
    item.register()
    if item.isReady {
      enqueue(item)
    } else {
      item.file.prepareToWait(for: item.events)
    }
  }

  /// Removes an item, because the program asked for it or because its file was closed.
  func forget(_ item: EpollItem) {
    items[Key(descriptor: item.descriptor, file: ObjectIdentifier(item.file))] = nil
    charge.shrink(to: items.count * Epoll.itemPrice)
    item.detach()
  }

  /// An item's file reported an event. Returns whether anybody waits for it.
  @discardableResult
  fileprivate func enqueue(_ item: EpollItem) -> Bool {
    if !item.isQueued {
      item.isQueued = true
      ready.append(item)
    }
    guard !queue.isEmpty else { return false }
    queue.wake(.readable)
    return true
  }

  /// The events that are ready, at most `limit` (epoll_wait(2)).
  package func collect(limit: Int) -> [EpollEvent] {
    var result: [EpollEvent] = []
    var left = ready.count
    while left > 0, result.count < limit, let item = ready.popFirst() {
      left -= 1
      item.isQueued = false
      guard item.isArmed else { continue }
      let events = item.file.readiness().intersection(item.events)
      guard !events.isEmpty else {
        item.file.prepareToWait(for: item.events)
        continue
      }
      result.append(EpollEvent(events: events.rawValue, data: item.data))
      if item.flags.contains(.oneShot) {
        item.isArmed = false
      } else if !item.flags.contains(.edgeTriggered) {
        item.isQueued = true
        ready.append(item)
      }
    }
    return result
  }

  package override func readiness() -> PollEvents { ready.contains(where: \.isReady) ? .readable : [] }

  /// Files that are no longer ready leave the list, and tell when they are again.
  package override func prepareToWait(for events: PollEvents) {
    ready = ready.filter { item in
      if item.isReady { return true }
      item.isQueued = false
      if item.isArmed { item.file.prepareToWait(for: item.events) }
      return false
    }
  }

  package override func close() {
    for item in items.values { item.detach() }
    items = [:]
    ready = []
    charge.shrink(to: 0)
  }

  // MARK: Nesting

  /// The instances in the chains that start here and go on by `next`, and the length of the longest. Level by level, as
  /// there may be very many chains; they have no circles.
  private func reach(_ next: (Epoll) -> [Epoll]) -> (height: Int, instances: [ObjectIdentifier: Epoll]) {
    var height = 0
    var instances: [ObjectIdentifier: Epoll] = [:]
    var level = [ObjectIdentifier(self): self]
    while !level.isEmpty {
      height += 1
      instances.merge(level) { first, _ in first }
      let following = level.values.flatMap(next).map { (ObjectIdentifier($0), $0) }
      level = Dictionary(following) { first, _ in first }
    }
    return (height, instances)
  }

  /// How many chains of instances may watch a file, by their length: an event runs through all of them (`path_limits`
  /// of Linux).
  private static let chainLimits = [1000, 500, 100, 50, 10]

  private static func areBounded(_ files: [OpenFile]) -> Bool {
    var known: [ObjectIdentifier: [Int]] = [:]
    return files.allSatisfy { file in
      zip(chains(watching: file, &known), chainLimits).allSatisfy { $0 <= $1 }
    }
  }

  /// Counts the chains of instances that watch a file, by their length.
  private static func chains(watching file: OpenFile, _ known: inout [ObjectIdentifier: [Int]]) -> [Int] {
    if let counts = known[ObjectIdentifier(file)] { return counts }
    var counts = [Int](repeating: 0, count: maximumNesting)
    for watcher in file.epollItems.compactMap(\.epoll) {
      let above = [1] + chains(watching: watcher, &known)
      for length in counts.indices { counts[length] = min(counts[length] + above[length], 1 << 20) }
    }
    known[ObjectIdentifier(file)] = counts
    return counts
  }

  package override var information: String {
    items.values.sorted { $0.descriptor.rawValue < $1.descriptor.rawValue }
      .map { item in
        let events = Text.hex(UInt64(item.events.rawValue | item.flags.rawValue), 8, padding: " ")
        return "tfd: \(item.descriptor.rawValue) events: \(events) data: \(Text.hex(item.data, 16, padding: " "))\n"
      }
      .joined()
  }
}

/// One descriptor that an epoll instance watches.
final class EpollItem: Waiter {
  private(set) weak var epoll: Epoll?
  let descriptor: FileDescriptorNumber
  let file: OpenFile
  /// The queue of the file that this item waits on.
  private let queue: WaitQueue
  private var registration: WaitQueue.Registration?
  var events: PollEvents = []
  var flags: EpollFlags = []
  var data: UInt64 = 0
  /// False once a one-shot item has reported, until it is modified.
  var isArmed = false
  /// On the ready list.
  var isQueued = false

  init(epoll: Epoll, descriptor: FileDescriptorNumber, file: OpenFile, queue: WaitQueue) {
    self.epoll = epoll
    self.descriptor = descriptor
    self.file = file
    self.queue = queue
  }

  var isReady: Bool { isArmed && !file.readiness().isDisjoint(with: events) }

  func wake(by queue: WaitQueue, events: PollEvents) -> Bool {
    guard isArmed, !events.isDisjoint(with: self.events), let epoll else { return false }
    return epoll.enqueue(self)
  }

  func register() { registration = queue.add(self, events: events, exclusive: flags.contains(.exclusive)) }

  func endRegistration() {
    if let registration { queue.remove(registration) }
    registration = nil
  }

  func detach() {
    isArmed = false
    endRegistration()
    file.epollItems.removeAll { $0 === self }
  }
}

extension EpollEvent {
  /// The flags beside the events.
  fileprivate var flags: EpollFlags { EpollFlags(rawValue: events).intersection(.all) }
  /// The events alone.
  fileprivate var wanted: PollEvents { PollEvents(rawValue: events & ~EpollFlags.all.rawValue) }
}
