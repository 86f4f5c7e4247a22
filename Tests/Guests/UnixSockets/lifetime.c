// What becomes of sockets that nobody can reach, and of many.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "unix_sockets.h"

static int count_sockets(void) {
  FILE *table = fopen("/proc/net/unix", "r");
  if (!table) return -1;
  int count = 0, c;
  while ((c = fgetc(table)) != EOF) count += c == '\n';
  fclose(table);
  return count;
}

/// Waits until a pipe has no writer any more: garbage is collected in the background natively.
static void expect_end(const char *what, int reader) {
  char byte;
  long got = -1;
  for (int i = 0; i < 500; i++) {
    got = read(reader, &byte, 1);
    if (got == 0) break;
    // Another socket that is closed makes the kernel look.
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    close(ends[0]), close(ends[1]);
    guest_sleep_ms(2);
  }
  show(what, got);
}

void cycles(void) {
  int pipe_ends[2], ends[2], others[2];
  // A pair whose ends lie in each other.
  CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  int passed[] = {ends[0], ends[1], pipe_ends[1]};
  CHECK(send_files(ends[0], passed, 3) == 1 && send_files(ends[1], passed, 3) == 1);
  for (int i = 0; i < 3; i++) close(passed[i]);
  expect_end("pair", pipe_ends[0]);
  // What can still be reached stays.
  CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, others) == 0);
  int first[] = {ends[0], ends[1], pipe_ends[1]};
  CHECK(send_files(ends[0], first, 3) == 1 && send_files(others[0], ends, 2) == 1);
  for (int i = 0; i < 3; i++) close(first[i]);
  for (int i = 0; i < 20; i++) {
    int extra[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, extra) == 0);
    close(extra[0]), close(extra[1]);
  }
  guest_sleep_ms(20);
  char byte;
  show("reachable", read(pipe_ends[0], &byte, 1));
  int got[8];
  CHECK(receive_files("taken out", others[1], got, 0) == 2);
  int inner[8];
  CHECK(receive_files("and again", got[1], inner, 0) == 3);
  for (int i = 0; i < 3; i++) close(inner[i]);
  close(got[0]), close(got[1]), close(others[0]), close(others[1]);
  expect_end("all closed", pipe_ends[0]);
  // A connection in its own listener's queue.
  guest_scratch();
  CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0);
  int listener = make_listener("s", SOCK_STREAM, 5), client = make(SOCK_STREAM);
  CHECK(connect_to(client, "s") == 0);
  int both[] = {listener, client, pipe_ends[1]};
  CHECK(send_files(client, both, 3) == 1);
  for (int i = 0; i < 3; i++) close(both[i]);
  expect_end("listener", pipe_ends[0]);
  // Deep nesting.
  CHECK(pipe2(pipe_ends, O_NONBLOCK) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  CHECK(send_files(ends[0], &pipe_ends[1], 1) == 1);
  close(pipe_ends[1]);
  for (int i = 0; i < 300; i++) {
    int next[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, next) == 0);
    CHECK(send_files(next[0], ends, 2) == 1);
    close(ends[0]), close(ends[1]);
    ends[0] = next[0], ends[1] = next[1];
  }
  show("nested", read(pipe_ends[0], &byte, 1));
  close(ends[0]), close(ends[1]);
  expect_end("nested, closed", pipe_ends[0]);
}

void many(void) {
  // As many files in flight as a user may have descriptors.
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const struct rlimit limit = {64, 64};
  IN_CHILD({
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (geteuid() == 0) CHECK(setresuid(64321, 64321, 64321) == 0);
    int some[16] = {0}, sent = 0;
    while (send_files(ends[0], some, 16) == 1) sent++;
    show("in flight", -1);
    printf("messages: %d\n", sent);
  });
}

void killed(void) {
  guest_scratch();
  const int before = count_sockets();
  CHECK(before >= 0);
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  int ready[2];
  CHECK(pipe(ready) == 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    limit.rlim_cur = limit.rlim_max < 5000 ? limit.rlim_max : 5000;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int listener = make_listener("s", SOCK_STREAM, 4096), ends[2], made = 0;
    static char bytes[2000];
    for (int i = 0; i < 1000; i++) {
      const int fd = make(SOCK_STREAM | SOCK_NONBLOCK);
      CHECK(connect_to(fd, "s") == 0 && write(fd, bytes, sizeof bytes) == sizeof bytes);
    }
    while (socketpair(AF_UNIX, made % 2 ? SOCK_DGRAM : SOCK_STREAM, 0, ends) == 0) {
      CHECK(write(ends[0], bytes, sizeof bytes) == sizeof bytes);
      if (made % 7 == 0) CHECK(send_files(ends[0], ends, 2) == 1 && send_files(ends[1], &listener, 1) == 1);
      made++;
    }
    CHECK(write(ready[1], "", 1) == 1);
    pause();
  }
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1);
  printf("many: %d\n", count_sockets() > before + 1000);
  CHECK(kill(child, SIGKILL) == 0);
  printf("ended: %d\n", guest_wait(child));
  // Natively other programs have sockets, too.
  const int most = before + 200;
  int after = most + 1;
  for (int i = 0; i < 500 && after > most; i++) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    close(ends[0]), close(ends[1]);
    guest_sleep_ms(4);
    after = count_sockets();
  }
  printf("as before: %d\n", after <= most);
}
