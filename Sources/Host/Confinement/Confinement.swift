import CStub
import LinuxABI

/// Limits that Apus puts on its own process, so that whoever took it over could do no more than Apus does.
package enum Confinement {
  /// Puts the whole process under the filter of `HostCallRule`, for good (seccomp(2)).
  /// - Parameters:
  ///   - preemptSignal: the one signal that guest threads are sent while they run.
  ///   - network: what of sockets guests need.
  ///   - connectsSockets: guests connect to UNIX sockets of the host.
  /// - Returns: false where the host has no filters.
  /// - Throws: `ESRCH` where a thread of this process is under another filter.
  package static func filterCalls(
    platform: ConfinedPlatform, preemptSignal: Signal, network: ConfinedNetwork = .none,
    connectsSockets: Bool = false
  ) throws(Errno) -> Bool {
    let rules = HostCallRule.whileGuestsRun(
      process: Host.processID, preemptSignal: preemptSignal, network: network,
      connectsSockets: connectsSockets)
    let filter = HostCallFilter(rules.filter { $0.platform == nil || $0.platform == platform })
    // Opened at its first use, which is not possible later.
    _ = try? Host.processFileSystem()
    try forbidPrivileges()
    return try unsafe filter.code.withUnsafeBufferPointer { code throws(Errno) in
      // struct sock_fprog
      var program = (UInt64(code.count), UInt64(UInt(bitPattern: code.baseAddress)))
      return try unsafe withUnsafeMutablePointer(to: &program) { program throws(Errno) in
        do throws(Errno) {
          let flags: SeccompFilterFlags = [.allThreads, .speculation]
          let refusing = try Host.call(
            .seccomp, SeccompOperation.setModeFilter.argument, flags.argument, Int(bitPattern: program))
          if refusing != 0 { throw .noSuchProcess }
          return true
        } catch {
          // A host without filters, or a container that forbids them.
          guard [.noFunction, .invalidArgument, .notPermitted].contains(error) else { throw error }
          return false
        }
      }
    }
  }

  /// Execve gives no privileges from now on (prctl(2)), without which an ordinary user may not limit itself.
  private static func forbidPrivileges() throws(Errno) {
    try Host.call(.prctl, PrctlOption.setNoNewPrivileges.argument, 1)
  }

  // MARK: Landlock

  /// Rights of a Landlock rule (landlock(7)).
  package struct FileRights: OptionSet, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    static let writeFile = FileRights(rawValue: 1 << 1)
    static let readFile = FileRights(rawValue: 1 << 2)
    static let truncate = FileRights(rawValue: 1 << 14)
    static let control = FileRights(rawValue: 1 << 15)
    /// Reading files and listing directories.
    package static let reading = FileRights(rawValue: 0b1100)
    /// Everything but executing, and making devices.
    package static let changing = FileRights(rawValue: 0b11_0111_1011_1110).union(.truncate)
    /// All that a file that isn't a directory can have.
    static let ofFiles: FileRights = [.readFile, .writeFile, .truncate, .control]

    /// What a description may do that is opened with these flags.
    package init(_ access: OpenFlags) {
      self = .control
      if access.isReadable { insert(.readFile) }
      if access.isWritable { formUnion([.writeFile, .truncate]) }
    }

    /// The rights that a version of Landlock knows of.
    fileprivate static func known(by version: Int) -> FileRights {
      FileRights(rawValue: (1 << (version >= 5 ? 16 : version >= 3 ? 15 : 14)) - 1)
    }
  }

  /// A place, and what Apus may do there and below.
  package struct FileRule {
    let place: FileDescriptor
    let rights: FileRights
    package init(_ place: FileDescriptor, _ rights: FileRights) {
      self.place = place
      self.rights = rights
    }
  }

  /// The version of Landlock on this host; nil where there is none (landlock_create_ruleset(2)).
  package static var landlockVersion: Int? { try? Host.call(.landlock_create_ruleset, 0, 0, 1) }

  /// Lets the calling thread, and all threads and processes that it starts from then on, open files in some places only,
  /// for good (landlock_restrict_self(2)).
  /// - Returns: false where the host has no Landlock, or one that could not let files be renamed (before Linux 5.19).
  package static func limitFiles(_ rules: [FileRule]) throws(Errno) -> Bool {
    guard let version = landlockVersion, version >= 2 else { return false }
    let handled = FileRights.known(by: version)
    // struct landlock_ruleset_attr, of which older hosts know the first word alone.
    var attributes = handled.rawValue
    let ruleset = try unsafe withUnsafeMutablePointer(to: &attributes) { pointer throws(Errno) in
      try Host.descriptor(try Host.call(.landlock_create_ruleset, Int(bitPattern: pointer), 8, 0))
    }
    defer { Host.close(ruleset) }
    for rule in rules {
      let kind = try Host.status(rule.place).mode.kind
      let rights = rule.rights.intersection(kind == .directory ? handled : handled.intersection(.ofFiles))
      if rights.isEmpty { continue }
      // struct landlock_path_beneath_attr, packed: 12 bytes.
      var beneath = (rights.rawValue, UInt64(UInt32(bitPattern: rule.place.rawValue)))
      do throws(Errno) {
        _ = try unsafe withUnsafeMutablePointer(to: &beneath) { pointer throws(Errno) in
          // LANDLOCK_RULE_PATH_BENEATH
          try Host.call(.landlock_add_rule, Int(ruleset.rawValue), 1, Int(bitPattern: pointer), 0)
        }
      } catch {
        // EBADFD: a pipe or the like, which has no path and needs no rule.
        guard error.rawValue == 77 else { throw error }
      }
    }
    try forbidPrivileges()
    try Host.call(.landlock_restrict_self, Int(ruleset.rawValue), 0)
    return true
  }
}
