import FileSystem

/// Counts the files that were sent and not received yet (unix(7), `SCM_RIGHTS`), in all sockets of a sandbox.
///
/// Sockets that wait in each other's queues are never closed: Linux looks for them and frees them, here the limit
/// bounds what they can hold.
package final class PassedFiles {
  private(set) var count = 0
  /// As Linux's for a process with the usual `RLIMIT_NOFILE` (unix(7), `ETOOMANYREFS`).
  static let limit = 1024
  package init() {}

  func hasRoom(for files: Int) -> Bool { count + files <= PassedFiles.limit }

  /// Files go into a queue: each counts as open until it is received.
  func queue(_ files: [OpenFile]) {
    for file in files { file.retainDescriptor() }
    count += files.count
  }

  /// Files left a queue; they still count as open until they are dropped.
  func dequeue(_ files: Int) { count -= files }

  /// Gives up what files that were received counted for, after those that were wanted got descriptors.
  package static func drop(_ files: [OpenFile]) {
    for file in files { FileTable.letGo(file) }
  }
}
