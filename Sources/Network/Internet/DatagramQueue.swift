import DequeModule
import FileSystem
import LinuxABI
import Memory

/// What is known of a datagram beside its bytes.
package struct DatagramHeader {
  /// Bytes that it has.
  package var count = 0
  package var source: SocketEndpoint
  package var destination: SocketEndpoint
  /// CLOCK_REALTIME of its coming.
  package var time = Nanoseconds.zero
  package var timeToLive: UInt8 = 64
  package var typeOfService: UInt8 = 0
  /// The interface that it came by.
  package var interface = NetworkInterface.Kind.loopback.rawValue

  package init(from source: SocketEndpoint, to destination: SocketEndpoint) {
    self.source = source
    self.destination = destination
  }
}

/// The datagrams that wait in a socket. Their bytes lie one after the other, so a short one costs no allocation.
struct DatagramQueue {
  private var headers = Deque<DatagramHeader>()
  private var bytes: StreamBuffer
  /// What each counts for against `SO_RCVBUF` beside its bytes, as Linux's buffers do.
  private static let overhead = 768

  init(_ pool: ChunkPool) { bytes = StreamBuffer(pool) }

  var isEmpty: Bool { headers.isEmpty }
  var count: Int { headers.count }
  var first: DatagramHeader? { headers.first }
  /// What waits, as it counts against `SO_RCVBUF`.
  var size: Int { bytes.count + headers.count * DatagramQueue.overhead }

  func hasRoom(for count: Int, limit: Int) -> Bool {
    headers.isEmpty || size + count + DatagramQueue.overhead <= limit
  }

  /// Adds a datagram of `count` bytes; false where there is no memory for it.
  mutating func append(_ header: DatagramHeader, _ buffer: inout IOBuffer, count: Int) -> Bool {
    var header = header
    header.count = bytes.append(from: &buffer, limit: count)
    guard header.count == count else {
      bytes.removeLast(header.count)
      return false
    }
    headers.append(header)
    return true
  }

  /// Copies out of the first datagram, from an offset on; returns how much.
  func peek(_ offset: Int, into buffer: inout IOBuffer) -> Int {
    guard let first = headers.first else { return 0 }
    return bytes.copy(from: offset, into: &buffer, limit: max(first.count - offset, 0))
  }

  /// Takes out the first datagram; what does not fit is lost. Returns how much of it was copied.
  mutating func take(into buffer: inout IOBuffer) -> Int {
    guard let first = headers.popFirst() else { return 0 }
    let count = bytes.take(into: &buffer, limit: first.count)
    bytes.drop(first.count - count)
    return count
  }

  mutating func removeAll() {
    headers = []
    bytes.removeAll()
  }
}
