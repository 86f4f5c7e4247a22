import FileSystem
import LinuxABI
import Memory

/// What execve(2) was asked to run; kept in the task while the call is parked.
struct ExecRequest {
  /// Path as given, for messages.
  var path: [UInt8]
  /// The path by which a program may find itself: for execveat(2) with a descriptor, one below `/dev/fd`.
  private(set) var reachablePath: [UInt8]
  /// That path leads nowhere once the program runs, as the descriptor is closed then.
  private(set) var isUnreachable = false
  var arguments: ProgramStrings
  private(set) var environment: ProgramStrings
  /// Where the lists of pointers go on that have not been read yet; null for those that have been.
  private var unreadArguments = GuestAddress.null
  private var unreadEnvironment = GuestAddress.null
  /// The file to run, resolved by the caller of execveat(2); nil: `path` is walked.
  var base: PathLocation?
  var options: ResolveOptions
  /// Charged for the strings, which a parked call keeps.
  private var charge: HeldCharge?

  init(path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]]) {
    self.path = path
    reachablePath = path
    self.arguments = ProgramStrings(arguments)
    self.environment = ProgramStrings(environment)
    options = []
  }

  /// What a task asks for; `read` reads the two lists.
  init(
    path: [UInt8], base: (location: PathLocation, descriptor: FileDescriptorNumber, closesOnExec: Bool)? = nil,
    options: ResolveOptions = [], argumentsAt: GuestAddress, environmentAt: GuestAddress
  ) {
    self.path = path
    reachablePath = path
    arguments = ProgramStrings()
    environment = ProgramStrings()
    self.options = options
    if let base {
      self.base = base.location
      reachablePath = Array("/dev/fd/\(base.descriptor.rawValue)".utf8)
      if !path.isEmpty { reachablePath += [UInt8(ascii: "/")] + path }
      isUnreachable = base.closesOnExec
    }
    unreadArguments = argumentsAt
    unreadEnvironment = environmentAt
  }

  /// Strings that are read before others get the kernel lock, and their bytes.
  private static let stringsAtOnce = 4096
  private static let bytesAtOnce = 1 << 20

  /// Reads on in the null-terminated arrays of strings; a null pointer is an empty one, as Linux takes it.
  /// - Returns: false where there is more.
  /// - Throws: `E2BIG`, `EFAULT`, `ENOMEM`.
  mutating func read(from task: Task) throws(Errno) -> Bool {
    let limit = Int(ExecRequest.sizeLimit(stackLimit: task.group.limits[.stack].current))
    var isRead = try ExecRequest.read(&arguments, &unreadArguments, task.memory, limit)
    if isRead { isRead = try ExecRequest.read(&environment, &unreadEnvironment, task.memory, limit) }
    let size = path.count + arguments.bytes.count + environment.bytes.count
    charge = nil
    charge = HeldCharge(try task.kernel.kernelMemory.charge(size + (arguments.count + environment.count) * 8))
    if isRead, arguments.isEmpty { arguments.append([]) }
    return isRead
  }

  private static func read(
    _ strings: inout ProgramStrings, _ unread: inout GuestAddress, _ memory: AddressSpace, _ limit: Int
  ) throws(Errno) -> Bool {
    guard !unread.isNull else { return true }
    let (count, bytes) = (strings.count + stringsAtOnce, strings.bytes.count + bytesAtOnce)
    while strings.count < count, strings.bytes.count < bytes {
      let pointer = try memory.readValue(unread, as: GuestAddress.self)
      if pointer.isNull {
        unread = .null
        return true
      }
      do throws(Errno) {
        try strings.append { (bytes) throws(Errno) in
          try memory.appendCString(pointer, limit: ExecRequest.stringLimit, to: &bytes)
        }
      } catch {
        throw error == .fileNameTooLong ? .argListTooLong : error
      }
      guard strings.bytes.count + strings.count * 8 <= limit else { throw .argListTooLong }
      unread = unread &+ 8
    }
    return false
  }

  /// Most bytes of arguments and environment together, pointers included: a quarter of the stack limit, at least 128 KiB
  /// and at most 6 MiB (execve(2)).
  static func sizeLimit(stackLimit: UInt64) -> UInt64 { min(max(stackLimit / 4, 128 << 10), 6 << 20) }
  /// Longest single string (`MAX_ARG_STRLEN`).
  static let stringLimit = 128 << 10
}

/// A charge that several copies of a value hold together.
final class HeldCharge {
  private let charge: MemoryCharge
  init(_ charge: consuming MemoryCharge) { self.charge = charge }
}
