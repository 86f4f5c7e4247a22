// Pipes and readiness: pipe, eventfd, poll, select, epoll.

#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void pipes(void) {
  int ends[2];
  char text[64] = "";
  CHECK(pipe(ends) == 0);
  CHECK(write(ends[1], "hello", 5) == 5 && write(ends[1], " world", 6) == 6);
  int available = 0;
  CHECK(ioctl(ends[0], FIONREAD, &available) == 0);
  printf("available: %d\n", available);
  printf("part: %ld\n", (long)read(ends[0], text, 4));
  printf("rest: %ld\n", (long)read(ends[0], text, sizeof text));
  CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
  guest_result("empty", read(ends[0], text, 1));
  CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
  char block[4096] = {0};
  long total = 0;
  for (ssize_t written; (written = write(ends[1], block, sizeof block)) > 0;) total += written;
  printf("capacity: %ld\n", total);
  guest_result("full", write(ends[1], block, 1));
  CHECK(read(ends[0], block, sizeof block) == sizeof block);
  guest_result("room again", write(ends[1], block, 100));
  guest_result("write to the read end", write(ends[0], "x", 1));
  close(ends[1]);
  total = 0;
  for (ssize_t length; (length = read(ends[0], block, sizeof block)) > 0;) total += length;
  printf("drained %ld, then end of file\n", total);
  CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  printf("pipe2: %d %#o\n", fcntl(ends[0], F_GETFD), fcntl(ends[0], F_GETFL));
  guest_result("pipe2 bad flags", pipe2(ends, 0x77));
  close(ends[0]);
  signal(SIGPIPE, SIG_IGN);
  guest_result("no reader", write(ends[1], "x", 1));
  printf("SIGPIPE: %d\n", IN_CHILD({
           signal(SIGPIPE, SIG_DFL);
           (void)!write(ends[1], "x", 1);
         }));
  // A large transfer, both sides blocking.
  CHECK(pipe(ends) == 0);
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    char data[70000];
    for (int i = 0; i < 40; i++) {
      memset(data, i, sizeof data);
      CHECK(write(ends[1], data, sizeof data) == sizeof data);
    }
    _exit(0);
  }
  close(ends[1]);
  unsigned long sum = 0, bytes = 0;
  unsigned char piece[9999];
  for (ssize_t length; (length = read(ends[0], piece, sizeof piece)) > 0; bytes += (unsigned long)length)
    for (ssize_t i = 0; i < length; i++) sum += piece[i];
  CHECK(guest_wait(child) == 0);
  printf("%lu bytes, sum %lu\n", bytes, sum);
  // Blocks of up to PIPE_BUF bytes are not mixed.
  CHECK(pipe(ends) == 0);
  for (int w = 0; w < 4; w++)
    if (fork() == 0) {
      char same[512];
      memset(same, 'a' + w, sizeof same);
      for (int i = 0; i < 100; i++) CHECK(write(ends[1], same, sizeof same) == sizeof same);
      _exit(0);
    }
  close(ends[1]);
  bytes = 0;
  for (;;) {
    size_t have = 0;
    char same[512];
    for (ssize_t length; have < sizeof same && (length = read(ends[0], same + have, sizeof same - have)) > 0;)
      have += (size_t)length;
    if (have == 0) break;
    CHECK(have == sizeof same);
    for (size_t i = 1; i < sizeof same; i++) CHECK(same[i] == same[0]);
    bytes += have;
  }
  while (wait(NULL) > 0) {}
  printf("whole blocks: %lu\n", bytes);
}

static void ping_pong(void) {
  int to[2], from[2];
  CHECK(pipe(to) == 0 && pipe(from) == 0);
  const pid_t child = fork();
  uint32_t value;
  if (child == 0) {
    while (read(to[0], &value, 4) == 4 && value != 0) {
      value *= 3;
      CHECK(write(from[1], &value, 4) == 4);
    }
    _exit(0);
  }
  for (uint32_t i = 1; i <= 2000; i++) {
    CHECK(write(to[1], &i, 4) == 4 && read(from[0], &value, 4) == 4 && value == 3 * i);
  }
  value = 0;
  CHECK(write(to[1], &value, 4) == 4);
  CHECK(guest_wait(child) == 0);
  printf("2000 round trips\n");
}

static void polls(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  struct pollfd pollers[3] = {{.fd = ends[0], .events = POLLIN}, {.fd = ends[1], .events = POLLOUT}, {.fd = -1}};
  printf("poll: %d", poll(pollers, 3, 0));
  printf(" %#x %#x\n", pollers[0].revents, pollers[1].revents);
  CHECK(write(ends[1], "x", 1) == 1);
  printf("poll: %d", poll(pollers, 3, 0));
  printf(" %#x %#x\n", pollers[0].revents, pollers[1].revents);
  close(ends[1]);
  pollers[1].fd = 200;
  printf("poll: %d", poll(pollers, 2, -1));
  printf(" %#x %#x\n", pollers[0].revents, pollers[1].revents);
  char byte;
  CHECK(read(ends[0], &byte, 1) == 1);
  printf("hung up: %d", poll(pollers, 1, -1));
  printf(" %#x\n", pollers[0].revents);
  CHECK(pipe(ends) == 0);
  pollers[0].fd = ends[0];
  const int64_t start = guest_now();
  printf("time-out: %d\n", poll(pollers, 1, 30));
  CHECK(guest_now() - start >= 29000000);
  printf("nothing to wait for: %d\n", poll(NULL, 0, 5));
  fd_set readers, writers;
  FD_ZERO(&readers);
  FD_ZERO(&writers);
  FD_SET(ends[0], &readers);
  FD_SET(ends[1], &writers);
  struct timeval time = {0, 10000};
  printf("select: %d", select(ends[1] + 1, &readers, &writers, NULL, &time));
  printf(" %d %d\n", FD_ISSET(ends[0], &readers) != 0, FD_ISSET(ends[1], &writers) != 0);
  FD_ZERO(&readers);
  FD_SET(ends[0], &readers);
  struct timespec brief = {0, 10000000};
  printf("pselect: %d\n", pselect(ends[0] + 1, &readers, NULL, NULL, &brief, NULL));
  FD_ZERO(&readers);
  close(40);
  FD_SET(40, &readers);
  guest_result("select closed", select(41, &readers, NULL, NULL, &time));
  guest_result("select negative", select(-1, NULL, NULL, NULL, &time));
  // A regular file is always ready.
  pollers[0] = (struct pollfd){.fd = open("/proc/self/exe", O_RDONLY), .events = POLLIN | POLLOUT};
  printf("file: %d", poll(pollers, 1, -1));
  printf(" %#x\n", pollers[0].revents);
}

static void events(void) {
  const int fd = eventfd(3, EFD_NONBLOCK);
  uint64_t value = 4;
  CHECK(fd >= 0 && write(fd, &value, 8) == 8 && read(fd, &value, 8) == 8);
  printf("sum: %lu\n", (unsigned long)value);
  guest_result("empty", read(fd, &value, 8));
  guest_result("short", read(fd, &value, 4));
  value = UINT64_MAX;
  guest_result("all ones", write(fd, &value, 8));
  value = UINT64_MAX - 1;
  guest_result("almost", write(fd, &value, 8));
  value = 1;
  guest_result("overflow", write(fd, &value, 8));
  const int semaphore = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  for (int i = 0; i < 3; i++) guest_result("semaphore", read(semaphore, &value, 8));
  const int blocking = eventfd(0, 0);
  const pid_t child = fork();
  if (child == 0) {
    guest_sleep_ms(20);
    value = 9;
    CHECK(write(blocking, &value, 8) == 8);
    _exit(0);
  }
  CHECK(read(blocking, &value, 8) == 8);
  printf("from child: %lu\n", (unsigned long)value);
  CHECK(guest_wait(child) == 0);
}

static void *write_later(void *argument) {
  guest_sleep_ms(20);
  CHECK(write(*(int *)argument, "x", 1) == 1);
  return NULL;
}

static void splicing(void) {
  _Alignas(4096) static char data[1 << 17];
  int ends[2];
  CHECK(pipe(ends) == 0);
  struct iovec vector = {data, sizeof data};
  printf("what fits: %ld\n", (long)vmsplice(ends[1], &vector, 1, 0));
  guest_result("full", vmsplice(ends[1], &vector, 1, SPLICE_F_NONBLOCK));
}

static void *wait_alone(void *argument) {
  struct epoll_event got;
  printf("exclusive waiter: %d\n", epoll_wait(*(int *)argument, &got, 1, 100000));
  return NULL;
}

/// Of those that watch a file exclusively, one that nobody waits on does not swallow an event.
static void exclusive(void) {
  int ends[2], idle = epoll_create1(0), busy = epoll_create1(0);
  CHECK(idle >= 0 && busy >= 0 && pipe(ends) == 0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE}, got;
  CHECK(epoll_ctl(idle, EPOLL_CTL_ADD, ends[0], &event) == 0);
  CHECK(epoll_ctl(busy, EPOLL_CTL_ADD, ends[0], &event) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wait_alone, &busy) == 0);
  guest_sleep_ms(50);
  CHECK(write(ends[1], "x", 1) == 1);
  CHECK(pthread_join(thread, NULL) == 0);
  printf("idle: %d\n", epoll_wait(idle, &got, 1, 0));
}

static void epolls(void) {
  const int set = epoll_create1(EPOLL_CLOEXEC);
  int ends[2];
  CHECK(set >= 0 && pipe2(ends, O_NONBLOCK) == 0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0}, got[4];
  CHECK(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event) == 0);
  guest_result("twice", epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event));
  guest_result("modify missing", epoll_ctl(set, EPOLL_CTL_MOD, ends[1], &event));
  guest_result("delete missing", epoll_ctl(set, EPOLL_CTL_DEL, ends[1], NULL));
  guest_result("itself", epoll_ctl(set, EPOLL_CTL_ADD, set, &event));
  guest_result("bad fd", epoll_ctl(set, EPOLL_CTL_ADD, 300, &event));
  guest_result("regular file", epoll_ctl(set, EPOLL_CTL_ADD, open("/proc/self/exe", O_RDONLY), &event));
  printf("nothing: %d\n", epoll_wait(set, got, 4, 0));
  CHECK(write(ends[1], "ab", 2) == 2);
  printf("level: %d", epoll_wait(set, got, 4, -1));
  printf(" %#x %#lx\n", got[0].events, (unsigned long)got[0].data.u64);
  printf("level again: %d\n", epoll_wait(set, got, 4, 0));
  event.events = EPOLLIN | EPOLLET;
  CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0);
  printf("edge: %d\n", epoll_wait(set, got, 4, 0));
  printf("edge again: %d\n", epoll_wait(set, got, 4, 0));
  CHECK(write(ends[1], "c", 1) == 1);
  printf("edge after write: %d\n", epoll_wait(set, got, 4, 0));
  event.events = EPOLLIN | EPOLLONESHOT;
  CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0);
  printf("one shot: %d\n", epoll_wait(set, got, 4, 0));
  printf("one shot again: %d\n", epoll_wait(set, got, 4, 0));
  char text[8];
  CHECK(read(ends[0], text, sizeof text) == 3);
  event.events = EPOLLIN;
  CHECK(epoll_ctl(set, EPOLL_CTL_MOD, ends[0], &event) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, write_later, &ends[1]) == 0);
  printf("woken: %d\n", epoll_wait(set, got, 4, 5000));
  pthread_join(thread, NULL);
  // An epoll set is itself pollable, and nests.
  const int outer = epoll_create1(0);
  event.data.u64 = 7;
  CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, set, &event) == 0);
  printf("nested: %d\n", epoll_wait(outer, got, 4, 1000));
  close(ends[1]);
  CHECK(read(ends[0], text, sizeof text) == 1);
  printf("hang-up: %d", epoll_wait(set, got, 4, 0));
  printf(" %#x\n", got[0].events);
  close(ends[0]);
  printf("closed: %d\n", epoll_wait(set, got, 4, 0));
  guest_result("bad maximum", epoll_wait(set, got, 0, 0));
  guest_result("not an epoll", epoll_wait(0, got, 4, 0));
  const int64_t start = guest_now();
  printf("time-out: %d\n", epoll_wait(set, got, 4, 20));
  CHECK(guest_now() - start >= 19000000);
  // Many descriptors.
  static int counters[200];
  for (int i = 0; i < 200; i++) {
    CHECK((counters[i] = eventfd(0, EFD_NONBLOCK)) >= 0);
    event = (struct epoll_event){.events = EPOLLIN, .data.u32 = (uint32_t)i};
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, counters[i], &event) == 0);
  }
  const uint64_t one = 1;
  for (int i = 0; i < 200; i += 7) CHECK(write(counters[i], &one, 8) == 8);
  static struct epoll_event ready[300];
  const int count = epoll_wait(set, ready, 300, 0);
  unsigned sum = 0;
  for (int i = 0; i < count; i++) sum += ready[i].data.u32;
  printf("of 200: %d, sum %u\n", count, sum);
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"pipes", pipes}, {"pingpong", ping_pong}, {"polls", polls}, {"events", events}, {"epolls", epolls},
      {"exclusive", exclusive}, {"splicing", splicing}, {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
