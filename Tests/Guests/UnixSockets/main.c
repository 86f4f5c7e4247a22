// UNIX sockets (unix(7)): names, connections, datagrams, what goes with messages, and what becomes of all that.

#define _GNU_SOURCE 1
#include "unix_sockets.h"

#include <sys/stat.h>

void show(const char *what, long result) {
  if (result < 0)
    guest_result(what, result);
  else
    printf("%s: %ld\n", what, result);
}

void show_events(const char *what, int fd) {
  struct pollfd entry = {fd, POLLIN | POLLPRI | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM | POLLWRBAND, 0};
  CHECK(poll(&entry, 1, 0) >= 0);
  printf("%s: %#x\n", what, (unsigned)entry.revents);
}

void show_name(const char *what, const struct sockaddr_un *address, socklen_t size) {
  printf("%s: size %u", what, size);
  if (size >= 2) printf(", family %d, ", address->sun_family);
  for (int i = 0; i < (int)size - 2 && i < (int)sizeof address->sun_path; i++) {
    const char c = address->sun_path[i];
    printf(c >= 32 && c < 127 ? "%c" : "\\%d", c);
  }
  printf("\n");
}

int make(int type) {
  const int fd = socket(AF_UNIX, type, 0);
  CHECK(fd >= 0);
  return fd;
}

socklen_t name(struct sockaddr_un *address, const char *text) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  strcpy(address->sun_path, text);
  if (text[0] != '@') return sizeof *address;
  address->sun_path[0] = 0;
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text));
}

long bind_to(int fd, const char *text) {
  struct sockaddr_un address;
  const socklen_t size = name(&address, text);
  return bind(fd, (struct sockaddr *)&address, size);
}

long connect_to(int fd, const char *text) {
  struct sockaddr_un address;
  const socklen_t size = name(&address, text);
  return connect(fd, (struct sockaddr *)&address, size);
}

int make_listener(const char *text, int type, int backlog) {
  const int fd = make(type);
  CHECK(bind_to(fd, text) == 0);
  CHECK(listen(fd, backlog) == 0);
  return fd;
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"paths", paths},
      {"abstract names", abstract_names},
      {"connections", connections},
      {"backlogs", backlogs},
      {"states", states},
      {"datagrams", datagrams},
      {"datagram queues", datagram_queues},
      {"buffers", buffers},
      {"peeks", peeks},
      {"urgent", urgent},
      {"credentials", credentials},
      {"peers", peers},
      {"files", files},
      {"cycles", cycles},
      {"many", many},
      {"killed", killed},
      {"polls", polls},
      {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
