import CStub
import Host
import LinuxABI
import Synchronization

/// Apus's side of the zygote: the host process that guest processes are forked from.
///
/// Commands go over a socket and are answered in order, in a page that the zygote and Apus share. The zygote is a
/// child of the thread that started it and dies with it (prctl(2), `PR_SET_PDEATHSIG`), so a thread of its own keeps
/// it: callers may come and go.
final class Zygote: Sendable {
  /// What one command says and how it is answered.
  enum Command {
    case fork(slot: Int)
    case receive(FileDescriptor, as: Int32)
    case close(Int32)
  }

  let pid: Int32
  let vdsoImage: VDSOImage?
  private let deathDescriptor: FileDescriptor
  private let commands: FileDescriptor
  private let page: SharedMapping
  private let keeper: KeeperSignal
  /// Number of commands sent, the start counting as one.
  private let sent = Mutex<UInt32>(1)
  private let isOver = Atomic<Bool>(false)

  private var acknowledged: SharedWord { unsafe SharedWord(page.base + Int(STUB_ZYGOTE_ACKS)) }

  /// Starts the zygote. `page` holds its page and the constants page, both filled in.
  init(
    physicalMemory: FileDescriptor, control: FileDescriptor, contexts: FileDescriptor, confirmations: FileDescriptor,
    page: SharedMapping
  ) throws(PlatformError) {
    let mappings = try VDSOMapping.find()
    let (ours, theirs): (FileDescriptor, FileDescriptor)
    do throws(Errno) {
      (ours, theirs) = try Host.makeMessageSockets()
    } catch {
      throw PlatformError("Cannot make the zygote's socket", error)
    }
    defer { Host.close(theirs) }

    var parameters = apus_zygote_parameters()
    parameters.descriptors = (
      physicalMemory.rawValue, control.rawValue, contexts.rawValue, confirmations.rawValue, theirs.rawValue
    )
    parameters.vdso_count = UInt32(mappings.count)
    unsafe withUnsafeMutableBytes(of: &parameters.vdso) { bytes in
      let places = unsafe bytes.bindMemory(to: apus_vdso_mapping.self)
      for (index, mapping) in mappings.enumerated() where index < places.count {
        unsafe places[index] = apus_vdso_mapping(from: mapping.from, length: mapping.length, final: mapping.final)
      }
    }
    vdsoImage = mappings.first { $0.isCode }.map(\.image)
    unsafe page.base.storeBytes(of: Host.processID, toByteOffset: Int(STUB_ZYGOTE_PARENT), as: Int32.self)

    let keeper = KeeperSignal()
    let frozen = parameters
    do throws(Errno) {
      try Host.startThread { keeper.run { unsafe withUnsafePointer(to: frozen) { unsafe apus_zygote_start($0) } } }
    } catch {
      Host.close(ours)
      throw PlatformError("Cannot start the zygote's thread", error)
    }
    let result = keeper.waitForResult()
    guard result > 0 else {
      Host.close(ours)
      keeper.finish()
      throw PlatformError("Cannot fork the zygote", Errno(rawValue: CInt(truncatingIfNeeded: -result)))
    }
    pid = Int32(truncatingIfNeeded: result)
    self.page = page
    self.keeper = keeper
    commands = ours
    do throws(Errno) {
      deathDescriptor = try Host.openProcess(pid)
    } catch {
      Host.close(ours)
      keeper.finish()
      throw PlatformError("Cannot watch the zygote", error, remedy: "Apus needs Linux 5.11 or later.")
    }
    guard waitForReply(0) != nil else {
      let status = (try? Host.reap(pid, waiting: true)) ?? nil
      Host.close(ours)
      Host.close(deathDescriptor)
      keeper.finish()
      throw PlatformError(
        cause: "The zygote ended while it set itself up (\(status.map { "\($0)" } ?? "unknown status"))",
        remedy: "Run `apus doctor` to see what this host allows.")
    }
  }

  /// Sends a command and returns its number.
  func post(_ command: Command) throws(Errno) -> UInt32 {
    try sent.withLock { sent throws(Errno) in
      if isOver.load(ordering: .sequentiallyConsistent) { throw .noChildProcess }
      let number = sent
      // Never let an unread reply be overwritten.
      guard
        number < UInt32(STUB_ZYGOTE_REPLY_COUNT)
          || waitForReply(number &- UInt32(STUB_ZYGOTE_REPLY_COUNT)) != nil
      else { throw .noChildProcess }
      switch command {
      case .fork(let slot): try send(UInt32(STUB_COMMAND_FORK), UInt32(slot), nil)
      case .receive(let file, as: let target): try send(UInt32(STUB_COMMAND_RECEIVE), UInt32(target), file)
      case .close(let descriptor): try send(UInt32(STUB_COMMAND_CLOSE), UInt32(descriptor), nil)
      }
      sent = number &+ 1
      return number
    }
  }

  /// Waits for the reply to a command.
  /// - Throws: what the zygote's host call failed with, or `ECHILD` if the zygote is gone.
  func reply(to number: UInt32) throws(Errno) -> Int {
    guard let value = waitForReply(number) else { throw .noChildProcess }
    if value < 0 { throw Errno(rawValue: CInt(truncatingIfNeeded: -value)) }
    return value
  }

  private func send(_ kind: UInt32, _ argument: UInt32, _ file: FileDescriptor?) throws(Errno) {
    try Host.send((UInt64(kind) | UInt64(argument) << 32, 0), descriptor: file, over: commands)
  }

  private func waitForReply(_ number: UInt32) -> Int? {
    while true {
      let value = acknowledged.load()
      if Int32(bitPattern: value &- number) > 0 { break }
      acknowledged.wait(expected: value, deadline: Host.monotonicTime &+ 100_000_000)
      if acknowledged.load() == value, Host.isReadable(deathDescriptor) { return nil }
    }
    let index = Int(number) & (Int(STUB_ZYGOTE_REPLY_COUNT) - 1)
    return unsafe page.base.load(fromByteOffset: Int(STUB_ZYGOTE_REPLIES) + index * 8, as: Int.self)
  }

  /// Ends the zygote and waits for it.
  func shutdown() {
    sent.withLock { _ in isOver.store(true, ordering: .sequentiallyConsistent) }
    Host.kill(pid, signal: .kill)
    _ = try? Host.reap(pid, waiting: true)
    Host.close(deathDescriptor)
    Host.close(commands)
    keeper.finish()
  }
}

/// The life of the thread that the zygote is a child of: it forks, then sleeps until the platform shuts down.
private final class KeeperSignal: Sendable {
  private let state = Mutex<(result: Int?, finished: Bool)>((nil, false))
  private let changed: SharedWord

  init() {
    let word = UnsafeMutableRawPointer.allocate(byteCount: 4, alignment: 4)
    unsafe word.storeBytes(of: 0, as: UInt32.self)
    unsafe changed = SharedWord(word)
  }
  deinit { unsafe changed.pointer.deallocate() }

  func run(_ fork: () -> Int) {
    let result = fork()
    update { $0.result = result }
    wait { $0.finished ? true : nil }
  }

  func waitForResult() -> Int { wait { $0.result } }
  func finish() { update { $0.finished = true } }

  private func update(_ change: (inout (result: Int?, finished: Bool)) -> Void) {
    state.withLock { change(&$0) }
    changed.store(changed.load() &+ 1)
    changed.wake(count: 2)
  }

  @discardableResult
  private func wait<T: Sendable>(_ condition: ((result: Int?, finished: Bool)) -> T?) -> T {
    while true {
      let version = changed.load()
      if let value = state.withLock({ condition($0) }) { return value }
      changed.wait(expected: version)
    }
  }
}
