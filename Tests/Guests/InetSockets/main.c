// Sockets of the Internet families over the loopback interface: what calls return and what poll(2) tells, in every state
// that two ends can get each other into.

#include "inet.h"

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  static const struct guest_case cases[] = {
      {"tcp basics", tcp_basics},
      {"tcp names", tcp_names},
      {"tcp refused", tcp_refused},
      {"tcp nonblocking", tcp_nonblocking},
      {"tcp states", tcp_states},
      {"tcp shutdowns", tcp_shutdowns},
      {"tcp resets", tcp_resets},
      {"tcp listener end", tcp_listener_end},
      {"tcp backlog", tcp_backlog},
      {"tcp self", tcp_self},
      {"tcp disconnect", tcp_disconnect},
      {"tcp flags", tcp_flags},
      {"tcp urgent", tcp_urgent},
      {"tcp pressure", tcp_pressure},
      {"tcp epoll", tcp_epoll},
      {"tcp options", tcp_options},
      {"tcp signals", tcp_signals},
      {"tcp ten thousand", tcp_ten_thousand},
      {"tcp half open", tcp_half_open},
      {"tcp vanishing peer", tcp_vanishing_peer},
      {"tcp killed with many", tcp_killed_with_many},
      {"tcp slow reader", tcp_slow_reader},
      {"bind conflicts", bind_conflicts},
      {"bind addresses", bind_addresses},
      {"dual stack", dual_stack},
      {"reuse port", reuse_port},
      {"udp basics", udp_basics},
      {"udp connected", udp_connected},
      {"udp errors", udp_errors},
      {"udp overflow", udp_overflow},
      {"udp information", udp_information},
      {"udp multicast", udp_multicast},
      {"udp corking", udp_corking},
      {"ip options", ip_options},
      {"ipv6 options", ipv6_options},
      {"socket types", socket_types},
      {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
