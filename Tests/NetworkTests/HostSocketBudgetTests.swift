import LinuxABI
import Testing

@testable import Network

@Suite struct HostSocketBudgetTests {
  private func take(_ budget: HostSocketBudget) throws(Errno) {
    _ = try budget.take { () throws(Errno) in FileDescriptor(rawValue: 1000) }
  }

  /// A part that is used up leaves the rest of the whole, and counts against it.
  @Test func partsLeaveTheRest() throws {
    let whole = HostSocketBudget(5)
    let (first, second) = (HostSocketBudget(2, of: whole), HostSocketBudget(4, of: whole))
    for _ in 0..<2 { try take(first) }
    #expect(throws: Errno.tooManyOpenFilesInSystem) { try take(first) }
    for _ in 0..<3 { try take(second) }
    #expect(throws: Errno.tooManyOpenFilesInSystem) { try take(second) }
    #expect(throws: Errno.tooManyOpenFilesInSystem) { try take(whole) }
    first.release()
    try take(whole)
    whole.release()
    try take(first)
    #expect(throws: Errno.tooManyOpenFilesInSystem) { try take(first) }
  }

  @Test func whatIsNotMadeDoesNotCount() throws {
    let whole = HostSocketBudget(1)
    #expect(throws: Errno.permissionDenied) {
      try HostSocketBudget(1, of: whole).take { () throws(Errno) in throw .permissionDenied }
    }
    try take(whole)
  }
}
