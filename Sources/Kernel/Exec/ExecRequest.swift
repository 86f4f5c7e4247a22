import FileSystem
import LinuxABI
import Memory

/// What execve(2) was asked to run; kept in the task while the call is parked.
struct ExecRequest {
  /// Path as given, for messages.
  var path: [UInt8]
  /// The path by which a program may find itself: for execveat(2) with a descriptor, one below `/dev/fd`.
  var reachablePath: [UInt8]
  /// That path leads nowhere once the program runs, as the descriptor is closed then.
  var isUnreachable = false
  var arguments: [[UInt8]]
  let environment: [[UInt8]]
  /// The file to run, resolved by the caller of execveat(2); nil: `path` is walked.
  var base: PathLocation?
  var options: ResolveOptions
  /// Charged for the strings, which a parked call keeps.
  private var charge: HeldCharge?

  init(
    path: [UInt8], arguments: [[UInt8]], environment: [[UInt8]], base: PathLocation? = nil, options: ResolveOptions = []
  ) {
    self.path = path
    reachablePath = path
    self.arguments = arguments
    self.environment = environment
    self.base = base
    self.options = options
  }

  /// Counts what the request keeps. - Throws: `ENOMEM`.
  mutating func charge(in memory: KernelMemory) throws(Errno) {
    let size = path.count + (arguments + environment).reduce(0) { $0 + $1.count + 48 }
    charge = HeldCharge(try memory.charge(size))
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
