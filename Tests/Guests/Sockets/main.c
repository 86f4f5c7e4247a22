// Sockets: pairs of each type, what they carry, and what they answer to calls that are not for them.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "sockets.h"

static char buffer[1 << 16];

void show(const char *what, long result) {
  if (result < 0)
    guest_result(what, result);
  else
    printf("%s: %ld\n", what, result);
}

static void show_events(const char *what, int fd) {
  struct pollfd entry = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
  CHECK(poll(&entry, 1, 0) >= 0);
  printf("%s: %#x\n", what, (unsigned)entry.revents);
}

static void streams(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  show("first", write(ends[0], "hello", 5));
  show("second", write(ends[0], "world", 5));
  show("both", read(ends[1], buffer, 64));
  show("nothing", recv(ends[1], buffer, 1, MSG_DONTWAIT));
  show_events("idle", ends[1]);
  show("shut", shutdown(ends[0], SHUT_WR));
  show_events("half closed", ends[1]);
  show("end", read(ends[1], buffer, 64));
  show("back", write(ends[1], "q", 1));
  show("arrived", read(ends[0], buffer, 3));
  show("after shutdown", send(ends[0], "a", 1, MSG_NOSIGNAL));
  CHECK(write(ends[1], "unread", 6) == 6);
  close(ends[0]);
  show_events("closed with unread bytes", ends[1]);
  show("reset", read(ends[1], buffer, 4));
  show("then the end", read(ends[1], buffer, 4));
  show("no peer", send(ends[1], "a", 1, MSG_NOSIGNAL));
  close(ends[1]);

  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  int type;
  socklen_t size = sizeof type;
  CHECK(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM);
  struct ucred owner;
  size = sizeof owner;
  CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &owner, &size) == 0 && owner.pid == getpid());
  static char large[1 << 20];
  const pid_t writer = fork();
  if (writer == 0) _exit(write(ends[1], large, sizeof large) == sizeof large ? 0 : 1);
  show("all", recv(ends[0], large, sizeof large, MSG_WAITALL));
  printf("writer: %d\n", guest_wait(writer));
}

static void packets(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  CHECK(write(ends[0], "12345", 5) == 5 && write(ends[0], "67", 2) == 2);
  show("short", read(ends[1], buffer, 2));
  show("next", read(ends[1], buffer, 9));
  show("none", read(ends[1], buffer, 9));
  CHECK(write(ends[0], "peek me", 7) == 7);
  show("peeked", recv(ends[1], buffer, 3, MSG_PEEK | MSG_TRUNC));
  show("taken", recv(ends[1], buffer, 3, MSG_TRUNC));
  close(ends[0]);
  show("end", read(ends[1], buffer, 3));
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  show("empty sent", send(ends[0], "", 0, 0));
  show("empty received", recv(ends[1], buffer, 5, 0));
  close(ends[1]);
  show("gone", send(ends[0], "a", 1, 0));
  show("not a socket", recv(0, buffer, 1, MSG_DONTWAIT));
}

static void passed_files(void) {
  int ends[2], pipe_ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(pipe_ends) == 0);
  char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec vector = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(header), &pipe_ends[1], sizeof(int));
  show("sent", sendmsg(ends[0], &message, 0));
  close(pipe_ends[1]);
  memset(control, 0, sizeof control);
  message.msg_controllen = sizeof control;
  show("received", recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC));
  printf("control: %zu, flags %#x\n", (size_t)message.msg_controllen, (unsigned)message.msg_flags);
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  show("close on exec", fcntl(fd, F_GETFD));
  show("through it", write(fd, "abc", 3));
  close(fd);
  show("read", read(pipe_ends[0], buffer, 64));
  show("end", read(pipe_ends[0], buffer, 64));
}

/// A message of one byte with one control entry that holds an int.
struct one_entry {
  char byte, control[CMSG_SPACE(64)];
  struct iovec vector;
  struct msghdr header;
};

static struct msghdr *make_entry(struct one_entry *one, int level, int type, int value) {
  *one = (struct one_entry){.byte = 'x', .vector = {&one->byte, 1}};
  one->header = (struct msghdr){
      .msg_iov = &one->vector, .msg_iovlen = 1, .msg_control = one->control, .msg_controllen = CMSG_SPACE(sizeof(int))};
  struct cmsghdr *entry = CMSG_FIRSTHDR(&one->header);
  *entry = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(entry), &value, sizeof value);
  return &one->header;
}

static void refused_calls(int type) {
  int ends[2], value = 1;
  CHECK(socketpair(AF_UNIX, type, 0, ends) == 0);
  socklen_t size = sizeof value;
  CHECK(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &size) == 0);
  printf("type %d\n", value);
  show("listen", listen(ends[0], 1));
  show("accept", accept(ends[0], NULL, NULL));
  struct sockaddr_un address = {AF_UNIX, "/nonexistent"};
  show("short address", connect(ends[0], (struct sockaddr *)&address, 1));
  show("negative size", connect(ends[0], (struct sockaddr *)&address, -1));
  if (type == SOCK_STREAM || type == SOCK_SEQPACKET)
    show("to a name", sendto(ends[0], "a", 1, 0, (struct sockaddr *)&address, sizeof address));
  show("to nobody", sendto(ends[0], "b", 1, 0, (struct sockaddr *)&address, 0));
  while (recv(ends[1], buffer, 64, MSG_DONTWAIT) > 0) {}
  show("level", setsockopt(ends[0], 99, 1, &value, sizeof value));
  show("option", setsockopt(ends[0], SOL_SOCKET, 999, &value, sizeof value));
  show("short option", setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &value, 3));
  show("direction", shutdown(ends[0], 7));
  struct one_entry one;
  show("entry of another level", sendmsg(ends[0], make_entry(&one, 0, 8, 0), 0));
  show("unknown entry", sendmsg(ends[0], make_entry(&one, SOL_SOCKET, 77, 0), 0));
  show("file of no descriptor", sendmsg(ends[0], make_entry(&one, SOL_SOCKET, SCM_RIGHTS, 99), 0));
  CHECK(recv(ends[1], buffer, 64, 0) == 1);
  char name[2] = {0x11, 0x11};
  size = 1;
  CHECK(getsockname(ends[0], (struct sockaddr *)name, &size) == 0);
  printf("part of a name: %u, %#x %#x\n", size, name[0], name[1]);
  size = 2;
  CHECK(getpeername(ends[0], (struct sockaddr *)name, &size) == 0);
  printf("peer: %u, %#x %#x\n", size, name[0], name[1]);
}

static void refusals(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
  for (unsigned i = 0; i < sizeof types / sizeof *types; i++) refused_calls(types[i]);
  int ends[2];
  show("reliable", socketpair(AF_UNIX, SOCK_RDM, 0, ends));
  show("type 0", socketpair(AF_UNIX, 0, 0, ends));
  show("type 12", socketpair(AF_UNIX, 12, 0, ends));
  show("protocol", socketpair(AF_UNIX, SOCK_STREAM, 5, ends));
  show("family", socketpair(99, SOCK_STREAM, 0, ends));
  show("flag", socketpair(AF_UNIX, SOCK_STREAM | 0x40, 0, ends));
  show("no socket", listen(0, 1));
}

/// What a receive says of a message whose control entries do not fit.
static void short_control(void) {
  int ends[2], one = 1;
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0);
  static const size_t rooms[] = {0, 15, 16, 20, CMSG_LEN(12), CMSG_SPACE(12), CMSG_SPACE(12) + 16, 64};
  for (unsigned i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    struct one_entry entry;
    CHECK(sendmsg(ends[0], make_entry(&entry, SOL_SOCKET, SCM_RIGHTS, ends[0]), 0) == 1);
    memset(entry.control, 0, sizeof entry.control);
    entry.header.msg_controllen = rooms[i];
    entry.header.msg_namelen = 77;
    CHECK(recvmsg(ends[1], &entry.header, 0) == 1);
    printf("room %zu: flags %#x, name %u, control %zu", rooms[i], (unsigned)entry.header.msg_flags,
        (unsigned)entry.header.msg_namelen, (size_t)entry.header.msg_controllen);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&entry.header); c; c = CMSG_NXTHDR(&entry.header, c)) {
      int value = 0;
      if (c->cmsg_len >= CMSG_LEN(sizeof value)) memcpy(&value, CMSG_DATA(c), sizeof value);
      printf(", type %d of %zu", c->cmsg_type, (size_t)c->cmsg_len);
      if (c->cmsg_type == SCM_RIGHTS) close(value);
      if (c->cmsg_type == SCM_CREDENTIALS && value) printf(" from %s", value == getpid() ? "here" : "elsewhere");
    }
    printf("\n");
  }
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"streams", streams},
      {"packets", packets},
      {"passed files", passed_files},
      {"refusals", refusals},
      {"short control", short_control},
      {"options", options},
      {"privileged options", privileged_options},
      {"timeouts", timeouts},
      {"message lists", message_lists},
      {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
