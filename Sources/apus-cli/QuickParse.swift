import Apus

extension RunOptions {
  /// Reads a well-formed `apus run` command line, as `Options.normalize` leaves it.
  ///
  /// This does in microseconds what takes ArgumentParser milliseconds, a good part of the time that a short command
  /// takes. Nil where anything is unusual: ArgumentParser then reads the line, and explains what is wrong with it.
  init?(normalized arguments: [String]) {
    guard arguments.first == "run", let end = arguments.firstIndex(of: "--") else { return nil }
    self.init(command: Array(arguments[(end + 1)...]))
    var index = 1
    while index < end {
      var name = arguments[index]
      index += 1
      switch name {
      case "--env-host": usesCallerEnvironment = true
      case "--trusted": isTrusted = true
      default:
        let value: String
        if name.hasPrefix("--"), let equals = name.firstIndex(of: "=") {
          value = String(name[name.index(after: equals)...])
          name = String(name[..<equals])
        } else {
          guard index < end, !arguments[index].hasPrefix("-") else { return nil }
          value = arguments[index]
          index += 1
        }
        guard set(name, to: value) else { return nil }
      }
    }
  }

  private mutating func set(_ name: String, to value: String) -> Bool {
    switch name {
    case "--root": root = value
    case "--volume", "-v": volumes.append(value)
    case "--workdir", "-w": workingDirectory = value
    case "--user", "-u": user = value
    case "--env", "-e": environment.append(value)
    case "--hostname": hostName = value
    case "--memory", "-m": memory = value
    case "--trace": trace = value
    case "--stats": statistics = value
    case "--overlay":
      guard let choice = SandboxConfiguration.Overlay(rawValue: value) else { return false }
      overlay = choice
    case "--platform":
      guard let choice = SandboxConfiguration.PlatformChoice(rawValue: value) else { return false }
      platform = choice
    case "--cpus":
      guard let count = Int(value) else { return false }
      cpus = count
    default: return false
    }
    return true
  }
}
