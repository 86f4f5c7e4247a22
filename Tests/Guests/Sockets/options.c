// Options that all sockets share, and calls with several messages.

#define _GNU_SOURCE 1
#include <grp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "sockets.h"

void drop_privileges(void) {
  if (geteuid() != 0) return;
  CHECK(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
}

static void show_value(int fd, int option) {
  unsigned char value[64] = {0};
  socklen_t size = sizeof value;
  if (getsockopt(fd, SOL_SOCKET, option, value, &size) < 0) {
    printf(" %s", strerrorname_np(errno));
    return;
  }
  printf(" ");
  for (socklen_t i = 0; i < size; i++) printf("%02x", value[i]);
}

static void all_options(int fd, const char *name) {
  // What newer kernels have, what is a number of its own for each socket, and filters are left out.
  static const int left_out[] = {17, 22, 23, 24, 26, 27, 31, 50, 51, 52, 54, 57, 58, 61, 68, 71};
  printf("%s\n", name);
  for (int option = 1; option <= 73; option++) {
    bool skip = false;
    for (unsigned i = 0; i < sizeof left_out / sizeof *left_out; i++) skip |= left_out[i] == option;
    if (skip) continue;
    printf("%d:", option);
    show_value(fd, option);
    static const long one[2] = {1, 0};
    const long set = setsockopt(fd, SOL_SOCKET, option, one, sizeof(int));
    printf(" 4: %s", set < 0 ? strerrorname_np(errno) : "ok");
    const long set_large = setsockopt(fd, SOL_SOCKET, option, one, sizeof one);
    printf(" 16: %s, then", set_large < 0 ? strerrorname_np(errno) : "ok");
    show_value(fd, option);
    printf("\n");
  }
  int value = 1;
  show("short", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 3));
  show("no filter", setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &value, 4));
  socklen_t size = 2;
  value = 0x7f7f7f7f;
  show("part", getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
  printf("%#x, %u\n", value, size);
  size = 4;
  show("short cookie", getsockopt(fd, SOL_SOCKET, 57, &value, &size));
  static const int sizes[] = {0, 1, 100, 2000, 5000, 106496};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sizes[i], sizeof(int)) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &sizes[i], sizeof(int)) == 0);
    printf("buffers of %d:", sizes[i]);
    show_value(fd, SO_SNDBUF);
    show_value(fd, SO_RCVBUF);
    printf("\n");
  }
  value = 7;
  show("priority 7", setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &value, sizeof value));
  value = 6;
  show("priority 6", setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &value, sizeof value));
  static const struct linger lingers[] = {{1, 5}, {0, 9}, {1, 0}};
  for (unsigned i = 0; i < 3; i++) {
    show("linger", setsockopt(fd, SOL_SOCKET, SO_LINGER, &lingers[i], sizeof *lingers));
    show_value(fd, SO_LINGER);
    printf("\n");
  }
  show("atmark", ioctl(fd, 0x8905, &value));
  value = getpid();
  show("owner", ioctl(fd, 0x8901, &value));
  value = 0;
  show("owner", ioctl(fd, 0x8903, &value));
  printf("%s\n", value == getpid() ? "own" : "other");
  show("no stamp", ioctl(fd, 0x8906, &value));
}

static void options_of_pairs(void) {
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  static const char *const names[] = {"stream", "datagram", "packets"};
  for (unsigned i = 0; i < 3; i++) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, types[i], 0, ends) == 0);
    struct ucred owner;
    socklen_t size = sizeof owner;
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &owner, &size) == 0);
    printf("peer: %d, %u %u\n", owner.pid == getpid(), owner.uid, owner.gid);
    CHECK(close(ends[1]) == 0);
    all_options(ends[0], names[i]);
  }
}

void options(void) {
  drop_privileges();
  options_of_pairs();
}

void privileged_options(void) {
  if (geteuid() != 0) return;
  int ends[2], value = 4 << 20;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  show("forced", setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &value, sizeof value));
  show_value(ends[0], SO_SNDBUF);
  value = -1;
  show("negative", setsockopt(ends[0], SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof value));
  show_value(ends[0], SO_RCVBUF);
  value = 7;
  show("priority", setsockopt(ends[0], SOL_SOCKET, SO_PRIORITY, &value, sizeof value));
  show("mark", setsockopt(ends[0], SOL_SOCKET, SO_MARK, &value, sizeof value));
  show_value(ends[0], SO_MARK);
  show("interface", setsockopt(ends[0], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  show_value(ends[0], SO_BINDTODEVICE);
  printf("\n");
}

static void ignore(int signal) { (void)signal; }

static void set_timeout(int fd, int option, long seconds, long microseconds) {
  const struct timeval time = {seconds, microseconds};
  printf("%ld s %ld us: ", seconds, microseconds);
  show("set", setsockopt(fd, SOL_SOCKET, option, &time, sizeof time));
}

void timeouts(void) {
  int ends[2];
  static char buffer[1 << 20];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  set_timeout(ends[0], SO_RCVTIMEO, 0, 1000000);
  set_timeout(ends[0], SO_RCVTIMEO, 0, -1);
  set_timeout(ends[0], SO_RCVTIMEO, -1, 0);
  show_value(ends[0], SO_RCVTIMEO);
  set_timeout(ends[0], SO_RCVTIMEO, 0, 40000);
  set_timeout(ends[0], SO_SNDTIMEO, 0, 60000);
  show_value(ends[0], SO_RCVTIMEO);
  printf("\n");
  int64_t start = guest_now();
  show("read", read(ends[0], buffer, 1));
  int64_t took = guest_now() - start;
  printf("after its time: %d\n", took >= 40000000 && took < 5000000000);
  show("recv", recv(ends[0], buffer, 1, 0));
  CHECK(write(ends[1], "abc", 3) == 3);
  show("part of all", recv(ends[0], buffer, 8, MSG_WAITALL));
  start = guest_now();
  long sent = write(ends[0], buffer, sizeof buffer);
  took = guest_now() - start;
  printf("part written: %d, after its time: %d\n", sent > 0 && sent < (long)sizeof buffer, took >= 60000000);
  show("nothing written", write(ends[0], buffer, sizeof buffer));
  // A handler ends the call although it restarts others.
  const struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  const struct itimerval soon = {{0, 0}, {0, 30000}};
  set_timeout(ends[0], SO_RCVTIMEO, 10, 0);
  CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
  show("interrupted", recv(ends[0], buffer, 1, 0));
  set_timeout(ends[0], SO_RCVTIMEO, 0, 0);
  int low = 4;
  CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof low) == 0);
  const pid_t writer = fork();
  if (writer == 0) {
    for (int i = 0; i < 6; i++) {
      guest_sleep_ms(5);
      if (write(ends[1], "x", 1) != 1) _exit(1);
    }
    _exit(0);
  }
  show("low water", recv(ends[0], buffer, 4, 0));
  CHECK(guest_wait(writer) == 0);
  show("rest", recv(ends[0], buffer, 9, MSG_DONTWAIT));
}

void message_lists(void) {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  char texts[4][8] = {"one", "two", "three", ""};
  struct iovec vectors[4];
  struct mmsghdr messages[4];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < 4; i++) {
    vectors[i] = (struct iovec){texts[i], strlen(texts[i])};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  show("none", sendmmsg(ends[0], messages, 0, 0));
  show("sent", sendmmsg(ends[0], messages, 4, 0));
  for (int i = 0; i < 4; i++) printf(" %u", messages[i].msg_len);
  printf("\n");
  char space[4][4];
  for (int i = 0; i < 4; i++) {
    vectors[i] = (struct iovec){space[i], 4};
    messages[i].msg_len = 99;
  }
  struct timespec limit = {-1, 0};
  show("no time", recvmmsg(ends[1], messages, 2, 0, &limit));
  limit = (struct timespec){5, 0};
  show("received", recvmmsg(ends[1], messages, 2, 0, &limit));
  printf("time left: %d\n", limit.tv_sec == 4);
  show("rest", recvmmsg(ends[1], &messages[2], 2, MSG_DONTWAIT, NULL));
  for (int i = 0; i < 4; i++)
    printf(" %u %.*s %#x", messages[i].msg_len, (int)messages[i].msg_len, space[i], messages[i].msg_hdr.msg_flags);
  printf("\n");
  show("empty", recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, NULL));
  CHECK(send(ends[0], "a", 1, 0) == 1);
  show("wait for one", recvmmsg(ends[1], messages, 4, MSG_WAITFORONE, NULL));
  const pid_t writer = fork();
  if (writer == 0) {
    for (int i = 0; i < 3; i++) {
      guest_sleep_ms(5);
      if (send(ends[0], "late", 4, 0) != 4) _exit(1);
    }
    _exit(0);
  }
  show("three", recvmmsg(ends[1], messages, 3, 0, NULL));
  CHECK(guest_wait(writer) == 0);
  // A bad one in the middle ends the call.
  vectors[1].iov_base = (void *)8;
  show("bad", sendmmsg(ends[0], messages, 3, 0));
  show("bad first", sendmmsg(ends[0], &messages[1], 1, 0));
  messages[0].msg_hdr.msg_iovlen = 1025;
  show("vectors", sendmsg(ends[0], &messages[0].msg_hdr, 0));
  show("vectors", recvmsg(ends[0], &messages[0].msg_hdr, 0));
  close(ends[1]);
  messages[0].msg_hdr.msg_iovlen = 1;
  show("no peer", sendmmsg(ends[0], messages, 2, 0));
}
