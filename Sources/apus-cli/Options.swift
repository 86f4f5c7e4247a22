/// Makes the command line regular before ArgumentParser sees it.
///
/// `--trace` and `--stats` may stand alone or have a value after `=`, which the parser has no notion of; and options
/// end at the first word that is none, so that `apus run ls -l` gives `-l` to `ls`.
enum Options {
  /// Options of `apus run` that take the next word as their value.
  private static let valued: Set<String> = [
    "--root", "--overlay", "--volume", "-v", "--workdir", "-w", "--user", "-u", "--env", "-e", "--hostname", "--memory",
    "-m", "--cpus", "--platform",
  ]
  /// What stands for "on stderr".
  static let standardError = "-"

  static func normalize(_ arguments: [String]) -> [String] {
    guard arguments.first == "run" else { return arguments }
    var result = ["run"]
    var index = 1
    while index < arguments.count {
      let argument = arguments[index]
      index += 1
      if argument == "--" {
        result.append("--")
        break
      }
      guard argument.hasPrefix("-"), argument != "-" else {
        index -= 1
        result.append("--")
        break
      }
      if argument == "--trace" || argument == "--stats" {
        result.append("\(argument)=\(standardError)")
        continue
      }
      result.append(argument)
      if valued.contains(argument), index < arguments.count {
        result.append(arguments[index])
        index += 1
      }
    }
    return result + arguments[index...]
  }

  /// A size in bytes: a whole number with K, M, G or T (powers of 1024).
  static func size(_ text: String) -> UInt64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = UInt64(digits) else { return nil }
    let shift: UInt64
    switch text.dropFirst(digits.count).uppercased() {
    case "", "B": shift = 0
    case "K", "KB", "KIB": shift = 10
    case "M", "MB", "MIB": shift = 20
    case "G", "GB", "GIB": shift = 30
    case "T", "TB", "TIB": shift = 40
    default: return nil
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : product
  }
}
