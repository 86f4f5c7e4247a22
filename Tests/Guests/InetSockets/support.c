#include "inet.h"

union address address_of(int family, const char *text, int port) {
  union address address;
  memset(&address, 0, sizeof address);
  if (family == AF_INET) {
    address.inet.sin_family = AF_INET;
    address.inet.sin_port = htons((uint16_t)port);
    CHECK(inet_pton(AF_INET, text, &address.inet.sin_addr) == 1);
  } else {
    address.inet6.sin6_family = AF_INET6;
    address.inet6.sin6_port = htons((uint16_t)port);
    CHECK(inet_pton(AF_INET6, text, &address.inet6.sin6_addr) == 1);
  }
  return address;
}

union address loopback(int family, int port) {
  return address_of(family, family == AF_INET ? "127.0.0.1" : "::1", port);
}

union address any_address(int family, int port) {
  return address_of(family, family == AF_INET ? "0.0.0.0" : "::", port);
}

socklen_t size_of(const union address *address) {
  return address->any.sa_family == AF_INET ? sizeof address->inet : sizeof address->inet6;
}

int port_of(const union address *address) {
  return ntohs(address->any.sa_family == AF_INET ? address->inet.sin_port : address->inet6.sin6_port);
}

int bound(int family, int type, int backlog, union address *address) {
  const int fd = socket(family, type, 0);
  CHECK(fd >= 0);
  *address = loopback(family, 0);
  CHECK(bind(fd, &address->any, size_of(address)) == 0);
  socklen_t size = sizeof *address;
  CHECK(getsockname(fd, &address->any, &size) == 0);
  if (type == SOCK_STREAM && backlog >= 0) CHECK(listen(fd, backlog) == 0);
  return fd;
}

void connected_pair(int family, int ends[2]) {
  union address address;
  const int listener = bound(family, SOCK_STREAM, 1, &address);
  ends[0] = socket(family, SOCK_STREAM, 0);
  CHECK(connect(ends[0], &address.any, size_of(&address)) == 0);
  ends[1] = accept(listener, NULL, NULL);
  CHECK(ends[1] >= 0);
  close(listener);
}

void show(const char *what, long result) {
  if (result < 0)
    guest_result(what, result);
  else
    printf("%s: %ld\n", what, result);
}

void show_ok(const char *what, long result) { guest_result(what, result); }

void show_address(const char *what, const union address *address) {
  char text[INET6_ADDRSTRLEN];
  const void *bytes = address->any.sa_family == AF_INET ? (const void *)&address->inet.sin_addr
                                                         : (const void *)&address->inet6.sin6_addr;
  CHECK(inet_ntop(address->any.sa_family, bytes, text, sizeof text) != NULL);
  printf("%s: %s %s\n", what, text, port_of(address) ? "with a port" : "without a port");
}

void show_events(const char *what, int fd, short wanted) {
  const short all = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM | POLLRDHUP;
  struct pollfd entry = {fd, wanted, 0};
  if (wanted) CHECK(poll(&entry, 1, 1000) >= 0);
  settle();
  entry.events = all;
  CHECK(poll(&entry, 1, 0) >= 0);
  printf("%s:", what);
  static const struct {
    short event;
    const char *name;
  } names[] = {{POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"},
               {POLLRDNORM, "RDNORM"}, {POLLWRNORM, "WRNORM"}, {POLLRDHUP, "RDHUP"}};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (entry.revents & names[i].event) printf(" %s", names[i].name);
  printf("\n");
}

void show_error(const char *what, int fd) {
  int error = -1;
  socklen_t size = sizeof error;
  CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0);
  printf("%s: %s\n", what, error ? strerrorname_np(error) : "no error");
}

void show_option(const char *what, int fd, int level, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(fd, level, option, &value, &size) < 0)
    guest_result(what, -1);
  else
    printf("%s: %d of %u\n", what, value, size);
}

int set_option(int fd, int level, int option, int value) { return setsockopt(fd, level, option, &value, sizeof value); }

void settle(void) { guest_sleep_ms(3); }
