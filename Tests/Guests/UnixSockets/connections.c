// Connections: listening, waiting, and what each state answers.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "unix_sockets.h"

static char buffer[1 << 16];

void connections(void) {
  guest_scratch();
  const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
  for (int i = 0; i < 2; i++) {
    printf("type %d\n", types[i]);
    char path[8];
    snprintf(path, sizeof path, "s%d", i);
    int listener = make_listener(path, types[i], 5), client = make(types[i]);
    int value = -1;
    socklen_t size = sizeof value;
    CHECK(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0);
    printf("accepts: %d\n", value);
    show_events("listener", listener);
    show_events("unconnected", client);
    CHECK(connect_to(client, path) == 0);
    show_events("listener", listener);
    int accepted = accept(listener, NULL, NULL);
    CHECK(accepted >= 0);
    show("write", write(client, "hello", 5));
    show("write", write(client, "world", 5));
    show_events("accepted", accepted);
    CHECK(ioctl(accepted, FIONREAD, &value) == 0);
    printf("in queue %d\n", value);
    show("read", read(accepted, buffer, 7));
    show("read", read(accepted, buffer, 7));
    struct iovec parts[2] = {{"ab", 2}, {"cde", 3}};
    show("writev", writev(accepted, parts, 2));
    show("read", recv(client, buffer, sizeof buffer, 0));
    show("address", sendto(client, "a", 1, 0, (struct sockaddr *)&(struct sockaddr_un){AF_UNIX, "s0"}, 5));
    close(client);
    show_events("left", accepted);
    close(accepted), close(listener);
  }
}

/// Connects after a moment.
static void connect_later(const char *path, int type, int count) {
  fflush(stdout);
  if (fork() != 0) return;
  for (int i = 0; i < count; i++) {
    guest_sleep_ms(10);
    int fd = make(type);
    if (connect_to(fd, path) != 0) _exit(1);
    char byte = (char)('a' + i);
    if (write(fd, &byte, 1) != 1) _exit(1);
  }
  _exit(0);
}

void backlogs(void) {
  guest_scratch();
  int listener = make_listener("s", SOCK_STREAM, 1);
  fcntl(listener, F_SETFL, O_NONBLOCK);
  show("nobody", accept(listener, NULL, NULL));
  int clients[4];
  for (int i = 0; i < 4; i++) {
    clients[i] = make(SOCK_STREAM | SOCK_NONBLOCK);
    show("connect", connect_to(clients[i], "s"));
  }
  show_events("listener", listener);
  show_events("waits", clients[0]);
  show_events("refused", clients[3]);
  show("before it is accepted", write(clients[0], "hello", 5));
  show("twice", connect_to(clients[0], "s"));
  struct sockaddr_un address;
  socklen_t size = sizeof address;
  int accepted = accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
  CHECK(accepted >= 0);
  show_name("from", &address, size);
  printf("flags %d %#x\n", fcntl(accepted, F_GETFD), fcntl(accepted, F_GETFL));
  show("read", read(accepted, buffer, 9));
  show("again", connect_to(clients[2], "s"));
  show("larger", listen(listener, 8));
  show("now", connect_to(clients[3], "s"));
  show("accept from a client", accept(clients[0], NULL, NULL));
  show("flags", accept4(listener, NULL, NULL, 0x40));
  show("listen on a client", listen(clients[0], 1));
  show("connect a listener", connect_to(listener, "s"));
  show("receive from a listener", recv(listener, buffer, 1, 0));
  show("send to a listener", send(listener, buffer, 1, 0));
  // A blocking one waits for room.
  CHECK(listen(listener, 0) == 0);
  fcntl(listener, F_SETFL, 0);
  fflush(stdout);
  const pid_t waiting = fork();
  if (waiting == 0) {
    int fd = make(SOCK_STREAM);
    const struct timeval limit = {0, 30000};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    show("in time", connect_to(fd, "s"));
    const struct timeval none = {0, 0};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none) == 0);
    show("waited", connect_to(fd, "s"));
    fflush(stdout);
    _exit(0);
  }
  guest_sleep_ms(80);
  for (int i = 0; i < 3; i++) close(accept(listener, NULL, NULL));
  printf("waiting: %d\n", guest_wait(waiting));
  // Those that wait are told when the listener goes.
  int last = make(SOCK_STREAM);
  close(accept(listener, NULL, NULL));
  CHECK(connect_to(last, "s") == 0);
  close(listener);
  show_events("closed", last);
  show("reset", read(last, buffer, 1));
  show("then", read(last, buffer, 1));
  show("write", send(last, buffer, 1, MSG_NOSIGNAL));
  // Waiting to be connected to.
  unlink("s");
  listener = make_listener("s", SOCK_SEQPACKET, 5);
  connect_later("s", SOCK_SEQPACKET, 2);
  for (int i = 0; i < 2; i++) {
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    CHECK(recv(fd, buffer, 8, 0) == 1);
    printf("got %c\n", buffer[0]);
  }
  const struct timeval limit = {0, 30000};
  CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  show("timed out", accept(listener, NULL, NULL));
  show("shut", shutdown(listener, SHUT_RD));
  show("after", accept(listener, NULL, NULL));
  show("refused", connect_to(make(SOCK_SEQPACKET), "s"));
}

void states(void) {
  guest_scratch();
  for (int i = 0; i < 3; i++) {
    const int type = (int[]){SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}[i];
    printf("type %d, unconnected\n", type);
    int fd = make(type | SOCK_NONBLOCK), value;
    show("send", send(fd, "a", 1, MSG_NOSIGNAL));
    show("recv", recv(fd, buffer, 1, 0));
    show("read none", read(fd, buffer, 0));
    show("shutdown", shutdown(fd, SHUT_WR));
    show("send", send(fd, "a", 1, MSG_NOSIGNAL));
    show("in queue", ioctl(fd, FIONREAD, &value));
    show("urgent", send(fd, "a", 1, MSG_OOB));
    show_events("events", fd);
    close(fd);
    int ends[2];
    for (int how = SHUT_RD; how <= SHUT_RDWR; how++) {
      CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends) == 0);
      printf("type %d, shut %d\n", type, how);
      CHECK(write(ends[0], "abc", 3) == 3 && write(ends[1], "de", 2) == 2);
      show("shut", shutdown(ends[0], how));
      show_events("mine", ends[0]);
      show_events("other", ends[1]);
      show("send", send(ends[0], "a", 1, MSG_NOSIGNAL));
      show("send back", send(ends[1], "a", 1, MSG_NOSIGNAL));
      show("recv", recv(ends[0], buffer, 9, 0));
      show("recv", recv(ends[0], buffer, 9, 0));
      show("recv back", recv(ends[1], buffer, 9, 0));
      show("recv back", recv(ends[1], buffer, 9, 0));
      close(ends[0]), close(ends[1]);
    }
    for (int unread = 0; unread < 2; unread++) {
      CHECK(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends) == 0);
      printf("type %d, closed, unread %d\n", type, unread);
      CHECK(write(ends[0], "abc", 3) == 3);
      if (unread) CHECK(write(ends[1], "de", 2) == 2);
      close(ends[0]);
      show_events("other", ends[1]);
      show("peer", getpeername(ends[1], (struct sockaddr *)buffer, &(socklen_t){20}));
      show("recv", recv(ends[1], buffer, 9, 0));
      show("recv", recv(ends[1], buffer, 9, 0));
      show("recv", recv(ends[1], buffer, 9, 0));
      show("send", send(ends[1], "a", 1, MSG_NOSIGNAL));
      show("send", send(ends[1], "a", 1, MSG_NOSIGNAL));
      show_events("other", ends[1]);
      socklen_t size = sizeof value;
      CHECK(getsockopt(ends[1], SOL_SOCKET, SO_ERROR, &value, &size) == 0);
      printf("error %d\n", value);
      close(ends[1]);
    }
    // Who gets SIGPIPE.
    printf("signal: %d\n", IN_CHILD({
             CHECK(socketpair(AF_UNIX, type, 0, ends) == 0);
             close(ends[0]);
             show("write", write(ends[1], "a", 1));
           }));
    printf("signal: %d\n", IN_CHILD({
             CHECK(socketpair(AF_UNIX, type, 0, ends) == 0);
             CHECK(shutdown(ends[1], SHUT_WR) == 0);
             show("write", write(ends[1], "a", 1));
           }));
  }
  // A blocked datagram receive ends with shutdown.
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  CHECK(shutdown(ends[0], SHUT_RD) == 0);
  show("blocking", recv(ends[0], buffer, 1, 0));
  show("not blocking", recv(ends[0], buffer, 1, MSG_DONTWAIT));
}

/// Answers each byte with the next one.
static void *echo(void *argument) {
  const int fd = *(int *)argument;
  char byte;
  while (read(fd, &byte, 1) == 1) {
    byte++;
    if (write(fd, &byte, 1) != 1) break;
  }
  return NULL;
}

void polls(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, echo, &ends[1]) == 0);
  int sum = 0;
  for (int i = 0; i < 200; i++) {
    char byte = (char)(i & 63);
    CHECK(write(ends[0], &byte, 1) == 1);
    struct pollfd entry = {ends[0], POLLIN, 0};
    CHECK(poll(&entry, 1, -1) == 1);
    CHECK(read(ends[0], &byte, 1) == 1);
    sum += byte;
  }
  printf("sum %d\n", sum);
  CHECK(shutdown(ends[0], SHUT_WR) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  // sendfile and splice.
  guest_scratch();
  int file = open("file", O_RDWR | O_CREAT, 0600), pipe_ends[2];
  CHECK(write(file, "0123456789", 10) == 10 && pipe(pipe_ends) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  off_t offset = 2;
  
  show("sendfile", sendfile(ends[0], file, &offset, 5));
  show("splice out", splice(ends[1], NULL, pipe_ends[1], NULL, 3, 0));
  show("splice in", splice(pipe_ends[0], NULL, ends[1], NULL, 3, 0));
  show("back", read(ends[0], buffer, 9));
  printf("%.3s\n", buffer);
  show("rest", read(ends[1], buffer, 9));
  printf("%.2s\n", buffer);
  close(ends[0]);
  show("end", splice(ends[1], NULL, pipe_ends[1], NULL, 3, 0));
}
