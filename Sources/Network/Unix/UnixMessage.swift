import FileSystem
import LinuxABI

/// What was sent with one call and not received yet; of a stream, a piece of it.
struct UnixMessage {
  let bytes: [UInt8]
  /// Bytes of it that were received.
  var taken = 0
  /// What it counts against its sender's `SO_SNDBUF`, and who that is.
  let price: Int
  let sender: UnixSocket
  /// Who sent it, where that was asked for when it was sent.
  let credentials: SocketCredentials?
  /// Descriptions sent along (`SCM_RIGHTS`); each counts as open until it is received.
  var files: PassedFiles
  /// When it was sent, where the receiver wants to know.
  let time: Nanoseconds?

  /// Bytes of it that were not received.
  var count: Int { bytes.count - taken }
  var rest: ArraySlice<UInt8> { bytes[taken...] }

  /// What a receiver is told where nobody asked who the sender was: the users that have no number.
  static let unknownSender = SocketCredentials(process: .zero, uid: 65534, gid: 65534)

  // MARK: Prices

  // Linux counts the memory that a message takes (`skb->truesize`): programs notice in how many fit.
  private static let page = 4096
  /// `sizeof(struct sk_buff)`, and of what lies behind the bytes.
  private static let head = 256
  private static let tail = 320
  /// `SKB_MAX_HEAD(0)`: bytes that lie in one page with what belongs to them.
  private static let maximumInPage = page - tail
  /// `SKB_MAX_ALLOC`: bytes that lie in one piece.
  private static let maximumInPiece = 4 * page - tail
  /// Bytes that are sent as one piece of a stream: those and 32 KiB in pages.
  static let maximumPiece = maximumInPage + (32 << 10)
  /// `MAX_SKB_FRAGS`.
  private static let maximumPages = 17

  /// The price of `count` bytes of a stream.
  static func price(ofPiece count: Int) -> Int {
    price(count, inPages: min(count, pages(max(count - maximumInPage, 0))))
  }

  /// The price of a message of `count` bytes.
  static func price(ofMessage count: Int) -> Int {
    let rest = max(count - maximumInPiece, 0)
    return price(count, inPages: pages(min(rest, maximumPages * page)))
  }

  private static func price(_ count: Int, inPages paged: Int) -> Int {
    let inPiece = (max(count - paged, 0) + 63) & ~63
    var size = 512
    while size < inPiece + tail { size *= 2 }
    return head + size + pages(paged)
  }

  private static func pages(_ count: Int) -> Int { (count + page - 1) & ~(page - 1) }
}
