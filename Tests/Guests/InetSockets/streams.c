// Connections: how they begin, what they carry, how they end.

#include "inet.h"

static char buffer[1 << 16];

static volatile sig_atomic_t io_signals;
static void on_io(int signal) { io_signals += signal == SIGIO; }

static volatile int io_code, io_descriptor;
static void on_chosen(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  io_code = info->si_code;
  io_descriptor = info->si_fd;
}

void tcp_signals(void) {
  int ends[2], on = 1;
  connected_pair(AF_INET, ends);
  signal(SIGIO, on_io);
  show_ok("owner", fcntl(ends[1], F_SETOWN, getpid()));
  CHECK(write(ends[0], "a", 1) == 1);
  settle();
  printf("without O_ASYNC: %d\n", (int)io_signals);
  show_ok("FIOASYNC", ioctl(ends[1], FIOASYNC, &on));
  printf("flags: %#x\n", fcntl(ends[1], F_GETFL));
  CHECK(write(ends[0], "b", 1) == 1);
  settle();
  printf("with O_ASYNC: %d\n", io_signals > 0);
  const struct sigaction action = {.sa_sigaction = on_chosen, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGRTMIN + 1, &action, NULL) == 0 && fcntl(ends[1], F_SETSIG, SIGRTMIN + 1) == 0);
  CHECK(write(ends[0], "c", 1) == 1);
  settle();
  printf("chosen signal: code %d, own descriptor %d\n", io_code, io_descriptor == ends[1]);
  show_ok("off", fcntl(ends[1], F_SETFL, 0));
  io_code = 0;
  CHECK(write(ends[0], "d", 1) == 1);
  settle();
  printf("off: %d, flags: %#x\n", io_code, fcntl(ends[1], F_GETFL));
  int pair[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  io_signals = 0;
  show_ok("owner", fcntl(pair[0], F_SETOWN, getpid()));
  show_ok("O_ASYNC", fcntl(pair[0], F_SETFL, O_ASYNC));
  CHECK(write(pair[1], "a", 1) == 1);
  settle();
  printf("signals: %d\n", io_signals > 0);
  const int file = open("/dev/null", O_RDWR);
  show_ok("no such thing", ioctl(file, FIOASYNC, &on));
}

static const int families[] = {AF_INET, AF_INET6};

void tcp_basics(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    int ends[2];
    connected_pair(family, ends);
    show("send", send(ends[0], "hello", 5, 0));
    show("write", write(ends[0], "world", 5));
    show("recv", recv(ends[1], buffer, 64, MSG_WAITALL | MSG_DONTWAIT));
    show("nothing", recv(ends[1], buffer, 1, MSG_DONTWAIT));
    show("zero sent", send(ends[0], "", 0, 0));
    show("zero read", read(ends[1], buffer, 0));
    show("back", write(ends[1], "q", 1));
    show("arrived", read(ends[0], buffer, 3));
    struct iovec parts[2] = {{"ab", 2}, {"cde", 3}};
    show("writev", writev(ends[0], parts, 2));
    struct iovec targets[2] = {{buffer, 1}, {buffer + 1, 9}};
    show("readv", readv(ends[1], targets, 2));
    printf("%.5s\n", buffer);
    union address source;
    socklen_t size = sizeof source;
    CHECK(write(ends[0], "x", 1) == 1);
    show("recvfrom", recvfrom(ends[1], buffer, 9, 0, &source.any, &size));
    printf("no source: %u\n", size);
    show("seek", lseek(ends[0], 0, SEEK_CUR));
    show("pread", pread(ends[0], buffer, 1, 0));
    show("sendto ignores where", sendto(ends[0], "y", 1, 0, &source.any, sizeof source.inet));
    static char large[1 << 21];
    const pid_t writer = fork();
    CHECK(writer >= 0);
    if (writer == 0) {
      memset(large, 7, sizeof large);
      _exit(write(ends[0], large, sizeof large) == sizeof large ? 0 : 1);
    }
    CHECK(recv(ends[1], large, 1, 0) == 1);
    show("all", recv(ends[1], large, sizeof large, MSG_WAITALL));
    CHECK(large[0] == 7 && large[sizeof large - 1] == 7);
    printf("writer: %d\n", guest_wait(writer));
    close(ends[0]);
    show("end", read(ends[1], buffer, 9));
    close(ends[1]);
  }
}

void tcp_names(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    const int fresh = socket(family, SOCK_STREAM, 0);
    union address address, name;
    socklen_t size = sizeof name;
    CHECK(getsockname(fresh, &name.any, &size) == 0);
    show_address("fresh", &name);
    printf("size: %u\n", size);
    size = sizeof name;
    show_ok("no peer", getpeername(fresh, &name.any, &size));
    const int listener = bound(family, SOCK_STREAM, 3, &address);
    show_address("listener", &address);
    size = sizeof name;
    show_ok("listener's peer", getpeername(listener, &name.any, &size));
    CHECK(connect(fresh, &address.any, size_of(&address)) == 0);
    size = sizeof name;
    CHECK(getsockname(fresh, &name.any, &size) == 0);
    show_address("connected", &name);
    size = sizeof name;
    CHECK(getpeername(fresh, &name.any, &size) == 0);
    show_address("its peer", &name);
    printf("the listener: %d\n", port_of(&name) == port_of(&address));
    union address peer;
    size = sizeof peer;
    const int accepted = accept4(listener, &peer.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(accepted >= 0);
    printf("size: %u, flags %#x, %#x\n", size, fcntl(accepted, F_GETFL), fcntl(accepted, F_GETFD));
    CHECK(getsockname(fresh, &name.any, &size) == 0);
    printf("same port: %d\n", port_of(&name) == port_of(&peer));
    CHECK(getsockname(accepted, &name.any, &size) == 0);
    printf("listener's port: %d\n", port_of(&name) == port_of(&address));
    show_ok("bind again", bind(accepted, &address.any, size_of(&address)));
    show_ok("listen connected", listen(accepted, 1));
    show_ok("connect connected", connect(accepted, &address.any, size_of(&address)));
    show_ok("connect listener", connect(listener, &address.any, size_of(&address)));
    show_ok("accept connected", accept(accepted, NULL, NULL));
    close(fresh);
    show_events("peer closed", accepted, POLLRDHUP);
    size = sizeof name;
    show_ok("peer's name afterwards", getpeername(accepted, &name.any, &size));
    show_option("accepting", listener, SOL_SOCKET, SO_ACCEPTCONN);
    show_option("not accepting", accepted, SOL_SOCKET, SO_ACCEPTCONN);
    show_option("domain", accepted, SOL_SOCKET, SO_DOMAIN);
    show_option("protocol", accepted, SOL_SOCKET, SO_PROTOCOL);
    show_option("type", accepted, SOL_SOCKET, SO_TYPE);
    close(accepted);
    close(listener);
  }
}

void tcp_refused(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    union address address;
    const int closed = bound(family, SOCK_STREAM, -1, &address);
    int fd = socket(family, SOCK_STREAM, 0);
    show_events("fresh", fd, 0);
    show("recv", recv(fd, buffer, 1, 0));
    show("send", send(fd, "a", 1, 0));
    show_ok("shutdown", shutdown(fd, SHUT_RDWR));
    show_ok("accept", accept(fd, NULL, NULL));
    show_ok("not listening", connect(fd, &address.any, size_of(&address)));
    show_error("no error left", fd);
    show_events("refused", fd, 0);
    show_ok("again", connect(fd, &address.any, size_of(&address)));
    union address nowhere = loopback(family, 0);
    show_ok("port 0", connect(fd, &nowhere.any, size_of(&nowhere)));
    show_ok("short", connect(fd, &address.any, 7));
    show_ok("long", connect(fd, &address.any, 999));
    address.any.sa_family = AF_UNIX;
    show_ok("family", connect(fd, &address.any, sizeof(struct sockaddr_in6)));
    close(closed);
    close(fd);
  }
}

void tcp_nonblocking(void) {
  for (int i = 0; i < 2; i++) {
    const int family = families[i];
    union address address;
    const int listener = bound(family, SOCK_STREAM | SOCK_NONBLOCK, -1, &address);
    CHECK(listen(listener, 4) == 0);
    show_ok("none waits", accept(listener, NULL, NULL));
    show_events("idle listener", listener, 0);
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    show_ok("begun", connect(fd, &address.any, size_of(&address)));
    show_events("connected", fd, POLLOUT);
    show_error("its error", fd);
    show_events("listener", listener, POLLIN);
    show_ok("done", connect(fd, &address.any, size_of(&address)));
    show_ok("twice", connect(fd, &address.any, size_of(&address)));
    const int accepted = accept(listener, NULL, NULL);
    CHECK(accepted >= 0);
    printf("flags are not inherited: %#x\n", fcntl(accepted, F_GETFL));
    show("nothing", read(fd, buffer, 1));
    close(fd);
    close(accepted);
    close(listener);
    const int closed = bound(family, SOCK_STREAM, -1, &address);
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    show_ok("begun", connect(fd, &address.any, size_of(&address)));
    show_events("refused", fd, POLLOUT);
    show_error("why", fd);
    show_error("once", fd);
    show_events("afterwards", fd, 0);
    show_ok("aborted", connect(fd, &address.any, size_of(&address)));
    show_ok("begun again", connect(fd, &address.any, size_of(&address)));
    settle();
    show("send tells", send(fd, "a", 1, 0));
    show("send then", send(fd, "a", 1, 0));
    close(fd);
    close(closed);
  }
}

void tcp_states(void) {
  int ends[2];
  connected_pair(AF_INET, ends);
  show_events("idle", ends[0], 0);
  CHECK(write(ends[1], "abc", 3) == 3);
  show_events("readable", ends[0], POLLIN);
  int count = 0;
  show_ok("FIONREAD", ioctl(ends[0], FIONREAD, &count));
  printf("%d\n", count);
  show_ok("TIOCOUTQ", ioctl(ends[1], TIOCOUTQ, &count));
  printf("%d\n", count);
  show("shut", shutdown(ends[1], SHUT_WR));
  show_events("half closed, with bytes", ends[0], POLLRDHUP);
  show_events("who half closed", ends[1], 0);
  show("bytes", read(ends[0], buffer, 64));
  show_events("half closed", ends[0], 0);
  show("end", read(ends[0], buffer, 64));
  show("end again", read(ends[0], buffer, 64));
  show("still sends", send(ends[0], "xyz", 3, 0));
  show("still reads", recv(ends[1], buffer, 64, 0));
  show("no more", send(ends[1], "n", 1, 0));
  show("shut too", shutdown(ends[0], SHUT_WR));
  settle();
  show_events("both ended, second", ends[0], 0);
  show_events("both ended, first", ends[1], POLLIN);
  show("first reads", read(ends[1], buffer, 9));
  show("second sends", send(ends[0], "n", 1, 0));
  show_ok("shut again", shutdown(ends[0], SHUT_WR));
  union address name;
  socklen_t size = sizeof name;
  show_ok("peer of the second", getpeername(ends[0], &name.any, &size));
  show_ok("peer of the first", getpeername(ends[1], &name.any, &size));
  show_error("error of the first", ends[1]);
  close(ends[0]);
  close(ends[1]);
}

static void shut_and_look(int how, int other) {
  int ends[2];
  connected_pair(AF_INET, ends);
  printf("-- %d, %d\n", how, other);
  CHECK(write(ends[1], "data", 4) == 4);
  settle();
  show_ok("shut", shutdown(ends[0], how));
  if (other >= 0) show_ok("other shut", shutdown(ends[1], other));
  settle();
  show_events("here", ends[0], 0);
  show_events("there", ends[1], 0);
  show("read", recv(ends[0], buffer, 64, MSG_DONTWAIT));
  show("read again", recv(ends[0], buffer, 64, MSG_DONTWAIT));
  show("send", send(ends[0], "s", 1, 0));
  show("there reads", recv(ends[1], buffer, 64, MSG_DONTWAIT));
  show("there sends", send(ends[1], "t", 1, 0));
  settle();
  show("here reads", recv(ends[0], buffer, 64, MSG_DONTWAIT));
  show("there sends again", send(ends[1], "t", 1, 0));
  settle();
  show_events("here then", ends[0], 0);
  show_events("there then", ends[1], 0);
  show_error("error here", ends[0]);
  show_error("error there", ends[1]);
  close(ends[0]);
  close(ends[1]);
}

void tcp_shutdowns(void) {
  for (int how = SHUT_RD; how <= SHUT_RDWR; how++)
    for (int other = -1; other <= SHUT_RDWR; other++) shut_and_look(how, other);
  int ends[2];
  connected_pair(AF_INET, ends);
  show_ok("direction", shutdown(ends[0], 9));
  show_ok("negative", shutdown(ends[0], -1));
}

void tcp_resets(void) {
  int ends[2];
  connected_pair(AF_INET, ends);
  CHECK(write(ends[0], "unread", 6) == 6);
  settle();
  close(ends[1]);
  show_events("closed with unread bytes", ends[0], POLLERR);
  show("read", read(ends[0], buffer, 9));
  show("read again", read(ends[0], buffer, 9));
  show("send", send(ends[0], "a", 1, 0));
  show_events("then", ends[0], 0);
  close(ends[0]);

  connected_pair(AF_INET, ends);
  CHECK(write(ends[1], "for you", 7) == 7);
  struct linger linger = {1, 0};
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
  settle();
  close(ends[1]);
  show_events("closed hard", ends[0], POLLERR);
  show("what was sent", read(ends[0], buffer, 9));
  show("read", read(ends[0], buffer, 9));
  show("end", read(ends[0], buffer, 9));
  close(ends[0]);

  connected_pair(AF_INET, ends);
  close(ends[1]);
  show_events("closed", ends[0], POLLIN);
  show("first send", send(ends[0], "a", 1, 0));
  settle();
  show_events("answered", ends[0], POLLERR);
  show("second send", send(ends[0], "a", 1, 0));
  show("read", read(ends[0], buffer, 9));
  show("third send", send(ends[0], "a", 1, 0));
  close(ends[0]);

  connected_pair(AF_INET6, ends);
  close(ends[1]);
  settle();
  CHECK(write(ends[0], "a", 1) == 1);
  settle();
  show_error("error", ends[0]);
  show("read", read(ends[0], buffer, 9));
  signal(SIGPIPE, SIG_DFL);
  printf("signal: %d\n", IN_CHILD((void)!write(ends[0], "a", 1)));
  printf("no signal: %d\n", IN_CHILD((void)!send(ends[0], "a", 1, MSG_NOSIGNAL)));
  signal(SIGPIPE, SIG_IGN);
  close(ends[0]);

  linger = (struct linger){1, 5};
  connected_pair(AF_INET, ends);
  CHECK(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
  CHECK(write(ends[0], "last", 4) == 4);
  show("lingers", close(ends[0]));
  show("last", read(ends[1], buffer, 9));
  show("end", read(ends[1], buffer, 9));
  close(ends[1]);

  // Blocked readers are told.
  connected_pair(AF_INET, ends);
  const pid_t reader = fork();
  CHECK(reader >= 0);
  if (reader == 0) {
    close(ends[1]);
    show("blocked read", read(ends[0], buffer, 9));
    fflush(stdout);
    _exit(0);
  }
  guest_sleep_ms(20);
  linger = (struct linger){1, 0};
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
  close(ends[1]);
  guest_wait(reader);
  close(ends[0]);
}

void tcp_listener_end(void) {
  union address address;
  int listener = bound(AF_INET, SOCK_STREAM, 5, &address);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(fd, &address.any, size_of(&address)) == 0);
  CHECK(write(fd, "early", 5) == 5);
  close(listener);
  show_events("listener closed", fd, POLLERR);
  show("read", read(fd, buffer, 9));
  close(fd);

  listener = bound(AF_INET, SOCK_STREAM, 5, &address);
  int client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(client, &address.any, size_of(&address)) == 0);
  CHECK(write(client, "early", 5) == 5);
  close(client);
  const int accepted = accept(listener, NULL, NULL);
  CHECK(accepted >= 0);
  show("what it sent", read(accepted, buffer, 64));
  show("end", read(accepted, buffer, 64));
  close(accepted);
  client = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(client, &address.any, size_of(&address)) == 0);
  struct linger linger = {1, 0};
  CHECK(setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
  close(client);
  settle();
  const int broken = accept(listener, NULL, NULL);
  show_ok("accepted though reset", broken);
  show("read", read(broken, buffer, 64));
  show("read again", read(broken, buffer, 64));
  close(broken);
  // Someone waits in accept.
  const pid_t waiter = fork();
  CHECK(waiter >= 0);
  if (waiter == 0) {
    show_ok("blocked accept", accept(listener, NULL, NULL));
    fflush(stdout);
    _exit(0);
  }
  guest_sleep_ms(20);
  const int shut = shutdown(listener, SHUT_RD);
  // Both print: one after the other.
  guest_wait(waiter);
  show_ok("shut", shut);
  show_ok("accept", accept(listener, NULL, NULL));
  show_events("afterwards", listener, 0);
  show_ok("listen again", listen(listener, 1));
  show_events("again", listener, 0);
  show_ok("shut for writing", shutdown(listener, SHUT_WR));
  show_events("still", listener, 0);
  show("recv", recv(listener, buffer, 1, MSG_DONTWAIT));
  show("send", send(listener, "a", 1, 0));
  int count;
  show_ok("FIONREAD", ioctl(listener, FIONREAD, &count));
  close(listener);
}

void tcp_backlog(void) {
  union address address;
  const int listener = bound(AF_INET, SOCK_STREAM, 1, &address);
  int clients[4];
  for (int i = 0; i < 4; i++) {
    clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    show_ok("begun", connect(clients[i], &address.any, size_of(&address)));
  }
  settle();
  for (int i = 0; i < 4; i++) show_events("client", clients[i], 0);
  show_ok("goes on", connect(clients[2], &address.any, size_of(&address)));
  show_ok("gone", shutdown(clients[3], SHUT_WR));
  show_events("given up", clients[3], 0);
  for (int i = 0; i < 2; i++) show_ok("accepted", accept(listener, NULL, NULL));
  // Linux asks again after one second.
  struct pollfd entry = {clients[2], POLLOUT, 0};
  printf("connected: %d\n", poll(&entry, 1, 5000));
  show_ok("accepted", accept(listener, NULL, NULL));
  fcntl(listener, F_SETFL, O_NONBLOCK);
  show_ok("no more", accept(listener, NULL, NULL));
}

void tcp_self(void) {
  union address address;
  const int fd = bound(AF_INET, SOCK_STREAM, -1, &address);
  show_ok("to itself", connect(fd, &address.any, size_of(&address)));
  show("write", write(fd, "echo", 4));
  show("read", read(fd, buffer, 64));
  show_events("idle", fd, 0);
  show_ok("shut", shutdown(fd, SHUT_WR));
  settle();
  show("end", read(fd, buffer, 64));
  show_events("ended", fd, 0);
  show("write", send(fd, "x", 1, 0));
  close(fd);
}

void tcp_disconnect(void) {
  union address address, none;
  memset(&none, 0, sizeof none);
  const int listener = bound(AF_INET, SOCK_STREAM, 5, &address);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  show_ok("fresh", connect(fd, &none.any, sizeof none.any));
  CHECK(connect(fd, &address.any, size_of(&address)) == 0);
  const int accepted = accept(listener, NULL, NULL);
  show_ok("dissolved", connect(fd, &none.any, sizeof none.any));
  show_events("peer", accepted, POLLERR);
  show("peer reads", read(accepted, buffer, 9));
  union address name;
  socklen_t size = sizeof name;
  CHECK(getsockname(fd, &name.any, &size) == 0);
  show_address("name", &name);
  show_events("dissolved", fd, 0);
  show_error("error", fd);
  show_ok("connect again", connect(fd, &address.any, size_of(&address)));
  show("works", send(fd, "abc", 3, 0));
  const int second = accept(listener, NULL, NULL);
  show("there", recv(second, buffer, 9, 0));
  show_ok("listener dissolved", connect(listener, &none.any, sizeof none.any));
  show_ok("accept", accept(listener, NULL, NULL));
  show_ok("listens again", listen(listener, 2));
}

void tcp_flags(void) {
  int ends[2];
  connected_pair(AF_INET, ends);
  CHECK(write(ends[0], "abcdef", 6) == 6);
  show("peek", recv(ends[1], buffer, 3, MSG_PEEK));
  show("peek more", recv(ends[1], buffer, 9, MSG_PEEK));
  show("drop", recv(ends[1], buffer, 2, MSG_TRUNC));
  show("rest", recv(ends[1], buffer, 9, 0));
  printf("%.4s\n", buffer);
  show("more", send(ends[0], "a", 1, MSG_MORE));
  show("and the end", send(ends[0], "b", 1, 0));
  show("both", recv(ends[1], buffer, 2, MSG_WAITALL));
  show("zero", recv(ends[1], buffer, 0, MSG_DONTWAIT));
  CHECK(write(ends[0], "abc", 3) == 3);
  show("zero with bytes", recv(ends[1], buffer, 0, MSG_DONTWAIT));
  CHECK(set_option(ends[1], SOL_SOCKET, SO_PEEK_OFF, 1) == 0);
  show("peek at 1", recv(ends[1], buffer, 1, MSG_PEEK));
  printf("%c\n", buffer[0]);
  show("peek at 2", recv(ends[1], buffer, 9, MSG_PEEK));
  printf("%c\n", buffer[0]);
  show("peek at 3", recv(ends[1], buffer, 9, MSG_PEEK | MSG_DONTWAIT));
  show("take one", recv(ends[1], buffer, 1, 0));
  show_option("offset", ends[1], SOL_SOCKET, SO_PEEK_OFF);
  show("errors", recv(ends[1], buffer, 9, MSG_ERRQUEUE | MSG_DONTWAIT));
  CHECK(set_option(ends[1], SOL_SOCKET, SO_RCVLOWAT, 4) == 0);
  show_events("below the mark", ends[1], 0);
  CHECK(write(ends[0], "de", 2) == 2);
  show_events("at the mark", ends[1], POLLIN);
  struct timeval limit = {0, 20000};
  CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
  show("timeout", recv(ends[0], buffer, 9, 0));
}

static volatile sig_atomic_t urgent_signals;
static void on_urgent(int signal) { urgent_signals += signal == SIGURG; }

void tcp_urgent(void) {
  int ends[2], mark = -1;
  connected_pair(AF_INET, ends);
  signal(SIGURG, on_urgent);
  show("none", recv(ends[1], buffer, 1, MSG_OOB));
  CHECK(fcntl(ends[1], F_SETOWN, getpid()) == 0);
  show("normal", send(ends[0], "abc", 3, 0));
  show("urgent", send(ends[0], "xyZ", 3, MSG_OOB));
  show("after", send(ends[0], "def", 3, 0));
  show_events("pending", ends[1], POLLPRI);
  printf("signals: %d\n", (int)urgent_signals);
  show_ok("mark", ioctl(ends[1], SIOCATMARK, &mark));
  printf("%d\n", mark);
  show("peek urgent", recv(ends[1], buffer, 1, MSG_OOB | MSG_PEEK));
  show("take urgent", recv(ends[1], buffer, 1, MSG_OOB));
  printf("%c\n", buffer[0]);
  show("again", recv(ends[1], buffer, 1, MSG_OOB));
  show_events("taken", ends[1], 0);
  show("before it", recv(ends[1], buffer, 64, 0));
  printf("%.5s\n", buffer);
  CHECK(ioctl(ends[1], SIOCATMARK, &mark) == 0);
  printf("at mark: %d\n", mark);
  show("after it", recv(ends[1], buffer, 64, 0));
  printf("%.3s\n", buffer);
  CHECK(ioctl(ends[1], SIOCATMARK, &mark) == 0);
  printf("at mark: %d\n", mark);

  CHECK(set_option(ends[1], SOL_SOCKET, SO_OOBINLINE, 1) == 0);
  show("urgent", send(ends[0], "1", 1, MSG_OOB));
  show("more", send(ends[0], "2", 1, 0));
  settle();
  show("refused", recv(ends[1], buffer, 1, MSG_OOB));
  CHECK(ioctl(ends[1], SIOCATMARK, &mark) == 0);
  printf("at mark: %d\n", mark);
  show("in line", recv(ends[1], buffer, 64, 0));
  printf("%.2s\n", buffer);

  CHECK(set_option(ends[1], SOL_SOCKET, SO_OOBINLINE, 0) == 0);
  show("first", send(ends[0], "a", 1, MSG_OOB));
  settle();
  show("second", send(ends[0], "b", 1, MSG_OOB));
  settle();
  show("urgent", recv(ends[1], buffer, 1, MSG_OOB));
  printf("%c\n", buffer[0]);
  show("rest", recv(ends[1], buffer, 64, MSG_DONTWAIT));
  printf("signals: %d\n", (int)urgent_signals);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(ends[1], &set);
  struct timeval none = {0, 0};
  CHECK(send(ends[0], "!", 1, MSG_OOB) == 1);
  settle();
  show("exceptional", select(ends[1] + 1, NULL, NULL, &set, &none));
  show("length 0", recv(ends[1], buffer, 0, MSG_OOB));
}

void tcp_pressure(void) {
  static char block[65536];
  int ends[2];
  connected_pair(AF_INET, ends);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  long sent = 0, part;
  while ((part = send(ends[0], block, sizeof block, 0)) > 0) sent += part;
  show("full", part);
  printf("at least: %d\n", sent >= 200000);
  show_events("writer", ends[0], 0);
  show_events("reader", ends[1], 0);
  long taken = 0;
  while (taken < sent) {
    part = recv(ends[1], block, sizeof block, 0);
    CHECK(part > 0);
    taken += part;
  }
  show("empty", recv(ends[1], block, 1, MSG_DONTWAIT));
  show_events("room again", ends[0], POLLOUT);
  close(ends[0]);
  close(ends[1]);

  // Small buffers hold little.
  connected_pair(AF_INET, ends);
  CHECK(set_option(ends[0], SOL_SOCKET, SO_SNDBUF, 4096) == 0);
  CHECK(set_option(ends[1], SOL_SOCKET, SO_RCVBUF, 4096) == 0);
  show_option("SO_SNDBUF", ends[0], SOL_SOCKET, SO_SNDBUF);
  show_option("SO_RCVBUF", ends[1], SOL_SOCKET, SO_RCVBUF);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  sent = 0;
  while ((part = send(ends[0], block, sizeof block, 0)) > 0) sent += part;
  printf("little: %d\n", sent > 0 && sent < 300000);
  // A blocked writer goes on when there is room.
  fcntl(ends[0], F_SETFL, 0);
  const pid_t writer = fork();
  CHECK(writer >= 0);
  if (writer == 0) {
    close(ends[1]);
    _exit(send(ends[0], block, sizeof block, 0) == sizeof block ? 0 : 1);
  }
  taken = 0;
  while (taken < sent + (long)sizeof block) {
    part = recv(ends[1], block, 1000, 0);
    CHECK(part > 0);
    taken += part;
  }
  printf("writer: %d\n", guest_wait(writer));
  struct timeval limit = {0, 20000};
  CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
  while ((part = send(ends[0], block, sizeof block, 0)) > 0) {}
  show("timeout", part);
}

static void show_ready(const char *what, int epoll) {
  struct epoll_event event;
  const int count = epoll_wait(epoll, &event, 1, 200);
  printf("%s: %d", what, count);
  if (count > 0) printf(", %#x", event.events);
  printf("\n");
}

void tcp_epoll(void) {
  int ends[2];
  connected_pair(AF_INET, ends);
  const int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
  show_ready("writable", epoll);
  CHECK(epoll_wait(epoll, &event, 1, 20) == 0);
  CHECK(write(ends[1], "a", 1) == 1);
  show_ready("readable", epoll);
  CHECK(epoll_wait(epoll, &event, 1, 20) == 0);
  CHECK(write(ends[1], "b", 1) == 1);
  show_ready("readable again", epoll);
  show("read", read(ends[0], buffer, 9));
  CHECK(shutdown(ends[1], SHUT_WR) == 0);
  show_ready("ended", epoll);
  CHECK(epoll_wait(epoll, &event, 1, 20) == 0);
  close(ends[1]);
  guest_sleep_ms(10);
  CHECK(write(ends[0], "x", 1) == 1);
  show_ready("reset", epoll);
  close(ends[0]);
  CHECK(epoll_wait(epoll, &event, 1, 20) == 0);

  union address address;
  const int listener = bound(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, -1, &address);
  CHECK(listen(listener, 9) == 0);
  event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) == 0);
  const int one = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connect(one, &address.any, size_of(&address)) == 0);
  show_ready("connection", epoll);
  CHECK(connect(two, &address.any, size_of(&address)) == 0);
  CHECK(epoll_wait(epoll, &event, 1, 20) == 0);
  event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_MOD, listener, &event) == 0);
  show_ready("armed again", epoll);
  // Room for a writer is an edge.
  static char block[65536];
  const int accepted = accept(listener, NULL, NULL);
  fcntl(one, F_SETFL, O_NONBLOCK);
  event = (struct epoll_event){.events = EPOLLOUT | EPOLLET};
  CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, one, &event) == 0);
  show_ready("room", epoll);
  long sent = 0, part;
  while ((part = send(one, block, sizeof block, 0)) > 0) sent += part;
  CHECK(epoll_wait(epoll, &event, 1, 20) == 0);
  while (sent > 0) {
    part = recv(accepted, block, sizeof block, 0);
    CHECK(part > 0);
    sent -= part;
  }
  show_ready("room again", epoll);
}
