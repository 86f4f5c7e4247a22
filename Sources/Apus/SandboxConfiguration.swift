import Logging
public import SystemPackage

/// What a sandbox runs, and what it shows to it.
///
/// ```swift
/// var configuration = SandboxConfiguration(command: "python3", arguments: ["-c", "print(6 * 7)"])
/// configuration.memory = 512 << 20
/// let status = try Sandbox(configuration).run()
/// ```
public struct SandboxConfiguration: Sendable {
  /// The program: a path in the guest, or a name that is looked up in the guest's `PATH`.
  public var command: String
  /// The arguments that follow the program's name.
  public var arguments: [String]
  /// The environment, as `NAME=value` strings. The default is `defaultEnvironment()`.
  public var environment: [String]
  /// The host directory that becomes `/`.
  public var root = "/"
  /// What becomes of changes to the root.
  public var overlay = Overlay.memory
  /// Host directories and files that guests use for real.
  public var volumes: [Volume] = []
  /// The directory in the guest to start in. Nil: the caller's, where that exists in the guest, else `/`.
  public var workingDirectory: String?
  /// The user that the program runs as; guest ids mean nothing on the host.
  public var user = User.root
  /// What uname(2) calls the machine.
  public var hostName = "apus"
  /// Physical memory of the guests, in bytes: what they allocate, and what they write to memory file systems.
  public var memory: UInt64
  /// What guests reach of the network, and what reaches them: nothing outside of the sandbox, by default.
  public var network = Network()
  /// Number of virtual CPUs.
  public var cpus: Int
  /// How guest code is run.
  public var platform = PlatformChoice.automatic
  /// The guests are trusted not to attack Apus: faster page faults, weaker containment between guests.
  public var isTrusted = false
  /// Programs get random addresses at each execve(2), as on Linux. Without, runs can be compared address by address.
  public var randomizesAddresses = true
  /// System calls that a program makes often get there without a signal, through a jump that Apus writes before the
  /// instruction. A program that reads its own text sees it. No effect on the ptrace platform.
  public var rewritesText = true
  /// Standard input, output and error of the program; nil leaves one closed. The caller keeps the descriptors.
  public var standardStreams: [FileDescriptor?] = [.standardInput, .standardOutput, .standardError]
  /// Where one line for each system call is written, as strace(1) writes it; nil: no tracing.
  public var trace: FileDescriptor?
  /// Measure the time that system calls take, for `Sandbox.statistics`.
  public var measuresTimes = false
  /// Pass SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGWINCH that this process gets to the first guest process. They are
  /// blocked in the calling thread while the sandbox runs; other threads of the caller must block them too.
  public var forwardsSignals = false
  /// Bind this process, for as long as it lives, to what Apus needs to run this sandbox: a filter of its system calls
  /// (seccomp(2)), and of the files that it may open (Landlock). A guest that found a way into Apus would gain little.
  /// The process can run no other sandbox then, execute no program and open no socket, so it is for programs that do
  /// nothing else, as `apus run`. Hosts without these means are used as they are.
  public var confinesProcess = false
  /// Told of what a user should know while the sandbox runs, such as a guest that was ended for want of memory.
  public var logger: Logger?

  /// A sandbox that shows the host's `/` with changes kept in memory, with half of the host's memory and all CPUs that
  /// this process may use.
  /// - Parameter environment: nil for `defaultEnvironment()`.
  public init(command: String, arguments: [String] = [], environment: [String]? = nil) {
    self.command = command
    self.arguments = arguments
    self.environment = environment ?? SandboxConfiguration.defaultEnvironment()
    memory = SandboxConfiguration.defaultMemory
    cpus = SandboxConfiguration.usableCPUs
  }

  /// What becomes of changes that guests make to files below `/`.
  public enum Overlay: String, Sendable, CaseIterable {
    /// They are kept in memory, and gone when the sandbox ends.
    case memory
    /// There are none: the root is read-only.
    case none
  }

  /// How guest code is run.
  public enum PlatformChoice: String, Sendable, CaseIterable {
    /// The fastest that the host allows.
    case automatic = "auto"
    /// Traps come through a seccomp filter (seccomp(2)).
    case seccomp
    /// Traps come through ptrace(2).
    case ptrace
  }

  /// A user and group of the guest.
  public struct User: Sendable, Equatable {
    /// The user id.
    public var uid: UInt32
    /// The group id.
    public var gid: UInt32
    /// A user and its group, by their numbers.
    public init(uid: UInt32, gid: UInt32) {
      self.uid = uid
      self.gid = gid
    }
    /// uid 0, gid 0: may do anything inside the sandbox, and nothing on the host that the caller may not.
    public static let root = User(uid: 0, gid: 0)
  }

  /// A host directory or file that guests use for real.
  public struct Volume: Sendable, Equatable {
    /// Its path on the host.
    public var hostPath: String
    /// Where it appears in the guest, an absolute path.
    public var guestPath: String
    /// Guests can't change anything in it.
    public var isReadOnly: Bool
    /// Owners that guests give to files become their owners on the host, which only root may do. Otherwise files that
    /// guests make are the caller's on the host, and what guests see is remembered for as long as the sandbox lives.
    public var usesHostIDs: Bool
    /// Guests may connect to sockets of the host that lie in it.
    public var connectsSockets: Bool
    /// A volume that guests may change unless `isReadOnly`.
    public init(
      hostPath: String, guestPath: String, isReadOnly: Bool = false, usesHostIDs: Bool = false,
      connectsSockets: Bool = false
    ) {
      self.hostPath = hostPath
      self.guestPath = guestPath
      self.isReadOnly = isReadOnly
      self.usesHostIDs = usesHostIDs
      self.connectsSockets = connectsSockets
    }
  }

  /// Guests may connect to UNIX sockets of the host in some volume.
  var connectsSockets: Bool { volumes.contains(where: \.connectsSockets) }
}
