/// `struct tcp_info` of tcp(7) and <linux/tcp.h>: what a connection without segments can say of itself.
package struct TCPInformation: Sendable {
  package var state: UInt8 = 0
  /// `tcpi_snd_mss`, `tcpi_rcv_mss`, `tcpi_advmss`.
  package var segment: UInt32 = 0
  /// `tcpi_unacked`; of a listener, connections that wait to be accepted.
  package var unacknowledged: UInt32 = 0
  /// `tcpi_sacked`; of a listener, its backlog.
  package var selectivelyAcknowledged: UInt32 = 0
  package var bytesSent: UInt64 = 0
  package var bytesReceived: UInt64 = 0
  package init() {}

  /// `sizeof(struct tcp_info)` of Linux 6.18.
  private static let size = 256

  /// The structure; fields that nothing is known of are zero.
  package var bytes: [UInt8] {
    var bytes: [UInt8] = [state, 0, 0, 0, 0, 7, 0x77, 0]
    // tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss, tcpi_unacked, tcpi_sacked
    for word in [200_000, 40_000, segment, segment, unacknowledged, selectivelyAcknowledged] {
      bytes += word.littleEndianBytes
    }
    // tcpi_lost … tcpi_last_ack_recv, tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar, tcpi_snd_ssthresh,
    // tcpi_snd_cwnd, tcpi_advmss, tcpi_reordering
    for word: UInt32 in [0, 0, 0, 0, 0, 0, 0, 65535, 65483, 20, 10, 0x7fff_ffff, 10, segment, 3] {
      bytes += word.littleEndianBytes
    }
    bytes += [UInt8](repeating: 0, count: 8)  // tcpi_rcv_rtt, tcpi_rcv_space
    bytes += [UInt8](repeating: 0, count: 4)  // tcpi_total_retrans
    bytes += [UInt8](repeating: 0, count: 16)  // tcpi_pacing_rate, tcpi_max_pacing_rate
    bytes += bytesSent.littleEndianBytes + bytesReceived.littleEndianBytes
    return bytes + [UInt8](repeating: 0, count: TCPInformation.size - bytes.count)
  }
}
