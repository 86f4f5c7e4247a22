import Host
import LinuxABI
import Memory
import Platform

/// One of the caller's open files (standard input, output, error) as a file of the guest.
///
/// Its description belongs to others too, the caller's shell for one, so it is never made non-blocking. Where the host
/// lets Apus open the same object once more (terminals, pipes), that description is its own and non-blocking; else each
/// transfer asks poll(2) first and is bounded by what then cannot block.
package final class HostStream: OpenFile {
  private let services: any KernelServices
  private let descriptor: FileDescriptor
  private let kind: HostStreamKind
  private let input: Channel?
  private let output: Channel?
  private let console: Terminal?
  private let queue: WaitQueue?
  private let name: String
  private let ownsDescriptor: Bool
  /// The caller opened the file with `O_APPEND`: what is in it already stays as it is.
  private let isAppendOnly: Bool

  /// One direction, with a descriptor of its own that is watched and closed apart from the other's.
  private struct Channel {
    let descriptor: FileDescriptor
    let mode: Mode
    enum Mode { case direct, socket, polled }
  }

  /// Wraps a host descriptor. A guest may do with it what the descriptor allows, and nothing else, even where the host
  /// would let Apus open the same object with more rights.
  /// - Parameters:
  ///   - terminal: what Apus keeps of the terminal, for a descriptor that is one.
  ///   - ownsDescriptor: close the descriptor with this file.
  ///   - access: how the guest opens it; nil: as the caller did.
  /// - Throws: `EACCES` for reading or writing that the descriptor does not allow.
  package init(
    _ descriptor: FileDescriptor, terminal: Terminal?, ownsDescriptor: Bool = false, access: OpenFlags? = nil,
    services: any KernelServices, location: PathLocation? = nil
  ) throws(Errno) {
    let status = try Host.status(descriptor)
    let host = try Host.Stream.statusFlags(of: descriptor)
    let kind = Host.Stream.kind(of: descriptor, status)
    let console = kind == .terminal ? terminal : nil
    let allowed = console?.access ?? host
    var flags = (access ?? host).intersection([.accessMask, .append, .nonBlocking])
    if flags.isReadable && !allowed.isReadable || flags.isWritable && !allowed.isWritable { throw .permissionDenied }
    isAppendOnly = kind == .regular && host.contains(.append)
    if isAppendOnly { flags.insert(.append) }
    input = flags.isReadable ? try HostStream.open(descriptor, kind, .init(), flags) : nil
    output = flags.isWritable ? try HostStream.open(descriptor, kind, .writeOnly, flags) : nil
    self.services = services
    self.descriptor = descriptor
    self.kind = kind
    self.ownsDescriptor = ownsDescriptor
    self.console = console
    queue = kind == .regular || kind == .memoryDevice || kind == .directory ? nil : WaitQueue()
    name = kind == .terminal ? "/dev/console" : (try? Host.Stream.name(of: descriptor)) ?? "pipe:[0]"
    super.init(flags: flags, location: location)
  }

  private static func open(
    _ descriptor: FileDescriptor, _ kind: HostStreamKind, _ access: OpenFlags, _ flags: OpenFlags
  ) throws(Errno) -> Channel {
    switch kind {
    case .regular, .memoryDevice, .directory: return Channel(descriptor: descriptor, mode: .direct)
    case .socket: return Channel(descriptor: try Host.duplicate(descriptor), mode: .socket)
    case .terminal, .pipe, .other:
      let wanted = access.union(flags.intersection(.append)).union(.nonBlocking)
      if kind != .other, let own = try? Host.Stream.reopen(descriptor, wanted) {
        return Channel(descriptor: own, mode: .direct)
      }
      return Channel(descriptor: try Host.duplicate(descriptor), mode: .polled)
    }
  }

  package override var waitQueue: WaitQueue? { queue }
  package override var terminal: Terminal? { console }
  package override var writesFully: Bool { queue != nil }
  package override var description: String { location?.path ?? name }

  package override func attributes() throws(Errno) -> Stat {
    if let node = console?.node { return try node.attributes() }
    var stat = try Host.status(descriptor)
    stat.uid = 0
    stat.gid = 0
    if kind == .terminal { stat.specialDevice = Terminal.device }
    return stat
  }

  // MARK: Transfer

  package override func read(into buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard let input else { throw .badFileDescriptor }
    guard buffer.remaining > 0 else { return 0 }
    if let offset {
      guard kind == .regular || kind == .memoryDevice else { throw .illegalSeek }
      return try buffer.fill(fromStream: input.descriptor, at: offset)
    }
    defer { watchAgain(input, .readable) }
    switch input.mode {
    case .direct: return try buffer.fill(fromStream: input.descriptor)
    case .socket: return try buffer.fill(fromSocket: input.descriptor)
    case .polled:
      guard Host.Stream.poll(input.descriptor, events: .input) != [] else { throw .wouldBlock }
      return try polledRead(input, &buffer)
    }
  }

  package override func write(from buffer: inout IOBuffer, at offset: UInt64?) throws(Errno) -> Int {
    guard let output else { throw .badFileDescriptor }
    guard buffer.remaining > 0 else { return 0 }
    if let offset {
      guard kind == .regular || kind == .memoryDevice else { throw .illegalSeek }
      return try buffer.drain(intoStream: output.descriptor, at: offset)
    }
    defer { watchAgain(output, .writable) }
    switch output.mode {
    case .direct: return try buffer.drain(intoStream: output.descriptor)
    case .socket: return try buffer.drain(intoSocket: output.descriptor)
    case .polled:
      guard Host.Stream.poll(output.descriptor, events: .output) != [] else { throw .wouldBlock }
      return try polledWrite(output, &buffer)
    }
  }

  /// Reads after poll(2) said that there is something. Another reader may have taken it: `RWF_NOWAIT`, where the host
  /// has it for this kind of file, does not wait even then.
  private func polledRead(_ channel: Channel, _ buffer: inout IOBuffer) throws(Errno) -> Int {
    do throws(Errno) {
      return try buffer.fill(fromStream: channel.descriptor, flags: .noWait)
    } catch {
      guard error == .notSupported else { throw error }
      return try buffer.fill(fromStream: channel.descriptor)
    }
  }

  /// Writes after poll(2) said that there is room: in a pipe for `PIPE_BUF` bytes, in a terminal for a little.
  private func polledWrite(_ channel: Channel, _ buffer: inout IOBuffer) throws(Errno) -> Int {
    var part = buffer
    part.truncate(to: kind == .terminal ? 256 : Pipe.atomicSize)
    let count: Int
    do throws(Errno) {
      count = try part.drain(intoStream: channel.descriptor, flags: .noWait)
    } catch {
      guard error == .notSupported else { throw error }
      count = try part.drain(intoStream: channel.descriptor)
    }
    buffer.advance(count)
    return count
  }

  package override func seek(to offset: Int64, whence: Whence) throws(Errno) -> UInt64 {
    guard kind == .regular || kind == .memoryDevice else { throw .illegalSeek }
    return try Host.seek(descriptor, offset, whence: whence)
  }

  package override func truncate(to size: UInt64) throws(Errno) {
    guard kind == .regular else { throw .invalidArgument }
    if isAppendOnly { throw .notPermitted }
    try Host.truncate(descriptor, to: size)
  }

  package override func sync(dataOnly: Bool) throws(Errno) {
    guard kind == .regular else { throw .invalidArgument }
    try Host.sync(descriptor, dataOnly: dataOnly)
  }

  package override func mappable() throws(Errno) -> any MappableObject {
    guard kind == .regular else { throw .operationNotSupportedByDevice }
    if isAppendOnly { throw .permissionDenied }
    return HostStreamMapping(descriptor, name: name, services: services)
  }

  // MARK: Readiness

  package override func readiness() -> PollEvents {
    guard queue != nil else { return [.readable, .writable] }
    var events: PollEvents = []
    if let input {
      events.formUnion(
        Host.Stream.poll(input.descriptor, events: [.input, .priority, .readNormal, .readHangUp]))
    }
    if let output {
      events.formUnion(Host.Stream.poll(output.descriptor, events: .writable))
    }
    return events
  }

  package override func prepareToWait(for events: PollEvents) {
    guard let queue else { return }
    let wantsInput = !events.isDisjoint(with: PollEvents.readable.union([.priority, .readHangUp]))
    let wantsOutput = !events.isDisjoint(with: .writable)
    if let input, wantsInput { services.watch(input.descriptor, for: [.readable, .readHangUp], waking: queue) }
    if let output, wantsOutput { services.watch(output.descriptor, for: .writable, waking: queue) }
    if !wantsInput, !wantsOutput, let channel = input ?? output {
      services.watch(channel.descriptor, for: [.hangUp, .error], waking: queue)
    }
  }

  /// Edge-triggered watchers have to hear of what comes after this transfer.
  private func watchAgain(_ channel: Channel, _ events: PollEvents) {
    guard let queue, !queue.isEmpty else { return }
    services.watch(channel.descriptor, for: events, waking: queue)
  }

  // MARK: Control

  package override func control(_ request: UInt32, argument: UInt64, memory: AddressSpace) throws(Errno) -> Int {
    switch request {
    case Ioctl.readable:
      var block = [UInt8](repeating: 0, count: 4)
      _ = try Host.Stream.ioctl(descriptor, request, &block)
      try memory.write(GuestAddress(argument), block)
      return 0
    case Ioctl.tcGets, Ioctl.tcGetA, Ioctl.tcGets2, Ioctl.getWindowSize, Ioctl.outputQueue:
      guard kind == .terminal else { throw .inappropriateIOCTLForDevice }
      var block = [UInt8](repeating: 0, count: HostStream.blockSize(request))
      _ = try Host.Stream.ioctl(descriptor, request, &block)
      try memory.write(GuestAddress(argument), block)
      return 0
    case Ioctl.tcSets...Ioctl.tcSetsFlush, Ioctl.tcSetA...Ioctl.tcSetAFlush, Ioctl.setWindowSize, Ioctl.tcSets2,
      Ioctl.tcSets2Wait, Ioctl.tcSets2Flush:
      guard kind == .terminal else { throw .inappropriateIOCTLForDevice }
      var block = try memory.read(GuestAddress(argument), count: HostStream.blockSize(request))
      let (change, flushes) = HostStream.withoutDrain(request)
      if flushes { _ = try Host.Stream.ioctl(descriptor, Ioctl.tcFlush, value: 0) }
      return try Host.Stream.ioctl(descriptor, change, &block)
    case Ioctl.tcSendBreak, Ioctl.tcFlow, Ioctl.tcFlush:
      guard kind == .terminal else { throw .inappropriateIOCTLForDevice }
      // tcdrain(3) would make Apus wait for the terminal.
      if request == Ioctl.tcSendBreak, argument != 0 { return 0 }
      return try Host.Stream.ioctl(descriptor, request, value: argument)
    default: throw .inappropriateIOCTLForDevice
    }
  }

  /// Bytes of the argument of a terminal request: `termio`, `termios`, `termios2`, `winsize`, `int`.
  private static func blockSize(_ request: UInt32) -> Int {
    switch request {
    case Ioctl.tcGetA...Ioctl.tcSetAFlush: 18
    case Ioctl.tcGets...Ioctl.tcSetsFlush: 36
    case Ioctl.getWindowSize, Ioctl.setWindowSize: 8
    case Ioctl.outputQueue: 4
    default: 44
    }
  }

  /// `TCSADRAIN` and `TCSAFLUSH` would make Apus wait while the terminal is stopped. The first becomes a plain change,
  /// the second a flush of the input and a change.
  private static func withoutDrain(_ request: UInt32) -> (request: UInt32, flushes: Bool) {
    switch request {
    case Ioctl.tcSetsWait: (Ioctl.tcSets, false)
    case Ioctl.tcSetsFlush: (Ioctl.tcSets, true)
    case Ioctl.tcSets2Wait: (Ioctl.tcSets2, false)
    case Ioctl.tcSets2Flush: (Ioctl.tcSets2, true)
    case Ioctl.tcSetAWait: (Ioctl.tcSetA, false)
    case Ioctl.tcSetAFlush: (Ioctl.tcSetA, true)
    default: (request, false)
    }
  }

  /// Opens what the stream refers to once more. As with files that may only be appended to (`FS_APPEND_FL`), one that
  /// the caller opened with `O_APPEND` can't be truncated; other writes go to its end.
  package override func reopen(_ flags: OpenFlags) throws(Errno) -> OpenFile {
    if kind == .socket { throw .noSuchAddressOrDevice }
    var wanted = flags.intersection([.accessMask, .append, .nonBlocking])
    guard kind == .regular else {
      return try HostStream(descriptor, terminal: console, access: wanted, services: services)
    }
    let host = try Host.Stream.statusFlags(of: descriptor)
    if wanted.isReadable && !host.isReadable || wanted.isWritable && !host.isWritable { throw .permissionDenied }
    if flags.contains(.truncate) {
      guard host.isWritable else { throw .permissionDenied }
      if isAppendOnly { throw .notPermitted }
    }
    if isAppendOnly { wanted.insert(.append) }
    let own = try Host.Stream.reopen(descriptor, wanted)
    do throws(Errno) {
      return try HostStream(own, terminal: nil, ownsDescriptor: true, services: services)
    } catch {
      Host.close(own)
      throw error
    }
  }

  package override func close() {
    for channel in [input, output] {
      guard let channel, channel.descriptor != descriptor else { continue }
      services.unwatch(channel.descriptor)
      try? channel.descriptor.close()
    }
    if ownsDescriptor { try? descriptor.close() }
  }
}

/// A mapping of one of the caller's regular files.
private final class HostStreamMapping: MappableObject {
  private let descriptor: FileDescriptor
  private let services: any KernelServices
  private var file: MappableFile?
  let mappingName: String
  init(_ descriptor: FileDescriptor, name: String, services: any KernelServices) {
    self.descriptor = descriptor
    self.services = services
    mappingName = name
  }
  func mappingBacking() throws(Errno) -> MappingBacking {
    if let file { return .hostFile(file: file, descriptor: descriptor) }
    let new = try services.platform.register(file: descriptor)
    file = new
    return .hostFile(file: new, descriptor: descriptor)
  }
  var mappingSize: UInt64 { UInt64(clamping: (try? Host.status(descriptor))?.size ?? 0) }
  var mappingDevice: UInt64 { (try? Host.status(descriptor))?.device ?? 0 }
  var mappingInode: UInt64 { (try? Host.status(descriptor))?.inode ?? 0 }
  deinit { if let file { services.platform.unregister(file) } }
}
