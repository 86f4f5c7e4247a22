// Datagrams: where they go, what is known of them, and what becomes of those that nobody takes.

#include "inet.h"

#include <linux/errqueue.h>

static char buffer[1 << 17];
static const int families[] = {AF_INET, AF_INET6};

void udp_basics(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    union address address, source;
    const int receiver = bound(family, SOCK_DGRAM, -1, &address);
    const int sender = socket(family, SOCK_DGRAM, 0);
    socklen_t size = sizeof source;
    CHECK(getsockname(sender, &source.any, &size) == 0);
    show_address("fresh", &source);
    show_ok("no peer", getpeername(sender, &source.any, &size));
    show_events("fresh", sender, 0);
    show("no destination", send(sender, "a", 1, 0));
    show("sendto", sendto(sender, "hello", 5, 0, &address.any, size_of(&address)));
    size = sizeof source;
    CHECK(getsockname(sender, &source.any, &size) == 0);
    show_address("sender", &source);
    show_events("readable", receiver, POLLIN);
    int count;
    show_ok("FIONREAD", ioctl(receiver, FIONREAD, &count));
    printf("%d\n", count);
    size = sizeof source;
    show("peek", recvfrom(receiver, buffer, 2, MSG_PEEK, &source.any, &size));
    show("length", recvfrom(receiver, buffer, 2, MSG_PEEK | MSG_TRUNC, &source.any, &size));
    struct iovec part = {buffer, 3};
    struct msghdr message = {.msg_name = &source, .msg_namelen = sizeof source, .msg_iov = &part, .msg_iovlen = 1};
    show("recvmsg", recvmsg(receiver, &message, 0));
    printf("flags %#x, name %u\n", message.msg_flags, message.msg_namelen);
    show_address("from", &source);
    show("none", recv(receiver, buffer, 9, MSG_DONTWAIT));
    show("empty", sendto(sender, "", 0, 0, &address.any, size_of(&address)));
    show("empty", recv(receiver, buffer, 9, 0));
    static const int counts[] = {65507, 65508, 65527, 65528, 65535, 65536, 100000};
    for (unsigned n = 0; n < sizeof counts / sizeof *counts; n++) {
      printf("%d ", counts[n]);
      show("large", sendto(sender, buffer, (size_t)counts[n], 0, &address.any, size_of(&address)));
      show("taken", recv(receiver, buffer, sizeof buffer, MSG_DONTWAIT));
    }
    union address nowhere = loopback(family, 0);
    show("port 0", sendto(sender, "a", 1, 0, &nowhere.any, size_of(&nowhere)));
    show("short", sendto(sender, "a", 1, 0, &address.any, 9));
    show("urgent", sendto(sender, "a", 1, MSG_OOB, &address.any, size_of(&address)));
    show("urgent read", recv(receiver, buffer, 1, MSG_OOB | MSG_DONTWAIT));
    union address strange = address;
    strange.any.sa_family = AF_UNIX;
    show("family", sendto(sender, "a", 1, 0, &strange.any, size_of(&address)));
    show_ok("listen", listen(receiver, 1));
    show_ok("accept", accept(receiver, NULL, NULL));
    show_ok("shutdown", shutdown(receiver, SHUT_RD));
    show_events("shut", receiver, 0);
    show("recv", recv(receiver, buffer, 9, 0));
    union address broadcast = address_of(AF_INET, "127.255.255.255", port_of(&address));
    if (family == AF_INET) {
      show("broadcast", sendto(sender, "b", 1, 0, &broadcast.any, size_of(&broadcast)));
      CHECK(set_option(sender, SOL_SOCKET, SO_BROADCAST, 1) == 0);
      show("broadcast allowed", sendto(sender, "b", 1, 0, &broadcast.any, size_of(&broadcast)));
    }
    close(sender);
    close(receiver);
  }
}

void udp_connected(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    union address one, two, name, none;
    memset(&none, 0, sizeof none);
    const int a = bound(family, SOCK_DGRAM, -1, &one), b = bound(family, SOCK_DGRAM, -1, &two);
    const int c = socket(family, SOCK_DGRAM, 0);
    show_ok("connect", connect(c, &one.any, size_of(&one)));
    socklen_t size = sizeof name;
    CHECK(getsockname(c, &name.any, &size) == 0);
    show_address("own", &name);
    union address own = name;
    CHECK(getpeername(c, &name.any, &size) == 0);
    show_address("peer", &name);
    show("send", send(c, "abc", 3, 0));
    show("there", recv(a, buffer, 9, 0));
    show("elsewhere", sendto(c, "d", 1, 0, &two.any, size_of(&two)));
    show("there", recv(b, buffer, 9, 0));
    show("stranger", sendto(b, "e", 1, 0, &own.any, size_of(&own)));
    settle();
    show("not heard", recv(c, buffer, 9, MSG_DONTWAIT));
    show("peer", sendto(a, "f", 1, 0, &own.any, size_of(&own)));
    show("heard", recv(c, buffer, 9, 0));
    show_ok("connect elsewhere", connect(c, &two.any, size_of(&two)));
    show("send", send(c, "g", 1, 0));
    show("there", recv(b, buffer, 9, 0));
    show_ok("shutdown", shutdown(c, SHUT_WR));
    show("send", send(c, "h", 1, 0));
    show_ok("dissolve", connect(c, &none.any, sizeof none.any));
    size = sizeof name;
    CHECK(getsockname(c, &name.any, &size) == 0);
    show_address("own", &name);
    show_ok("peer", getpeername(c, &name.any, &size));
    show("send", send(c, "i", 1, 0));
    close(a);
    close(b);
    close(c);
    // What a connected socket is sent goes to it, before those that are not connected.
    union address shared = loopback(family, 0);
    const int general = socket(family, SOCK_DGRAM, 0), special = socket(family, SOCK_DGRAM, 0);
    CHECK(set_option(general, SOL_SOCKET, SO_REUSEADDR, 1) == 0 && set_option(special, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    CHECK(bind(general, &shared.any, size_of(&shared)) == 0);
    size = sizeof shared;
    CHECK(getsockname(general, &shared.any, &size) == 0);
    CHECK(bind(special, &shared.any, size_of(&shared)) == 0);
    const int client = bound(family, SOCK_DGRAM, -1, &one), other = bound(family, SOCK_DGRAM, -1, &two);
    CHECK(connect(special, &one.any, size_of(&one)) == 0);
    CHECK(sendto(client, "12", 2, 0, &shared.any, size_of(&shared)) == 2);
    CHECK(sendto(other, "345", 3, 0, &shared.any, size_of(&shared)) == 3);
    settle();
    show("special", recv(special, buffer, 9, MSG_DONTWAIT));
    show("general", recv(general, buffer, 9, MSG_DONTWAIT));
    close(general);
    close(special);
    close(client);
    close(other);
  }
}

static void show_queued_error(int fd) {
  char control[256];
  union address name;
  struct iovec part = {buffer, 64};
  struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1,
                           .msg_control = control, .msg_controllen = sizeof control};
  show("error queue", recvmsg(fd, &message, MSG_ERRQUEUE));
  printf("flags %#x\n", message.msg_flags);
  show_address("sent to", &name);
  for (struct cmsghdr *entry = CMSG_FIRSTHDR(&message); entry; entry = CMSG_NXTHDR(&message, entry)) {
    struct sock_extended_err error;
    memcpy(&error, CMSG_DATA(entry), sizeof error);
    printf("level %d, type %d, length %zu: errno %s, origin %d, type %d, code %d, info %u, data %u\n", entry->cmsg_level,
        entry->cmsg_type, (size_t)entry->cmsg_len, strerrorname_np((int)error.ee_errno), error.ee_origin, error.ee_type,
        error.ee_code, error.ee_info, error.ee_data);
    union address offender;
    memcpy(&offender, CMSG_DATA(entry) + sizeof error, entry->cmsg_len - CMSG_LEN(sizeof error));
    show_address("noticed by", &offender);
  }
}

void udp_errors(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    union address gone;
    close(bound(family, SOCK_DGRAM, -1, &gone));
    const int fd = socket(family, SOCK_DGRAM, 0);
    show("unconnected", sendto(fd, "a", 1, 0, &gone.any, size_of(&gone)));
    settle();
    show_error("no error", fd);
    CHECK(connect(fd, &gone.any, size_of(&gone)) == 0);
    show("connected", send(fd, "a", 1, 0));
    show_events("refused", fd, POLLERR);
    show("recv", recv(fd, buffer, 9, MSG_DONTWAIT));
    show("once", recv(fd, buffer, 9, MSG_DONTWAIT));
    show("send", send(fd, "a", 1, 0));
    settle();
    show("next send", send(fd, "a", 1, 0));
    show("next send", send(fd, "a", 1, 0));
    settle();
    show_error("error", fd);
    show_error("once", fd);
    show("no queue", recv(fd, buffer, 9, MSG_ERRQUEUE | MSG_DONTWAIT));
    close(fd);
    const int wants = socket(family, SOCK_DGRAM, 0);
    const int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    CHECK(set_option(wants, level, family == AF_INET ? IP_RECVERR : IPV6_RECVERR, 1) == 0);
    show("unconnected", sendto(wants, "abcd", 4, 0, &gone.any, size_of(&gone)));
    show("another", sendto(wants, "ef", 2, 0, &gone.any, size_of(&gone)));
    show_events("told", wants, POLLERR);
    show_queued_error(wants);
    show_events("one left or none", wants, 0);
    while (recv(wants, buffer, 9, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {}
    show_error("error", wants);
    show_events("told all", wants, 0);
    close(wants);
  }
}

void udp_overflow(void) {
  union address address;
  const int receiver = bound(AF_INET, SOCK_DGRAM, -1, &address);
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(set_option(receiver, SOL_SOCKET, SO_RCVBUF, 8192) == 0);
  int sent = 0;
  for (int i = 0; i < 500; i++) sent += sendto(sender, buffer, 500, 0, &address.any, size_of(&address)) == 500;
  settle();
  int taken = 0;
  while (recv(receiver, buffer, 1000, MSG_DONTWAIT) == 500) taken++;
  printf("sent %d, some came: %d, some were lost: %d\n", sent, taken > 0, taken < 500);
}

/// Sends with control entries, and prints those that come with the datagram.
static void show_control(int fd) {
  char control[512];
  union address name;
  struct iovec part = {buffer, 64};
  struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &part, .msg_iovlen = 1,
                           .msg_control = control, .msg_controllen = sizeof control};
  show("recvmsg", recvmsg(fd, &message, 0));
  for (struct cmsghdr *entry = CMSG_FIRSTHDR(&message); entry; entry = CMSG_NXTHDR(&message, entry)) {
    printf("  level %d, type %d, length %zu", entry->cmsg_level, entry->cmsg_type, (size_t)entry->cmsg_len);
    if (entry->cmsg_level != SOL_SOCKET && entry->cmsg_type != IP_ORIGDSTADDR)
      for (size_t i = 0; i < entry->cmsg_len - CMSG_LEN(0); i++) printf(" %02x", CMSG_DATA(entry)[i]);
    printf("\n");
  }
}

void udp_information(void) {
  union address address;
  int receiver = bound(AF_INET, SOCK_DGRAM, -1, &address);
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  static const int wanted[] = {IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR};
  for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
    CHECK(set_option(receiver, IPPROTO_IP, wanted[i], 1) == 0);
  CHECK(set_option(receiver, SOL_SOCKET, SO_TIMESTAMP, 1) == 0);
  CHECK(sendto(sender, "a", 1, 0, &address.any, size_of(&address)) == 1);
  show_control(receiver);
  CHECK(set_option(sender, IPPROTO_IP, IP_TTL, 9) == 0 && set_option(sender, IPPROTO_IP, IP_TOS, 0x10) == 0);
  CHECK(sendto(sender, "a", 1, 0, &address.any, size_of(&address)) == 1);
  show_control(receiver);
  struct iovec part = {"bc", 2};
  struct {
    size_t length;
    int level, type, value, padding;
  } ttl = {CMSG_LEN(4), IPPROTO_IP, IP_TTL, 77, 0};
  struct msghdr message = {.msg_name = &address, .msg_namelen = size_of(&address), .msg_iov = &part, .msg_iovlen = 1,
                           .msg_control = &ttl, .msg_controllen = CMSG_SPACE(4)};
  show("with ttl", sendmsg(sender, &message, 0));
  show_control(receiver);
  ttl.value = 0;
  show("with ttl 0", sendmsg(sender, &message, 0));
  ttl.type = 77;
  show("unknown", sendmsg(sender, &message, 0));
  struct {
    size_t length;
    int level, type;
    struct in_pktinfo info;
    int padding;
  } source = {CMSG_LEN(sizeof(struct in_pktinfo)), IPPROTO_IP, IP_PKTINFO, {0}, 0};
  source.info.ipi_spec_dst.s_addr = htonl(0x7f000009);
  message.msg_control = &source;
  message.msg_controllen = CMSG_SPACE(sizeof(struct in_pktinfo));
  show("from 127.0.0.9", sendmsg(sender, &message, 0));
  union address name;
  socklen_t size = sizeof name;
  show("recvfrom", recvfrom(receiver, buffer, 9, 0, &name.any, &size));
  show_address("from", &name);
  close(receiver);

  receiver = bound(AF_INET6, SOCK_DGRAM, -1, &address);
  const int six = socket(AF_INET6, SOCK_DGRAM, 0);
  static const int wanted6[] = {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS};
  for (unsigned i = 0; i < sizeof wanted6 / sizeof *wanted6; i++)
    CHECK(set_option(receiver, IPPROTO_IPV6, wanted6[i], 1) == 0);
  CHECK(set_option(receiver, SOL_SOCKET, SO_TIMESTAMPNS, 1) == 0);
  CHECK(set_option(six, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5) == 0 && set_option(six, IPPROTO_IPV6, IPV6_TCLASS, 0x20) == 0);
  CHECK(sendto(six, "a", 1, 0, &address.any, size_of(&address)) == 1);
  show_control(receiver);
  close(receiver);

  // Only what a version 4 datagram has.
  receiver = socket(AF_INET6, SOCK_DGRAM, 0);
  union address any = any_address(AF_INET6, 0);
  CHECK(bind(receiver, &any.any, size_of(&any)) == 0);
  size = sizeof any;
  CHECK(getsockname(receiver, &any.any, &size) == 0);
  for (unsigned i = 0; i < sizeof wanted6 / sizeof *wanted6; i++)
    CHECK(set_option(receiver, IPPROTO_IPV6, wanted6[i], 1) == 0);
  CHECK(set_option(receiver, IPPROTO_IP, IP_RECVTTL, 1) == 0);
  union address four = loopback(AF_INET, port_of(&any));
  CHECK(sendto(sender, "a", 1, 0, &four.any, size_of(&four)) == 1);
  show_control(receiver);
}

void udp_multicast(void) {
  union address group = address_of(AF_INET, "239.1.2.3", 0), any = any_address(AF_INET, 0);
  int members[2];
  socklen_t size = sizeof any;
  for (int i = 0; i < 2; i++) {
    members[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(set_option(members[i], SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    CHECK(bind(members[i], &any.any, size_of(&any)) == 0);
    CHECK(getsockname(members[i], &any.any, &size) == 0);
  }
  group.inet.sin_port = any.inet.sin_port;
  const struct ip_mreq request = {group.inet.sin_addr, {htonl(INADDR_LOOPBACK)}};
  show_ok("join", setsockopt(members[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request));
  show_ok("join twice", setsockopt(members[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request));
  show_ok("short", setsockopt(members[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, 4));
  const struct ip_mreq wrong = {{htonl(0x7f000001)}, {htonl(INADDR_LOOPBACK)}};
  show_ok("no group", setsockopt(members[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &wrong, sizeof wrong));
  show_ok("not a member", setsockopt(members[1], IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request));
  CHECK(set_option(members[1], IPPROTO_IP, IP_MULTICAST_ALL, 0) == 0);
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  const struct in_addr interface = {htonl(INADDR_LOOPBACK)};
  show_ok("interface", setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface));
  show_option("interface", sender, IPPROTO_IP, IP_MULTICAST_IF);
  show("send", sendto(sender, "one", 3, 0, &group.any, size_of(&group)));
  settle();
  show("member", recv(members[0], buffer, 9, 0));
  show("not a member", recv(members[1], buffer, 9, 0));
  show_ok("join", setsockopt(members[1], IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request));
  show("send", sendto(sender, "two", 3, 0, &group.any, size_of(&group)));
  settle();
  union address name;
  size = sizeof name;
  show("member", recvfrom(members[0], buffer, 9, 0, &name.any, &size));
  show_address("from", &name);
  show("other member", recv(members[1], buffer, 9, 0));
  CHECK(set_option(sender, IPPROTO_IP, IP_MULTICAST_LOOP, 0) == 0);
  show_ok("leave", setsockopt(members[0], IPPROTO_IP, IP_DROP_MEMBERSHIP, &request, sizeof request));
  CHECK(set_option(members[0], IPPROTO_IP, IP_MULTICAST_ALL, 0) == 0);
  CHECK(set_option(sender, IPPROTO_IP, IP_MULTICAST_LOOP, 1) == 0);
  show("send", sendto(sender, "three", 5, 0, &group.any, size_of(&group)));
  settle();
  show("left", recv(members[0], buffer, 9, 0));
  show("stayed", recv(members[1], buffer, 9, 0));
  const struct group_req by_index = {1, {.ss_family = AF_INET}};
  struct group_req join = by_index;
  memcpy(&join.gr_group, &group, sizeof group.inet);
  show_ok("MCAST_JOIN_GROUP", setsockopt(members[0], IPPROTO_IP, MCAST_JOIN_GROUP, &join, sizeof join));
  show_ok("MCAST_LEAVE_GROUP", setsockopt(members[0], IPPROTO_IP, MCAST_LEAVE_GROUP, &join, sizeof join));
  const int stream = socket(AF_INET, SOCK_STREAM, 0);
  show_ok("stream", setsockopt(stream, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request));
  union address group6 = address_of(AF_INET6, "ff01::77", 0);
  const int six = socket(AF_INET6, SOCK_DGRAM, 0);
  struct ipv6_mreq request6 = {group6.inet6.sin6_addr, 1};
  show_ok("join", setsockopt(six, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request6, sizeof request6));
  show_ok("join twice", setsockopt(six, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request6, sizeof request6));
  show_ok("leave", setsockopt(six, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &request6, sizeof request6));
  show_ok("leave twice", setsockopt(six, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &request6, sizeof request6));
}

void udp_corking(void) {
  union address address;
  const int receiver = bound(AF_INET, SOCK_DGRAM, -1, &address);
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  CHECK(connect(sender, &address.any, size_of(&address)) == 0);
  show("more", send(sender, "ab", 2, MSG_MORE));
  settle();
  show("nothing yet", recv(receiver, buffer, 9, MSG_DONTWAIT));
  show("rest", send(sender, "cd", 2, 0));
  show("one datagram", recv(receiver, buffer, 9, 0));
  CHECK(set_option(sender, IPPROTO_UDP, UDP_CORK, 1) == 0);
  show("corked", send(sender, "12", 2, 0));
  show("corked", send(sender, "345", 3, 0));
  settle();
  show("nothing yet", recv(receiver, buffer, 9, MSG_DONTWAIT));
  CHECK(set_option(sender, IPPROTO_UDP, UDP_CORK, 0) == 0);
  show("one datagram", recv(receiver, buffer, 9, 0));
  show_ok("segments", set_option(sender, IPPROTO_UDP, UDP_SEGMENT, 4));
  show("cut", send(sender, "aaaabbbbcc", 10, 0));
  settle();
  for (int i = 0; i < 4; i++) show("piece", recv(receiver, buffer, 9, MSG_DONTWAIT));
  show_option("segment", sender, IPPROTO_UDP, UDP_SEGMENT);
  show_ok("too large", set_option(sender, IPPROTO_UDP, UDP_SEGMENT, 70000));
  show_ok("UDP_GRO", set_option(receiver, IPPROTO_UDP, UDP_GRO, 1));
  show_ok("unknown", set_option(receiver, IPPROTO_UDP, 99, 1));
}
