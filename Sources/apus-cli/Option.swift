import Apus

/// An option of `apus run`: how it is written, what help says of it, and what it sets.
struct Option: Sendable {
  /// What follows an option's name.
  enum Value {
    case none
    /// The next word, or what comes after `=`.
    case required(String)
    /// What comes after `=`; else `-`.
    case optional(String)
  }
  /// Stores a value. - Throws: a `BadValue`.
  typealias Setter = @Sendable (inout RunOptions, String) throws -> Void

  /// What is wrong with an option's value, without the option's name.
  struct BadValue: Error {
    var problem: String
    var remedy: String?
  }

  /// The names with their dashes, the long one first.
  let names: [String]
  let value: Value
  let help: String
  let set: Setter

  init(_ names: String..., value: Value = .none, help: String, set: @escaping Setter) {
    self.names = names
    self.value = value
    self.help = help
    self.set = set
  }

  /// As help shows it: `-v, --volume HOST:GUEST[:ro|:ids|:sockets]`.
  var usage: String {
    let names = names.reversed().joined(separator: ", ")
    return switch value {
    case .none: names
    case .required(let name): "\(names) \(name)"
    case .optional(let name): "\(names)[=\(name)]"
    }
  }
}

extension RunOptions {
  /// Reads the words after `apus run`: options up to `--` or the first word that is none, then the command. So in
  /// `apus run ls -l` the `-l` is for `ls`.
  init(_ words: ArraySlice<String>) throws(SandboxError) {
    self.init()
    var rest = words
    while let word = rest.first, word.hasPrefix("-"), word != "-" {
      rest.removeFirst()
      if word == "--" { break }
      try read(word, &rest)
    }
    command = Array(rest)
  }

  /// Reads one option, which may take the word that follows.
  private mutating func read(_ word: String, _ rest: inout ArraySlice<String>) throws(SandboxError) {
    let (name, attached) = RunOptions.split(word)
    guard let option = RunOptions.table.first(where: { $0.names.contains(name) }) else {
      let written = word.hasPrefix("--") ? name : word
      throw SandboxError("unknown option \(written)", remedy: "see `apus run --help`")
    }
    let value: String
    switch option.value {
    case .none:
      guard attached == nil else { throw SandboxError("\(name) takes no value") }
      value = ""
    case .optional: value = attached ?? "-"
    case .required(let meaning):
      if let attached {
        value = attached
      } else if let next = rest.first, !next.hasPrefix("-") {
        value = next
        rest.removeFirst()
      } else {
        throw SandboxError(
          "\(name): no value", remedy: "write \(name) \(meaning), or \(name)=… where it starts with a dash")
      }
    }
    do {
      try option.set(&self, value)
    } catch {
      let cause = error as? Option.BadValue
      throw SandboxError("\(name) \(value): \(cause?.problem ?? "\(error)")", remedy: cause?.remedy)
    }
  }

  /// The name of an option and the value that is written in the same word: `--memory=64M`, `-m=64M`, `-m64M`.
  private static func split(_ word: String) -> (name: String, value: String?) {
    if word.hasPrefix("--") {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      return (parts[0], parts.count > 1 ? parts[1] : nil)
    }
    let rest = word.dropFirst(2)
    return (String(word.prefix(2)), rest.isEmpty ? nil : String(rest.first == "=" ? rest.dropFirst() : rest))
  }

  /// What `apus run --help` prints.
  static var help: String {
    let column = 2 + (table.map(\.usage.count).max() ?? 0)
    let options = table.map { option in
      "  \(option.usage)\(String(repeating: " ", count: column - option.usage.count))\(option.help)"
    }
    return """
      Runs a command in a sandbox.

      \(usage)

      The command sees the host's files; what it changes stays in memory and is gone when it ends. It runs as uid 0 of
      the sandbox and may do nothing on the host that the caller may not.

      \(options.joined(separator: "\n"))
      """
  }

  static let usage = "Usage: apus run [OPTIONS] [--] COMMAND [ARGUMENTS…]"
}
