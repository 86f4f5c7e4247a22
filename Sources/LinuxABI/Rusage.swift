/// `struct timeval` (gettimeofday(2)).
package struct Timeval: BitwiseCopyable, Sendable {
  package var seconds: Int64 = 0
  package var microseconds: Int64 = 0
  package init() {}
  package init(_ duration: Nanoseconds) {
    seconds = Int64(duration.rawValue / 1_000_000_000)
    microseconds = Int64(duration.rawValue % 1_000_000_000 / 1000)
  }
}

/// `struct rusage` of getrusage(2).
package struct Rusage: BitwiseCopyable, Sendable {
  package var userTime = Timeval()
  package var systemTime = Timeval()
  /// Kilobytes.
  package var maximumResident: Int64 = 0
  package var sharedResident: Int64 = 0
  package var dataResident: Int64 = 0
  package var stackResident: Int64 = 0
  package var minorFaults: Int64 = 0
  package var majorFaults: Int64 = 0
  package var swaps: Int64 = 0
  package var blocksIn: Int64 = 0
  package var blocksOut: Int64 = 0
  package var messagesSent: Int64 = 0
  package var messagesReceived: Int64 = 0
  package var signals: Int64 = 0
  package var voluntarySwitches: Int64 = 0
  package var involuntarySwitches: Int64 = 0
  package init() {}
}
