import Apus
import SystemPackage

/// What `apus run` was asked to do.
struct RunOptions {
  /// Where something is written for the user.
  enum Output {
    case standardError
    case file(String)
    /// `-` stands for stderr.
    init(_ text: String) { self = text == "-" ? .standardError : .file(text) }
  }

  var command: [String] = []
  var showsHelp = false
  var root = "/"
  var overlay = SandboxConfiguration.Overlay.memory
  var volumes: [SandboxConfiguration.Volume] = []
  /// Nil: the caller's.
  var workingDirectory: String?
  var user = SandboxConfiguration.User.root
  /// `NAME=value`, or `NAME` for the caller's value.
  var environment: [String] = []
  var usesCallerEnvironment = false
  var hostName = "apus"
  var network = SandboxConfiguration.Network()
  /// Bytes; nil: `SandboxConfiguration.defaultMemory`.
  var memory: UInt64?
  var cpus: Int?
  var platform = SandboxConfiguration.PlatformChoice.automatic
  var isTrusted = false
  var randomizesAddresses = true
  var rewritesText = true
  var trace: Output?
  var statistics: Output?

  init() {}

  /// All options, in the order in which help lists them.
  static let table: [Option] = [
    Option("--root", value: .required("DIR"), help: "Host directory that becomes / (default: /).") { $0.root = $1 },
    Option(
      "--overlay", value: .required("memory|none"),
      help: "Changes to files: kept in memory (default), or none (read-only)."
    ) { $0.overlay = try choice($1) },
    Option(
      "--volume", "-v", value: .required("HOST:GUEST[:ro|:ids|:sockets]"),
      help: "Host directory or file to use for real; ids: with the guest's owners; sockets: to connect to. Repeatable."
    ) { $0.volumes.append(try volume($1)) },
    Option("--workdir", "-w", value: .required("DIR"), help: "Directory to start in (default: the caller's).") {
      $0.workingDirectory = $1
    },
    Option(
      "--user", "-u", value: .required("UID[:GID]"),
      help: "User and group of the command (default: 0:0; the group: the user's number)."
    ) { $0.user = try user($1) },
    Option(
      "--env", "-e", value: .required("NAME[=VALUE]"),
      help: "Environment variable; without a value, the caller's. Repeatable."
    ) { $0.environment.append(try variable($1)) },
    Option("--env-host", help: "Give the command the caller's whole environment.") { options, _ in
      options.usesCallerEnvironment = true
    },
    Option("--hostname", value: .required("NAME"), help: "Host name that the sandbox shows (default: apus).") {
      $0.hostName = $1
    },
    Option(
      "--network", value: .required("none|outbound|host"),
      help: "What is reached outside: nothing (default), all but the host itself, or all through the host's network."
    ) { $0.network.mode = try choice($1) },
    Option(
      "--allow-connect", value: .required("HOST|CIDR[:PORT]"),
      help: "With --network outbound: reach this and nothing else. Repeatable."
    ) { options, text in
      guard let destination = SandboxConfiguration.Network.Destination(text) else {
        throw BadValue.destination
      }
      options.network.allowedDestinations = (options.network.allowedDestinations ?? []) + [destination]
    },
    Option(
      "--publish", "-p", value: .required("[HOSTADDR:]HOSTPORT:GUESTPORT[/udp]"),
      help: "Host port (at 127.0.0.1, or HOSTADDR) that leads to a guest's. Repeatable."
    ) { options, text in
      guard let port = SandboxConfiguration.Network.PublishedPort(text) else { throw BadValue.publishedPort }
      options.network.publishedPorts.append(port)
    },
    Option(
      "--memory", "-m", value: .required("SIZE"),
      help: "Memory of the sandbox, such as 512M (default: half of the host's)."
    ) { $0.memory = try size($1) },
    Option("--cpus", value: .required("N"), help: "Number of virtual CPUs (default: all that apus may use).") {
      $0.cpus = try count($1)
    },
    Option("--platform", value: .required("auto|seccomp|ptrace"), help: "How guest code is run (default: auto).") {
      $0.platform = try choice($1)
    },
    Option("--trusted", help: "The command won't attack apus: faster page faults, weaker containment between guests.") {
      options, _ in options.isTrusted = true
    },
    Option("--no-rewrite", help: "Leave the text of programs as it is: calls are slower.") { options, _ in
      options.rewritesText = false
    },
    Option("--no-aslr", help: "Give programs the same addresses in each run.") { options, _ in
      options.randomizesAddresses = false
    },
    Option("--trace", value: .optional("FILE"), help: "Show every system call, on stderr or in a file.") {
      $0.trace = Output($1)
    },
    Option("--stats", value: .optional("FILE"), help: "Show counters at the end, on stderr or as JSON in a file.") {
      $0.statistics = Output($1)
    },
    Option("--help", "-h", help: "Show this help.") { options, _ in options.showsHelp = true },
  ]

  // MARK: Values of options

  private typealias BadValue = Option.BadValue

  private static func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ text: String
  ) throws(Option.BadValue) -> Choice {
    guard let choice = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue)
      throw Option.BadValue(problem: "not one of \(names.joined(separator: ", "))")
    }
    return choice
  }

  private static func volume(_ text: String) throws(Option.BadValue) -> SandboxConfiguration.Volume {
    var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let options = parts.count == 3 ? parts.removeLast().split(separator: ",").map(String.init) : []
    guard parts.count == 2, !parts[0].isEmpty, parts[1].hasPrefix("/"),
      options.allSatisfy({ ["ro", "rw", "ids", "sockets"].contains($0) })
    else { throw Option.BadValue(problem: "not HOST:GUEST[:ro|:ids|:sockets] with an absolute path in the guest") }
    return SandboxConfiguration.Volume(
      hostPath: parts[0], guestPath: parts[1], isReadOnly: options.contains("ro"),
      usesHostIDs: options.contains("ids"), connectsSockets: options.contains("sockets"))
  }

  private static func user(_ text: String) throws(Option.BadValue) -> SandboxConfiguration.User {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    // (uid_t) -1 means "no user".
    guard parts.count <= 2, let uid = UInt32(parts[0]), let gid = UInt32(parts.last ?? ""), uid != .max, gid != .max
    else { throw Option.BadValue(problem: "not UID[:GID] in numbers") }
    return SandboxConfiguration.User(uid: uid, gid: gid)
  }

  private static func variable(_ text: String) throws(Option.BadValue) -> String {
    guard let first = text.first, first != "=" else { throw Option.BadValue(problem: "no name") }
    return text
  }

  private static func count(_ text: String) throws(Option.BadValue) -> Int {
    guard let count = Int(text) else { throw Option.BadValue(problem: "not a number") }
    return count
  }

  /// A size in bytes: a whole number with K, M, G or T (powers of 1024).
  private static func size(_ text: String) throws(Option.BadValue) -> UInt64 {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let units = ["": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40] as [String: UInt64]
    var unit = text.dropFirst(digits.count).uppercased()
    for ending in ["IB", "B"] where unit.count > 1 && unit.hasSuffix(ending) { unit.removeLast(ending.count) }
    guard let number = UInt64(digits), let shift = units[unit] else {
      throw Option.BadValue(problem: "not a size", remedy: "write a number with K, M or G, such as 512M")
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    guard !overflow else { throw Option.BadValue(problem: "too large") }
    return product
  }
}

extension Option.BadValue {
  fileprivate static let destination = Option.BadValue(
    problem: "not an address, a network or a name, with a port or without",
    remedy: "write 192.0.2.1:443, 10.0.0.0/8, [2001:db8::1]:443, example.org:443 or *.example.org")
  fileprivate static let publishedPort = Option.BadValue(
    problem: "not [HOSTADDR:]HOSTPORT:GUESTPORT[/udp]", remedy: "write 8080:80, 0.0.0.0:8080:80 or [::1]:5353:53/udp")
}
