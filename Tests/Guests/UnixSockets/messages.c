// What goes with messages: looks without taking, urgent bytes, credentials and files.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "unix_sockets.h"

#ifndef SO_PEERPIDFD
#define SO_PASSPIDFD 76
#define SO_PEERPIDFD 77
#endif
#define SCM_PIDFD_TYPE 4

static char buffer[4096];

/// Receives, and prints what was received.
static void look(const char *what, int fd, size_t size, int flags) {
  memset(buffer, 0, sizeof buffer);
  const long count = recv(fd, buffer, size, flags);
  if (count < 0)
    guest_result(what, -1);
  else
    printf("%s: %ld '%s'\n", what, count, buffer);
}

void peeks(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (int t = 0; t < 3; t++) {
    printf("type %d\n", types[t]);
    int ends[2], value, offset;
    socklen_t size = sizeof value;
    CHECK(socketpair(AF_UNIX, types[t] | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(write(ends[0], "aaaa", 4) == 4 && write(ends[0], "bbbb", 4) == 4 && write(ends[0], "cccc", 4) == 4);
    look("peek", ends[1], 6, MSG_PEEK);
    look("peek", ends[1], 3, MSG_PEEK | MSG_TRUNC);
    static const int offsets[] = {0, 2, 4, 9, 12, 20};
    for (unsigned i = 0; i < sizeof offsets / sizeof *offsets; i++) {
      CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &offsets[i], sizeof(int)) == 0);
      for (int k = 0; k < 3; k++) {
        look("at", ends[1], 3, MSG_PEEK);
        CHECK(getsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &value, &size) == 0);
        printf("%d -> %d\n", offsets[i], value);
      }
    }
    offset = 6;
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset) == 0);
    look("take", ends[1], 2, 0);
    CHECK(getsockopt(ends[1], SOL_SOCKET, SO_PEEK_OFF, &value, &size) == 0);
    printf("-> %d\n", value);
    look("peek", ends[1], 9, MSG_PEEK);
    look("take", ends[1], 20, 0);
    look("take", ends[1], 20, 0);
  }
}

static volatile sig_atomic_t signals;
static void count(int signal) { (void)signal, signals++; }

void urgent(void) {
  signal(SIGURG, count);
  for (int in_line = 0; in_line < 2; in_line++) {
    printf("in line %d\n", in_line);
    int ends[2], mark = -1, queued = -1;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(fcntl(ends[1], F_SETOWN, getpid()) == 0);
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_OOBINLINE, &in_line, sizeof in_line) == 0);
    look("none", ends[1], 1, MSG_OOB);
    show("send", send(ends[0], "hello", 5, 0));
    show("urgent", send(ends[0], "ab!", 3, MSG_OOB));
    show("send", send(ends[0], "world", 5, 0));
    printf("signals: %d\n", (int)signals);
    show_events("events", ends[1]);
    CHECK(ioctl(ends[1], SIOCATMARK, &mark) == 0 && ioctl(ends[1], FIONREAD, &queued) == 0);
    printf("mark %d, %d in queue\n", mark, queued);
    look("peek urgent", ends[1], 4, MSG_OOB | MSG_PEEK);
    look("peek", ends[1], 20, MSG_PEEK);
    look("to the mark", ends[1], 20, 0);
    CHECK(ioctl(ends[1], SIOCATMARK, &mark) == 0);
    printf("mark %d\n", mark);
    look("urgent", ends[1], 4, MSG_OOB);
    look("urgent", ends[1], 4, MSG_OOB);
    CHECK(ioctl(ends[1], SIOCATMARK, &mark) == 0);
    printf("mark %d\n", mark);
    show_events("events", ends[1]);
    look("rest", ends[1], 20, 0);
    // Taken first, its place still ends a receive.
    CHECK(send(ends[0], "abc", 3, MSG_OOB) == 3 && send(ends[0], "def", 3, 0) == 3);
    look("urgent", ends[1], 4, MSG_OOB);
    look("before", ends[1], 20, 0);
    CHECK(ioctl(ends[1], SIOCATMARK, &mark) == 0);
    printf("mark %d\n", mark);
    look("after", ends[1], 20, 0);
    // Two: the first is no longer urgent.
    CHECK(send(ends[0], "1", 1, MSG_OOB) == 1 && send(ends[0], "2", 1, MSG_OOB) == 1 && send(ends[0], "3", 1, 0) == 1);
    look("read", ends[1], 20, 0);
    look("read", ends[1], 20, 0);
    look("read", ends[1], 20, 0);
    show("nothing", send(ends[0], "", 0, MSG_OOB));
  }
}

/// Sends one byte with credentials, if there are any.
static long send_credentials(int fd, const struct ucred *sender) {
  char byte = 'x', control[CMSG_SPACE(sizeof *sender)] = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (sender) {
    message.msg_control = control, message.msg_controllen = sizeof control;
    struct cmsghdr *entry = CMSG_FIRSTHDR(&message);
    *entry = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(sizeof *sender)};
    memcpy(CMSG_DATA(entry), sender, sizeof *sender);
  }
  return sendmsg(fd, &message, 0);
}

/// Receives, and prints who sent it.
static void show_sender(const char *what, int fd, size_t size) {
  char control[256] = {0};
  struct iovec vector = {buffer, size};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  const long count = recvmsg(fd, &message, MSG_DONTWAIT);
  if (count < 0) return guest_result(what, -1);
  printf("%s: %ld, flags %#x", what, count, (unsigned)message.msg_flags);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    printf(", type %d of %zu", c->cmsg_type, (size_t)c->cmsg_len);
    if (c->cmsg_type == SCM_CREDENTIALS) {
      struct ucred sender;
      memcpy(&sender, CMSG_DATA(c), sizeof sender);
      printf(" (%s %u %u)", sender.pid == getpid() ? "me" : sender.pid == getppid() ? "parent" : sender.pid ? "other" : "nobody", sender.uid, sender.gid);
    } else if (c->cmsg_type == SCM_PIDFD_TYPE) {
      int fd;
      memcpy(&fd, CMSG_DATA(c), sizeof fd);
      printf(" (alive: %ld)", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
      close(fd);
    }
  }
  printf("\n");
}

void credentials(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (int t = 0; t < 3; t++) {
    printf("type %d\n", types[t]);
    int ends[2], one = 1;
    CHECK(socketpair(AF_UNIX, types[t], 0, ends) == 0);
    CHECK(write(ends[0], "early", 5) == 5);
    show_sender("not asked for", ends[1], 9);
    CHECK(write(ends[0], "late", 4) == 4);
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0);
    show_sender("asked for late", ends[1], 9);
    CHECK(write(ends[0], "in time", 7) == 7);
    show_sender("in time", ends[1], 9);
    struct ucred me = {getpid(), getuid(), getgid()};
    show("said", send_credentials(ends[0], &me));
    show_sender("said", ends[1], 9);
    CHECK(IN_CHILD(CHECK(write(ends[0], "child", 5) == 5)) == 0);
    CHECK(write(ends[0], "parent", 6) == 6);
    show_sender("from two", ends[1], 99);
    show_sender("from two", ends[1], 99);
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSPIDFD, &one, sizeof one) == 0);
    CHECK(write(ends[0], "pidfd", 5) == 5);
    show_sender("descriptor", ends[1], 9);
    // What may be said.
    IN_CHILD({
      if (geteuid() == 0) CHECK(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
      struct ucred claim = {getpid(), getuid(), getgid()};
      show("own", send_credentials(ends[0], &claim));
      claim.uid = 12;
      show("user", send_credentials(ends[0], &claim));
      claim = (struct ucred){getpid(), getuid(), 12};
      show("group", send_credentials(ends[0], &claim));
      claim = (struct ucred){getppid(), getuid(), getgid()};
      show("process", send_credentials(ends[0], &claim));
    });
    if (geteuid() == 0) {
      struct ucred claim = {getpid(), 12, 13};
      show("root", send_credentials(ends[0], &claim));
      claim.pid = 0x3fffff;
      show("no process", send_credentials(ends[0], &claim));
    }
    one = 0;
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSPIDFD, &one, sizeof one) == 0);
    for (int i = 0; i < 3; i++) show_sender("claims", ends[1], 99);
  }
}

static void show_peer(const char *what, int fd) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  CHECK(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0);
  printf("%s: %s %u %u, ", what, peer.pid == getpid() ? "me" : peer.pid == getppid() ? "parent" : peer.pid ? "other" : "nobody", peer.uid, peer.gid);
  int process = -1;
  size = sizeof process;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &size) == 0)
    printf("descriptor %d\n", fcntl(process, F_GETFD)), close(process);
  else
    printf("%s\n", strerrorname_np(errno));
}

void peers(void) {
  guest_scratch();
  CHECK(chmod(".", 0777) == 0);
  int listener = make_listener("s", SOCK_STREAM, 5);
  CHECK(chmod("s", 0777) == 0);
  show_peer("listener", listener);
  show_peer("unconnected", make(SOCK_STREAM));
  int ready[2], done[2];
  CHECK(pipe(ready) == 0 && pipe(done) == 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0) CHECK(setgroups(0, NULL) == 0 && setresgid(12, 12, 12) == 0 && setresuid(13, 13, 13) == 0);
    int fd = make(SOCK_STREAM);
    CHECK(connect_to(fd, "s") == 0);
    show_peer("client", fd);
    fflush(stdout);
    CHECK(write(ready[1], "", 1) == 1);
    CHECK(read(done[0], buffer, 1) == 1);
    _exit(0);
  }
  CHECK(read(ready[0], buffer, 1) == 1);
  int accepted = accept(listener, NULL, NULL);
  show_peer("accepted", accepted);
  CHECK(write(done[1], "", 1) == 1);
  CHECK(guest_wait(child) == 0);
  struct ucred peer;
  socklen_t size = sizeof peer;
  CHECK(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0);
  printf("after its end: %d\n", peer.pid == child);
}

long send_files(int fd, const int *files, int count) {
  char byte = 'f', control[CMSG_SPACE(253 * sizeof(int))] = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
  struct cmsghdr *entry = CMSG_FIRSTHDR(&message);
  *entry = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN((size_t)count * sizeof(int))};
  memcpy(CMSG_DATA(entry), files, (size_t)count * sizeof(int));
  return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int receive_files(const char *what, int fd, int *files, int flags) {
  char control[CMSG_SPACE(8 * sizeof(int))] = {0};
  struct iovec vector = {buffer, 8};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  memset(buffer, 0, 9);
  const long count = recvmsg(fd, &message, MSG_DONTWAIT | flags);
  if (count < 0) {
    guest_result(what, -1);
    return -1;
  }
  int found = 0;
  struct cmsghdr *entry = CMSG_FIRSTHDR(&message);
  if (entry && entry->cmsg_type == SCM_RIGHTS) {
    found = (int)((entry->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    if (files) memcpy(files, CMSG_DATA(entry), (size_t)found * sizeof(int));
  }
  printf("%s: '%s', %d files, flags %#x, control %zu\n", what, buffer, found, (unsigned)message.msg_flags, (size_t)message.msg_controllen);
  return found;
}

void files(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  for (int t = 0; t < 3; t++) {
    printf("type %d\n", types[t]);
    int ends[2], pipe_ends[2], got[8], one = 0;
    CHECK(socketpair(AF_UNIX, types[t], 0, ends) == 0 && pipe2(pipe_ends, O_NONBLOCK) == 0);
    CHECK(write(ends[0], "ab", 2) == 2);
    show("send", send_files(ends[0], pipe_ends, 2));
    CHECK(write(ends[0], "cd", 2) == 2);
    // A peek gives them, too.
    int found = receive_files("peek", ends[1], got, MSG_PEEK);
    for (int i = 0; i < found; i++) close(got[i]);
    for (int k = 0; k < 3; k++) {
      found = receive_files("receive", ends[1], got, MSG_CMSG_CLOEXEC);
      for (int i = 0; i < found; i++) printf("flags %d\n", fcntl(got[i], F_GETFD)), close(got[i]);
    }
    // A read drops them.
    CHECK(send_files(ends[0], &pipe_ends[1], 1) == 1);
    close(pipe_ends[1]);
    show("in flight", read(pipe_ends[0], buffer, 1));
    show("read", read(ends[1], buffer, 1));
    show("dropped", read(pipe_ends[0], buffer, 1));
    close(pipe_ends[0]);
    // More than there is room for.
    int many[10];
    for (int i = 0; i < 10; i++) many[i] = 0;
    CHECK(send_files(ends[0], many, 10) == 1);
    found = receive_files("many", ends[1], got, 0);
    for (int i = 0; i < found; i++) close(got[i]);
    // More descriptors than the process may have.
    CHECK(send_files(ends[0], many, 4) == 1);
    struct rlimit old, limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    int next = dup(0);
    close(next);
    limit = (struct rlimit){(rlim_t)next + 2, old.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    found = receive_files("limit", ends[1], got, 0);
    for (int i = 0; i < found; i++) close(got[i]);
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    // Refused by the receiver.
    if (setsockopt(ends[1], SOL_SOCKET, 83, &one, sizeof one) == 0) show("refused", send_files(ends[0], &one, 1));
    int none = -1;
    show("bad", send_files(ends[0], &none, 1));
    close(ends[1]);
    show("no peer", send_files(ends[0], &one, 1) < 0 && (errno == EPIPE || errno == ECONNREFUSED) ? 0 : 1);
  }
}
