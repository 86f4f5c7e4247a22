import LinuxABI

@testable import Kernel

extension SyscallSupport {
  /// What is missing or different; nil for full support.
  var remark: String? {
    switch self {
    case .full: nil
    case .partial(let text), .refused(_, let text): "\(text)"
    }
  }
}

/// `Documentation/system-calls.md`, made from the tables of system calls.
enum SystemCallDocument {
  private enum Support: String, CaseIterable { case full, partial, refused, missing }

  private static func support(_ entry: SyscallEntry?) -> Support {
    switch entry?.support {
    case .full: .full
    case .partial: .partial
    case .refused: .refused
    case nil: .missing
    }
  }

  private static func remark(_ entry: SyscallEntry?) -> String {
    switch entry?.support {
    case .full: ""
    case .partial(let text): "\(text)"
    case .refused(let error, let text): "`\(ErrnoNames.name(error))`: \(text)"
    case nil: "`ENOSYS`"
    }
  }

  static var text: String {
    let numbers = SyscallNumber.allCases.sorted { $0.rawValue < $1.rawValue }
    let rows = numbers.map { number in (number, Syscalls.entry(UInt64(number.rawValue))) }
    let counts = Support.allCases.map { kind in "\(rows.count { support($0.1) == kind }) \(kind.rawValue)" }
    var lines = [
      "# System calls",
      "",
      "What Apus does with each system call of x86-64 Linux 6.12 and the few newer ones it knows: \(counts.joined(separator: ", ")),",
      "of \(rows.count).",
      "",
      "* **full**: as the man page has it, but for what no guest can tell.",
      "* **partial**: the remark says what is missing or different.",
      "* **refused**: always fails with this error, for this reason.",
      "* **missing**: unknown to Apus, as to an older kernel.",
      "",
      "This file is made from the tables in `Sources/Kernel/Syscalls`. After a change there, write it anew:",
      "",
      "    APUS_WRITE_DOCUMENTS=1 swift test --filter SystemCallDocumentTests",
      "",
      "| Number | Call | Support | Remark |",
      "|-------:|------|---------|--------|",
    ]
    for (number, entry) in rows {
      lines.append("| \(number.rawValue) | `\(number)` | \(support(entry).rawValue) | \(remark(entry)) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
