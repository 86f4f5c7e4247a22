// Datagrams: names, peers, queues; and how much fits in sockets of each type.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "unix_sockets.h"

static char buffer[1 << 18];

static long send_to(int fd, const char *text, const char *path) {
  struct sockaddr_un address;
  const socklen_t size = name(&address, path);
  return sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
}

void datagrams(void) {
  guest_scratch();
  int a = make(SOCK_DGRAM | SOCK_NONBLOCK), b = make(SOCK_DGRAM | SOCK_NONBLOCK), c = make(SOCK_DGRAM | SOCK_NONBLOCK);
  CHECK(bind_to(a, "a") == 0 && bind_to(b, "b") == 0 && bind_to(c, "c") == 0);
  show("no peer", send(a, "x", 1, 0));
  show("sendto", send_to(a, "hello", "b"));
  show("nobody", send_to(a, "hello", "none"));
  struct sockaddr_un address;
  socklen_t size = sizeof address;
  show("recvfrom", recvfrom(b, buffer, 3, MSG_TRUNC, (struct sockaddr *)&address, &size));
  show_name("from", &address, size);
  int unnamed = make(SOCK_DGRAM);
  show("unnamed", send_to(unnamed, "hi", "b"));
  size = sizeof address;
  show("recvfrom", recvfrom(b, buffer, 9, 0, (struct sockaddr *)&address, &size));
  printf("size %u\n", size);
  show("connect", connect_to(a, "b"));
  show("send", send(a, "one", 3, 0));
  show("elsewhere", send_to(a, "two", "c"));
  show("to the connected", send_to(c, "three", "a"));
  show("b is not connected", send_to(c, "four", "b"));
  show("connect back", connect_to(b, "a"));
  show("now it is taken", send_to(c, "five", "b"));
  show("and", connect_to(c, "b"));
  for (int i = 0; i < 3; i++) show("recv b", recv(b, buffer, 9, 0));
  show("recv a", recv(a, buffer, 9, 0));
  show("reconnect", connect_to(a, "c"));
  show("b lost it", send(b, "x", 1, 0));
  show("b reads", recv(b, buffer, 9, 0));
  // A peer that had messages for it learns that it went.
  CHECK(connect_to(a, "b") == 0 && connect_to(b, "a") == 0);
  CHECK(send(a, "lost", 4, 0) == 4 && send(b, "lost", 4, 0) == 4);
  address = (struct sockaddr_un){.sun_family = AF_UNSPEC};
  show("dissolve", connect(a, (struct sockaddr *)&address, sizeof address));
  show("no messages", recv(a, buffer, 9, 0));
  int error = -1;
  size = sizeof error;
  show_events("b", b);
  show("told", recv(b, buffer, 9, 0));
  show("once", recv(b, buffer, 9, 0));
  show("peer", getpeername(a, (struct sockaddr *)&address, &size));
  show("again", connect(a, (struct sockaddr *)&address, 2));
  close(b);
  show("closed", send_to(a, "x", "b"));
  CHECK(connect_to(a, "c") == 0);
  close(c);
  show_events("a", a);
  show("refused", send(a, "x", 1, 0));
  show("then", send(a, "x", 1, 0));
  // To itself.
  CHECK(connect_to(a, "a") == 0);
  show("itself", send(a, "me", 2, 0));
  show("recv", recv(a, buffer, 9, 0));
  CHECK(shutdown(a, SHUT_RD) == 0);
  show("shut", send(a, "me", 2, MSG_NOSIGNAL));
  show("from outside", send_to(unnamed, "x", "a"));
  show("stream", send_to(make(SOCK_STREAM), "x", "a"));
  make_listener("l", SOCK_STREAM, 1);
  show("to a stream", send_to(unnamed, "x", "l"));
  show("urgent", send(a, "me", 2, MSG_OOB));
  show("urgent", recv(a, buffer, 2, MSG_OOB));
  show("empty", send_to(unnamed, "", "a"));
  show("listen", listen(a, 1));
  show("accept", accept(a, NULL, NULL));
}

void datagram_queues(void) {
  guest_scratch();
  int receiver = make(SOCK_DGRAM), sender = make(SOCK_DGRAM | SOCK_NONBLOCK), other = make(SOCK_DGRAM | SOCK_NONBLOCK);
  CHECK(bind_to(receiver, "r") == 0);
  CHECK(connect_to(sender, "r") == 0);
  int limit = 10;
  FILE *setting = fopen("/proc/sys/net/unix/max_dgram_qlen", "r");
  if (setting) CHECK(fscanf(setting, "%d", &limit) == 1), fclose(setting);
  int count = 0;
  while (send(sender, "x", 1, 0) == 1) count++;
  show("full", -1);
  printf("as many as fit: %d\n", limit > 200 || count == limit + 1);
  show_events("sender", sender);
  show("other", send_to(other, "x", "r"));
  show_events("unconnected", other);
  CHECK(recv(receiver, buffer, 1, 0) == 1);
  show_events("room", sender);
  show("one more", send(sender, "x", 1, 0));
  show("no more", send(sender, "x", 1, 0));
  // A blocked one goes on when there is room, and ends with its time.
  fflush(stdout);
  const pid_t blocked = fork();
  if (blocked == 0) {
    int fd = make(SOCK_DGRAM);
    const struct timeval time = {0, 30000};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0);
    show("in time", send_to(fd, "late", "r"));
    const struct timeval none = {0, 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) == 0);
    show("waited", send_to(fd, "late", "r"));
    fflush(stdout);
    _exit(0);
  }
  guest_sleep_ms(60);
  int bytes = 0;
  for (int i = 0; i < count + 1; i++) bytes += (int)recv(receiver, buffer, 9, 0);
  printf("blocked: %d\n", guest_wait(blocked));
  printf("bytes: %d\n", bytes - count);
  // A receiver that goes ends the waiting.
  while (send(sender, "x", 1, 0) == 1) {}
  fflush(stdout);
  const pid_t refused = fork();
  if (refused == 0) {
    close(receiver);
    fcntl(sender, F_SETFL, 0);
    show("refused", send(sender, "x", 1, MSG_NOSIGNAL));
    fflush(stdout);
    _exit(0);
  }
  guest_sleep_ms(20);
  close(receiver);
  printf("child: %d\n", guest_wait(refused));
}

void buffers(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  static const int sizes[] = {1, 192, 193, 1000, 3776, 3777, 4096, 16065, 65536, 100000};
  for (int t = 0; t < 3; t++)
    for (int small = 0; small < 2; small++)
      for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int ends[2], wanted = 20000, out, in;
        CHECK(socketpair(AF_UNIX, types[t] | SOCK_NONBLOCK, 0, ends) == 0);
        if (small) CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted) == 0);
        long sent, total = 0, count = 0;
        while ((sent = send(ends[0], buffer, (size_t)sizes[i], 0)) > 0) total += sent, count++;
        printf("type %d, buffer %d, size %d: %ld times, %ld bytes, %s", types[t], small, sizes[i], count, total, strerrorname_np(errno));
        CHECK(ioctl(ends[0], TIOCOUTQ, &out) == 0 && ioctl(ends[1], FIONREAD, &in) == 0);
        printf(", %d out, %d in", out, in);
        struct pollfd entry = {ends[0], POLLOUT, 0};
        long taken = 0, reads = 0;
        while (poll(&entry, 1, 0) == 0) {
          const long part = recv(ends[1], buffer, 1000, 0);
          CHECK(part > 0);
          taken += part, reads++;
        }
        printf(", writable after %ld reads of %ld\n", reads, taken);
        close(ends[0]), close(ends[1]);
      }
  // A writer waits for a reader, with much more than fits.
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const pid_t writer = fork();
  if (writer == 0) {
    close(ends[0]);
    unsigned value = 1;
    for (int i = 0; i < 40; i++) {
      for (int k = 0; k < 50000; k++) buffer[k] = (char)(value = value * 1103515245 + 12345) >> 16;
      if (write(ends[1], buffer, 50000) != 50000) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  unsigned sum = 0;
  long total = 0, part;
  while ((part = read(ends[0], buffer, 30000)) > 0) {
    for (long k = 0; k < part; k++) sum = sum * 31 + (unsigned char)buffer[k];
    total += part;
  }
  printf("%ld bytes, sum %u, writer %d\n", total, sum, guest_wait(writer));
}
