// Names and ports: who may have which beside whom.

#include "inet.h"

static const int families[] = {AF_INET, AF_INET6};

/// Binds a socket with options to an address, and listens where that is asked for; prints how both went.
static int try_bind(const char *what, int type, const union address *address, int reuse, int reuse_port, bool listens) {
  const int fd = socket(address->any.sa_family, type, 0);
  CHECK(fd >= 0);
  if (reuse) CHECK(set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
  if (reuse_port) CHECK(set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0);
  printf("%s (%d%d): ", what, reuse, reuse_port);
  show_ok("bind", bind(fd, &address->any, size_of(address)));
  if (listens) show_ok("  listen", listen(fd, 1));
  return fd;
}

void bind_conflicts(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
  for (int t = 0; t < 2; t++)
    for (int options = 0; options < 16; options++) {
      const int type = types[t];
      union address address;
      // The port of a socket that is gone again: nobody else has it for the moment.
      close(bound(AF_INET, type, -1, &address));
      printf("-- type %d\n", type);
      const int first = try_bind("first", type, &address, options & 1, options >> 1 & 1, false);
      close(try_bind("same", type, &address, options >> 2 & 1, options >> 3 & 1, type == SOCK_STREAM));
      union address any = any_address(AF_INET, port_of(&address));
      close(try_bind("any", type, &any, options >> 2 & 1, options >> 3 & 1, false));
      union address other = address_of(AF_INET, "127.0.0.2", port_of(&address));
      close(try_bind("other address", type, &other, options >> 2 & 1, options >> 3 & 1, false));
      union address six = any_address(AF_INET6, port_of(&address));
      close(try_bind("any of version 6", type, &six, options >> 2 & 1, options >> 3 & 1, false));
      union address mapped = address_of(AF_INET6, "::ffff:127.0.0.1", port_of(&address));
      close(try_bind("mapped", type, &mapped, options >> 2 & 1, options >> 3 & 1, false));
      union address own = loopback(AF_INET6, port_of(&address));
      close(try_bind("loopback of version 6", type, &own, options >> 2 & 1, options >> 3 & 1, false));
      if (type == SOCK_STREAM) {
        show_ok("first listens", listen(first, 1));
        close(try_bind("beside a listener", type, &address, options >> 2 & 1, options >> 3 & 1, true));
      }
      close(first);
    }
  // Two that are bound alike cannot both listen.
  union address address;
  close(bound(AF_INET, SOCK_STREAM, -1, &address));
  const int one = try_bind("one", SOCK_STREAM, &address, 1, 0, false);
  const int two = try_bind("two", SOCK_STREAM, &address, 1, 0, false);
  show_ok("one listens", listen(one, 1));
  show_ok("two listens", listen(two, 1));
  close(one);
  show_ok("two listens then", listen(two, 1));
  close(two);
  // The port of a connection that was ended here first.
  const int listener = bound(AF_INET, SOCK_STREAM, 3, &address);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(client, &address.any, size_of(&address)) == 0);
  const int accepted = accept(listener, NULL, NULL);
  close(listener);
  close(try_bind("beside a connection", SOCK_STREAM, &address, 0, 0, true));
  close(accepted);
  close(client);
  settle();
  close(try_bind("after a connection", SOCK_STREAM, &address, 0, 0, true));
  close(try_bind("after a connection, reusing", SOCK_STREAM, &address, 1, 0, true));
}

void bind_addresses(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
      union address address = any_address(family, 0);
      int fd = socket(family, type, 0);
      show_ok("any", bind(fd, &address.any, size_of(&address)));
      show_ok("twice", bind(fd, &address.any, size_of(&address)));
      union address name;
      socklen_t size = sizeof name;
      CHECK(getsockname(fd, &name.any, &size) == 0);
      show_address("name", &name);
      printf("ephemeral: %d\n", port_of(&name) >= 32768 && port_of(&name) <= 60999);
      close(fd);
      fd = socket(family, type, 0);
      address = address_of(family, family == AF_INET ? "192.0.2.77" : "2001:db8::77", 0);
      show_ok("foreign", bind(fd, &address.any, size_of(&address)));
      show_ok("short", bind(fd, &address.any, 9));
      show_ok("negative", bind(fd, &address.any, -1));
      show_ok("long", bind(fd, &address.any, 400));
      address.any.sa_family = AF_UNIX;
      show_ok("family", bind(fd, &address.any, sizeof address.inet6));
      address = loopback(family, 0);
      show_ok("loopback", bind(fd, &address.any, size_of(&address)));
      close(fd);
      fd = socket(family, type, 0);
      address = address_of(family, family == AF_INET ? "127.9.8.7" : "::ffff:127.9.8.7", 0);
      show_ok("other loopback", bind(fd, &address.any, size_of(&address)));
      size = sizeof name;
      CHECK(getsockname(fd, &name.any, &size) == 0);
      show_address("name", &name);
      close(fd);
    }
  }
  // Low ports are for the privileged.
  if (geteuid() == 0) {
    const int status = IN_CHILD({
      CHECK(setuid(1234) == 0);
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      const union address low = loopback(AF_INET, 7);
      show_ok("low port", bind(fd, &low.any, size_of(&low)));
    });
    printf("child: %d\n", status);
  }
}

void dual_stack(void) {
  union address address, name, four;
  socklen_t size = sizeof name;
  const int listener = socket(AF_INET6, SOCK_STREAM, 0);
  show_option("V6ONLY", listener, IPPROTO_IPV6, IPV6_V6ONLY);
  address = any_address(AF_INET6, 0);
  CHECK(bind(listener, &address.any, size_of(&address)) == 0 && listen(listener, 5) == 0);
  CHECK(getsockname(listener, &address.any, &size) == 0);
  show_ok("too late", set_option(listener, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  four = loopback(AF_INET, port_of(&address));
  const int old = socket(AF_INET, SOCK_STREAM, 0);
  show_ok("version 4 connects", connect(old, &four.any, size_of(&four)));
  size = sizeof name;
  const int accepted = accept(listener, &name.any, &size);
  show_address("from", &name);
  CHECK(getsockname(accepted, &name.any, &size) == 0);
  show_address("to", &name);
  CHECK(write(old, "abc", 3) == 3);
  char text[8];
  show("read", read(accepted, text, 8));
  const int mapped = socket(AF_INET6, SOCK_STREAM, 0);
  name = address_of(AF_INET6, "::ffff:127.0.0.1", port_of(&address));
  show_ok("mapped connects", connect(mapped, &name.any, size_of(&name)));
  size = sizeof name;
  CHECK(getsockname(mapped, &name.any, &size) == 0);
  show_address("own", &name);
  const int six = socket(AF_INET6, SOCK_STREAM, 0);
  name = any_address(AF_INET6, port_of(&address));
  show_ok("to any", connect(six, &name.any, size_of(&name)));
  CHECK(getpeername(six, &name.any, &size) == 0);
  show_address("peer", &name);
  const int zero = socket(AF_INET, SOCK_STREAM, 0);
  name = any_address(AF_INET, port_of(&address));
  show_ok("to 0.0.0.0", connect(zero, &name.any, size_of(&name)));
  CHECK(getpeername(zero, &name.any, &size) == 0);
  show_address("peer", &name);
  const int only = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK(set_option(only, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0);
  name = address_of(AF_INET6, "::ffff:127.0.0.1", port_of(&address));
  show_ok("only connects", connect(only, &name.any, size_of(&name)));
  show_ok("only binds mapped", bind(only, &name.any, size_of(&name)));
  // A listener of version 6 alone leaves version 4 to others.
  union address strict = any_address(AF_INET6, 0);
  const int alone = socket(AF_INET6, SOCK_STREAM, 0);
  CHECK(set_option(alone, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0);
  CHECK(bind(alone, &strict.any, size_of(&strict)) == 0 && listen(alone, 5) == 0);
  size = sizeof strict;
  CHECK(getsockname(alone, &strict.any, &size) == 0);
  const int beside = socket(AF_INET, SOCK_STREAM, 0);
  four = any_address(AF_INET, port_of(&strict));
  show_ok("beside", bind(beside, &four.any, size_of(&four)));
  show_ok("beside listens", listen(beside, 1));
  close(beside);
  const int refused = socket(AF_INET, SOCK_STREAM, 0);
  four = loopback(AF_INET, port_of(&strict));
  show_ok("version 4 refused", connect(refused, &four.any, size_of(&four)));
  // Datagrams.
  union address any = any_address(AF_INET6, 0);
  const int receiver = socket(AF_INET6, SOCK_DGRAM, 0);
  CHECK(bind(receiver, &any.any, size_of(&any)) == 0);
  size = sizeof any;
  CHECK(getsockname(receiver, &any.any, &size) == 0);
  const int sender = socket(AF_INET, SOCK_DGRAM, 0);
  four = loopback(AF_INET, port_of(&any));
  show("sendto", sendto(sender, "x", 1, 0, &four.any, size_of(&four)));
  size = sizeof name;
  show("recvfrom", recvfrom(receiver, text, 8, 0, &name.any, &size));
  show_address("from", &name);
  show("back", sendto(receiver, "yz", 2, 0, &name.any, size));
  size = sizeof name;
  show("recvfrom", recvfrom(sender, text, 8, 0, &name.any, &size));
  show_address("from", &name);
  show("plain version 4", sendto(receiver, "w", 1, 0, &four.any, size_of(&four)));
  size = sizeof name;
  show("to itself", recvfrom(receiver, text, 8, 0, &name.any, &size));
  show_address("from", &name);
}

void reuse_port(void) {
  union address address = loopback(AF_INET, 0);
  int listeners[4], counts[4] = {0};
  socklen_t size = sizeof address;
  for (int i = 0; i < 4; i++) {
    listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(set_option(listeners[i], SOL_SOCKET, SO_REUSEPORT, 1) == 0);
    show_ok("bind", bind(listeners[i], &address.any, size_of(&address)));
    CHECK(listen(listeners[i], 400) == 0);
    CHECK(getsockname(listeners[i], &address.any, &size) == 0);
  }
  for (int i = 0; i < 200; i++) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, &address.any, size_of(&address)) == 0);
  }
  settle();
  int total = 0, used = 0;
  for (int i = 0; i < 4; i++) {
    while (accept(listeners[i], NULL, NULL) >= 0) counts[i]++;
    total += counts[i];
    used += counts[i] > 5;
  }
  printf("all: %d, by all: %d\n", total, used == 4);
  union address datagrams = loopback(AF_INET, 0);
  int receivers[2], taken[2] = {0};
  for (int i = 0; i < 2; i++) {
    receivers[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    CHECK(set_option(receivers[i], SOL_SOCKET, SO_REUSEPORT, 1) == 0);
    CHECK(bind(receivers[i], &datagrams.any, size_of(&datagrams)) == 0);
    size = sizeof datagrams;
    CHECK(getsockname(receivers[i], &datagrams.any, &size) == 0);
  }
  for (int i = 0; i < 100; i++) {
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(sendto(fd, "a", 1, 0, &datagrams.any, size_of(&datagrams)) == 1);
    close(fd);
  }
  settle();
  char text[4];
  for (int i = 0; i < 2; i++)
    while (recv(receivers[i], text, 4, 0) > 0) taken[i]++;
  printf("datagrams: %d, by both: %d\n", taken[0] + taken[1], taken[0] > 5 && taken[1] > 5);
}
