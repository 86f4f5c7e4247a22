import Foundation
import LinuxABI
import Testing

@testable import Kernel

/// `Documentation/system-calls.md` says what the tables say. After a change of a row, write it anew with
///
///     APUS_WRITE_DOCUMENTS=1 swift test --filter SystemCallDocumentTests
@Suite struct SystemCallDocumentTests {
  private static let file = URL(filePath: #filePath)
    .appending(path: "../../../Documentation/system-calls.md").standardized

  @Test func documentIsUpToDate() throws {
    let text = SystemCallDocument.text
    if ProcessInfo.processInfo.environment["APUS_WRITE_DOCUMENTS"] != nil {
      try Data(text.utf8).write(to: SystemCallDocumentTests.file)
    }
    let written = try String(contentsOf: SystemCallDocumentTests.file, encoding: .utf8)
    #expect(
      written == text,
      "Documentation/system-calls.md is out of date: APUS_WRITE_DOCUMENTS=1 swift test --filter SystemCallDocumentTests"
    )
  }

  @Test func everyNumberStandsInOneRow() {
    var numbers: Set<SyscallNumber> = []
    for entry in Syscalls.allTables.joined() {
      #expect(numbers.insert(entry.number).inserted, "\(entry.number) has two rows")
    }
  }

  /// A partial or refused call says what is missing, as a phrase that can stand in a table.
  @Test func remarksCanStandInATable() {
    for entry in Syscalls.allTables.joined() {
      guard let remark = entry.support.remark else { continue }
      #expect(!remark.isEmpty && !remark.contains("|") && !remark.contains("\n"), "\(entry.number)")
      #expect(remark.first?.isUppercase == false || remark.prefix(2).allSatisfy { !$0.isLowercase }, "\(entry.number)")
    }
  }
}
