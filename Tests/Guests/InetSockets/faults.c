// Many sockets, and peers that don't do what they should.

#include "inet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/// Lets the process have `count` descriptors.
static void allow_descriptors(long count) {
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK((long)limit.rlim_max >= count);
  limit.rlim_cur = count;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/// As many sockets as the limit allows, twice.
void tcp_ten_thousand(void) {
  enum { limit = 10100 };
  static int opened[limit];
  allow_descriptors(limit);
  for (int round = 0; round < 2; round++) {
    int count = 0, fd;
    while ((fd = socket(AF_INET, count % 2 ? SOCK_STREAM : SOCK_DGRAM, 0)) >= 0) opened[count++] = fd;
    printf("opened %d: %s\n", count > 10000, strerrorname_np(errno));
    show("accept", accept(opened[0], NULL, NULL));
    int pair[2];
    show("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    close(opened[--count]);
    show_ok("one more", opened[count] = socket(AF_INET6, SOCK_STREAM, 0));
    for (int i = 0; i <= count; i++) CHECK(close(opened[i]) == 0);
  }
}

/// A thousand that connect at once, to a listener with room for them and to one with none.
void tcp_half_open(void) {
  enum { count = 1000 };
  static struct pollfd clients[count];
  allow_descriptors(4000);
  for (int backlog = 4096; backlog >= 0; backlog -= 4096) {
    union address address;
    const int listener = bound(AF_INET, SOCK_STREAM, backlog, &address);
    int begun = 0;
    for (int i = 0; i < count; i++) {
      clients[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      clients[i].events = POLLOUT;
      CHECK(clients[i].fd >= 0);
      begun += connect(clients[i].fd, &address.any, size_of(&address)) < 0 && errno == EINPROGRESS;
    }
    settle();
    int connected = 0;
    CHECK(poll(clients, count, 0) >= 0);
    for (int i = 0; i < count; i++) connected += clients[i].revents == POLLOUT;
    printf("begun %d, connected %d\n", begun, backlog > 0 ? connected : connected > 0 && connected < 10);
    // Half of them go before anybody has looked.
    for (int i = 0; i < count; i += 2) CHECK(close(clients[i].fd) == 0);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    int accepted = 0, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0 && backlog > 0) {
      accepted++;
      close(fd);
    }
    if (backlog > 0) printf("accepted %d, then %s\n", accepted, strerrorname_np(errno));
    close(listener);
    settle();
    for (int i = 1; i < count; i += 2) CHECK(close(clients[i].fd) == 0);
  }
}

/// A peer that is killed in the middle of what it sends: what has come can be read, then the connection is broken.
void tcp_vanishing_peer(void) {
  static char block[100000];
  union address address;
  const int listener = bound(AF_INET, SOCK_STREAM, 1, &address);
  const pid_t peer = fork();
  CHECK(peer >= 0);
  if (peer == 0) {
    close(listener);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, &address.any, size_of(&address)) == 0);
    CHECK(send(fd, block, sizeof block, 0) == sizeof block);
    for (;;) pause();
  }
  const int fd = accept(listener, NULL, NULL);
  CHECK(fd >= 0);
  // It never reads this, so its end is a reset.
  CHECK(send(fd, "unread", 6, 0) == 6);
  CHECK(recv(fd, block, 1000, MSG_WAITALL) == 1000);
  settle();
  CHECK(kill(peer, SIGKILL) == 0 && waitpid(peer, NULL, 0) == peer);
  show_events("gone", fd, POLLIN);
  long taken = 0, part;
  while ((part = recv(fd, block, sizeof block, 0)) > 0) taken += part;
  printf("taken %ld\n", taken);
  show("receive", part);
  show("send", send(fd, "x", 1, MSG_NOSIGNAL));
  close(fd);
  close(listener);
}

/// A process that is killed with five thousand sockets: its peers are told, and its ports are free.
void tcp_killed_with_many(void) {
  enum { outside = 100, inside = 2450 };
  static int peers[outside];
  static struct pollfd waiting[outside];
  union address address;
  const int listener = bound(AF_INET, SOCK_STREAM, 4096, &address);
  int ready[2];
  CHECK(pipe(ready) == 0);
  const pid_t holder = fork();
  CHECK(holder >= 0);
  if (holder == 0) {
    allow_descriptors(6000);
    union address own;
    const int other = bound(AF_INET, SOCK_STREAM, 4096, &own);
    for (int i = 0; i < inside; i++) {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      CHECK(fd >= 0 && connect(fd, &own.any, size_of(&own)) == 0 && send(fd, "waits", 5, 0) == 5);
      CHECK(accept(other, NULL, NULL) >= 0);
    }
    for (int i = 0; i < outside; i++) CHECK(accept(listener, NULL, NULL) >= 0);
    CHECK(write(ready[1], "x", 1) == 1);
    for (;;) pause();
  }
  for (int i = 0; i < outside; i++) {
    peers[i] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(peers[i], &address.any, size_of(&address)) == 0);
    // Every second one has something that is never read.
    if (i % 2) CHECK(send(peers[i], "unread", 6, 0) == 6);
    waiting[i] = (struct pollfd){peers[i], POLLIN | POLLRDHUP, 0};
  }
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1);
  CHECK(kill(holder, SIGKILL) == 0 && waitpid(holder, NULL, 0) == holder);
  settle();
  CHECK(poll(waiting, outside, 1000) == outside);
  int ends = 0, resets = 0;
  for (int i = 0; i < outside; i++) {
    const long result = recv(peers[i], &byte, 1, 0);
    ends += result == 0;
    resets += result < 0 && errno == ECONNRESET;
    close(peers[i]);
  }
  printf("ends %d, resets %d\n", ends, resets);
  close(listener);
  const int again = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(set_option(again, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
  show("bind again", bind(again, &address.any, size_of(&address)));
  close(again);
  close(ready[0]);
  close(ready[1]);
}

/// A reader that takes little at a time holds up its writer, and nobody else.
void tcp_slow_reader(void) {
  enum { total = 8 << 20 };
  static unsigned char block[65536];
  int slow[2], quick[2];
  connected_pair(AF_INET, slow);
  connected_pair(AF_INET6, quick);
  const pid_t writer = fork();
  CHECK(writer >= 0);
  if (writer == 0) {
    for (long sent = 0; sent < total; sent += sizeof block) {
      for (unsigned i = 0; i < sizeof block; i++) block[i] = (unsigned char)((sent + i) % 251);
      CHECK(send(slow[0], block, sizeof block, 0) == sizeof block);
    }
    _exit(0);
  }
  close(slow[0]);
  long taken = 0, wrong = 0, part;
  for (int turn = 0; taken < total; turn++) {
    CHECK((part = recv(slow[1], block, turn < 300 ? 700 : sizeof block, 0)) > 0);
    for (long i = 0; i < part; i++) wrong += block[i] != (unsigned char)((taken + i) % 251);
    taken += part;
    if (turn >= 300) continue;
    char byte = (char)turn;
    CHECK(send(quick[0], &byte, 1, 0) == 1 && recv(quick[1], &byte, 1, 0) == 1 && byte == (char)turn);
    if (turn % 10 == 0) usleep(1000);
  }
  int status;
  CHECK(waitpid(writer, &status, 0) == writer);
  printf("taken %ld, wrong %ld, writer %d\n", taken, wrong, status);
  show("the end", recv(slow[1], block, 1, 0));
  close(slow[1]);
  close(quick[0]);
  close(quick[1]);
}
