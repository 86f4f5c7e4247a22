// Options of tcp(7), ip(7) and ipv6(7): what they are at first, what they may be, and what becomes of other values.

#include "inet.h"

struct option {
  const char *name;
  int number;
  int values[6];
};

/// Prints each option at first, then sets it to each of its values and prints it again.
static void try_options(int fd, int level, const struct option *options) {
  for (; options->name; options++) {
    show_option(options->name, fd, level, options->number);
    for (int i = 0; i < 6 && options->values[i] != -77; i++) {
      printf("  %d: ", options->values[i]);
      show_ok("set", set_option(fd, level, options->number, options->values[i]));
      printf("  ");
      show_option("now", fd, level, options->number);
    }
  }
}

#define END -77

void tcp_options(void) {
  static const struct option options[] = {
      {"TCP_NODELAY", TCP_NODELAY, {1, 0, 5, END}},
      {"TCP_MAXSEG", TCP_MAXSEG, {1000, 0, 87, 40000, END}},
      {"TCP_CORK", TCP_CORK, {1, 0, END}},
      {"TCP_KEEPIDLE", TCP_KEEPIDLE, {10, 0, 32767, 32768, END}},
      {"TCP_KEEPINTVL", TCP_KEEPINTVL, {10, 0, 32768, END}},
      {"TCP_KEEPCNT", TCP_KEEPCNT, {3, 0, 127, 128, END}},
      {"TCP_SYNCNT", TCP_SYNCNT, {2, 0, 128, END}},
      {"TCP_LINGER2", TCP_LINGER2, {5, -5, 0, 100, END}},
      {"TCP_DEFER_ACCEPT", TCP_DEFER_ACCEPT, {1, 3, 4, 30, 0, END}},
      {"TCP_WINDOW_CLAMP", TCP_WINDOW_CLAMP, {5000, 100, 0, END}},
      {"TCP_QUICKACK", TCP_QUICKACK, {0, 1, END}},
      {"TCP_USER_TIMEOUT", TCP_USER_TIMEOUT, {1000, 0, -1, END}},
      {"TCP_NOTSENT_LOWAT", TCP_NOTSENT_LOWAT, {1000, 0, END}},
      {"TCP_INQ", TCP_INQ, {1, 0, 2, END}},
      {"TCP_SAVE_SYN", TCP_SAVE_SYN, {1, 0, 3, END}},
      {"TCP_THIN_LINEAR_TIMEOUTS", TCP_THIN_LINEAR_TIMEOUTS, {1, 2, END}},
      {"TCP_THIN_DUPACK", TCP_THIN_DUPACK, {1, 2, END}},
      {"TCP_REPAIR_QUEUE", TCP_REPAIR_QUEUE, {END}},
      {"unknown", 99, {1, END}},
      {NULL, 0, {0}},
  };
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  try_options(fd, IPPROTO_TCP, options);
  show_option("SO_SNDBUF", fd, SOL_SOCKET, SO_SNDBUF);
  show_option("SO_RCVBUF", fd, SOL_SOCKET, SO_RCVBUF);
  show_ok("short", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, "x", 1));
  show_ok("level", set_option(fd, 99, 1, 1));
  show_ok("level of udp", set_option(fd, IPPROTO_UDP, 1, 1));
  show_ok("no algorithm", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8));
  show_ok("reno", setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
  char name[20] = "";
  socklen_t size = sizeof name;
  show_ok("name", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
  printf("%s, %u\n", name, size);
  char part[2];
  size = 2;
  show_ok("part", getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, part, &size));
  printf("%.2s, %u\n", part, size);
  show_ok("ulp", setsockopt(fd, IPPROTO_TCP, TCP_ULP, "nothing", 7));
  close(fd);
  // What an accepted connection has of its listener.
  union address address;
  const int listener = bound(AF_INET, SOCK_STREAM, -1, &address);
  CHECK(set_option(listener, IPPROTO_TCP, TCP_NODELAY, 1) == 0 && set_option(listener, IPPROTO_TCP, TCP_KEEPIDLE, 33) == 0);
  CHECK(set_option(listener, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 && set_option(listener, SOL_SOCKET, SO_RCVBUF, 9000) == 0);
  CHECK(listen(listener, 7) == 0);
  struct tcp_info info;
  size = sizeof info;
  CHECK(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  printf("listener: state %d, backlog %u, waiting %u\n", info.tcpi_state, info.tcpi_sacked, info.tcpi_unacked);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  size = sizeof info;
  CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  printf("fresh: state %d\n", info.tcpi_state);
  CHECK(connect(fd, &address.any, size_of(&address)) == 0);
  size = sizeof info;
  CHECK(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  printf("listener: waiting %u\n", info.tcpi_unacked);
  const int accepted = accept(listener, NULL, NULL);
  size = sizeof info;
  CHECK(getsockopt(accepted, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  printf("accepted: state %d\n", info.tcpi_state);
  show_option("TCP_NODELAY", accepted, IPPROTO_TCP, TCP_NODELAY);
  show_option("TCP_KEEPIDLE", accepted, IPPROTO_TCP, TCP_KEEPIDLE);
  show_option("SO_KEEPALIVE", accepted, SOL_SOCKET, SO_KEEPALIVE);
  show_option("SO_RCVBUF", accepted, SOL_SOCKET, SO_RCVBUF);
  show_option("SO_REUSEADDR", accepted, SOL_SOCKET, SO_REUSEADDR);
  shutdown(fd, SHUT_WR);
  settle();
  CHECK(getsockopt(accepted, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  printf("half closed: state %d\n", info.tcpi_state);
  CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  printf("who half closed: %d\n", info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2);
  // A connection that is accepted when it has sent something.
  CHECK(set_option(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30) == 0);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  const int shy = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(shy, &address.any, size_of(&address)) == 0);
  settle();
  show_ok("deferred", accept(listener, NULL, NULL));
  CHECK(write(shy, "hello", 5) == 5);
  settle();
  show_ok("accepted", accept(listener, NULL, NULL));
  // Data with the first packet.
  const int quick = socket(AF_INET, SOCK_STREAM, 0);
  show("MSG_FASTOPEN", sendto(quick, "quick", 5, MSG_FASTOPEN, &address.any, size_of(&address)));
  settle();
  show_ok("accepted", accept(listener, NULL, NULL));
}

void ip_options(void) {
  static const struct option options[] = {
      {"IP_TOS", IP_TOS, {0x10, 0xff, 0x103, 0, END}},
      {"IP_TTL", IP_TTL, {1, 255, 0, 256, -1, END}},
      {"IP_PKTINFO", IP_PKTINFO, {1, 7, 0, END}},
      {"IP_MTU_DISCOVER", IP_MTU_DISCOVER, {2, 5, 6, -1, END}},
      {"IP_RECVERR", IP_RECVERR, {1, 0, END}},
      {"IP_RECVTTL", IP_RECVTTL, {1, END}},
      {"IP_RECVTOS", IP_RECVTOS, {1, END}},
      {"IP_FREEBIND", IP_FREEBIND, {1, END}},
      {"IP_MINTTL", IP_MINTTL, {5, 256, 0, END}},
      {"IP_HDRINCL", IP_HDRINCL, {1, END}},
      {"IP_MULTICAST_TTL", IP_MULTICAST_TTL, {0, 255, 256, -1, END}},
      {"IP_MULTICAST_LOOP", IP_MULTICAST_LOOP, {0, 1, END}},
      {"IP_MULTICAST_ALL", IP_MULTICAST_ALL, {0, 1, 2, END}},
      {"IP_BIND_ADDRESS_NO_PORT", IP_BIND_ADDRESS_NO_PORT, {1, END}},
      {"IP_MTU", IP_MTU, {END}},
      {NULL, 0, {0}},
  };
  for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
    printf("-- type %d\n", type);
    const int fd = socket(AF_INET, type, 0);
    try_options(fd, IPPROTO_IP, options);
    const unsigned char byte = 33;
    show_ok("a byte", setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 1));
    show_option("IP_TTL", fd, IPPROTO_IP, IP_TTL);
    show_ok("nothing", setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 0));
    show_ok("of version 6", set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    show_option("of version 6", fd, IPPROTO_IPV6, IPV6_V6ONLY);
  }
}

void ipv6_options(void) {
  static const struct option options[] = {
      {"IPV6_V6ONLY", IPV6_V6ONLY, {1, 0, END}},
      {"IPV6_UNICAST_HOPS", IPV6_UNICAST_HOPS, {5, 0, 256, -2, -1, END}},
      {"IPV6_MULTICAST_HOPS", IPV6_MULTICAST_HOPS, {5, 256, -1, END}},
      {"IPV6_MULTICAST_LOOP", IPV6_MULTICAST_LOOP, {0, 2, 1, END}},
      {"IPV6_MTU_DISCOVER", IPV6_MTU_DISCOVER, {2, 6, END}},
      {"IPV6_RECVERR", IPV6_RECVERR, {1, 0, END}},
      {"IPV6_RECVPKTINFO", IPV6_RECVPKTINFO, {1, 0, END}},
      {"IPV6_RECVHOPLIMIT", IPV6_RECVHOPLIMIT, {1, END}},
      {"IPV6_RECVTCLASS", IPV6_RECVTCLASS, {1, END}},
      {"IPV6_TCLASS", IPV6_TCLASS, {0x20, 256, -1, END}},
      {"IPV6_DONTFRAG", IPV6_DONTFRAG, {1, END}},
      {"IPV6_MTU", IPV6_MTU, {END}},
      {"IP_TTL", 0, {END}},
      {NULL, 0, {0}},
  };
  for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
    printf("-- type %d\n", type);
    const int fd = socket(AF_INET6, type, 0);
    try_options(fd, IPPROTO_IPV6, options);
    const unsigned char byte = 33;
    show_ok("a byte", setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &byte, 1));
    show_option("IP_TTL", fd, IPPROTO_IP, IP_TTL);
    show_ok("IP_TTL", set_option(fd, IPPROTO_IP, IP_TTL, 7));
    show_option("IP_TTL", fd, IPPROTO_IP, IP_TTL);
  }
}

void socket_types(void) {
  static const int families[] = {AF_INET, AF_INET6};
  for (int i = 0; i < 2; i++) {
    static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_RDM, SOCK_SEQPACKET, 6, 9, 11, 15};
    static const int protocols[] = {0, 6, 17, 1, 58, 99, 263, -1};
    for (unsigned t = 0; t < sizeof types / sizeof *types; t++)
      for (unsigned p = 0; p < sizeof protocols / sizeof *protocols; p++) {
        // Ping sockets are allowed by a setting of the host.
        if (types[t] == SOCK_DGRAM && (protocols[p] == 1 || protocols[p] == 58)) continue;
        printf("%d, %d, ", types[t], protocols[p]);
        const int fd = socket(families[i], types[t], protocols[p]);
        show_ok("socket", fd);
        if (fd >= 0) close(fd);
      }
    int pair[2];
    show_ok("socketpair", socketpair(families[i], SOCK_STREAM, 0, pair));
  }
  show_ok("family out of range", socket(999, SOCK_STREAM, 0));
  show_ok("negative family", socket(-1, SOCK_STREAM, 0));
  show_ok("flag", socket(AF_INET, SOCK_STREAM | 0x100, 0));
}
