// Descriptors that are closed and used again while a thread is blocked in a call on them: the call goes on with the
// file that it began with.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "guest.h"

/// A call that a thread makes, and what became of it.
struct call {
  long (*make)(struct call *);
  int fd, other;
  char bytes[64];
  struct pollfd entry;
  struct epoll_event event;
  long result;
  int error;
  pid_t thread;
  bool begun;
  pthread_t id;
};

static void *run(void *argument) {
  struct call *const call = argument;
  call->thread = (pid_t)syscall(SYS_gettid);
  __atomic_store_n(&call->begun, true, __ATOMIC_RELEASE);
  call->result = call->make(call);
  call->error = errno;
  return NULL;
}

/// Waits until a thread sleeps in a call.
static void await_sleep(pid_t thread) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
  while (true) {
    char text[512] = "";
    const int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    const char *const end = strrchr(text, ')');
    CHECK(end != NULL);
    if (end[2] == 'S') return;
    guest_sleep_ms(1);
  }
}

/// Has a thread make a call, and returns when it is blocked.
static void begin(struct call *call) {
  CHECK(pthread_create(&call->id, NULL, run, call) == 0);
  while (!__atomic_load_n(&call->begun, __ATOMIC_ACQUIRE)) guest_sleep_ms(1);
  await_sleep(call->thread);
}

static void finish(const char *what, struct call *call) {
  CHECK(pthread_join(call->id, NULL) == 0);
  errno = call->error;
  if (call->result < 0)
    guest_result(what, call->result);
  else
    printf("%s: %ld\n", what, call->result);
}

static long make_read(struct call *call) { return read(call->fd, call->bytes, sizeof call->bytes); }
static long make_readv(struct call *call) {
  const struct iovec vector = {call->bytes, sizeof call->bytes};
  return readv(call->fd, &vector, 1);
}
static long make_recv(struct call *call) { return recv(call->fd, call->bytes, sizeof call->bytes, 0); }
static long make_splice(struct call *call) { return splice(call->fd, NULL, call->other, NULL, 64, 0); }
static long make_tee(struct call *call) { return tee(call->fd, call->other, 64, 0); }
static long make_poll(struct call *call) { return poll(&call->entry, 1, 10000); }
static long make_epoll_wait(struct call *call) { return epoll_wait(call->fd, &call->event, 1, -1); }
static long make_flock(struct call *call) { return flock(call->fd, LOCK_EX); }
static long make_select(struct call *call) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(call->fd, &set);
  struct timeval limit = {10, 0};
  return select(call->fd + 1, &set, NULL, NULL, &limit);
}
static long make_record_lock(struct call *call) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  return fcntl(call->fd, F_SETLKW, &lock);
}

/// The bytes that a pipe has.
static void show_rest(const char *what, int fd) {
  char bytes[64];
  CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  const ssize_t count = read(fd, bytes, sizeof bytes);
  if (count < 0)
    guest_result(what, count);
  else
    printf("%s: \"%.*s\"\n", what, (int)count, bytes);
}

/// A thread reads from a pipe whose descriptor becomes that of another.
static void replace_pipe(const char *what, long (*make)(struct call *)) {
  int old[2], new[2], target[2];
  CHECK(pipe(old) == 0 && pipe(new) == 0 && pipe(target) == 0);
  struct call call = {.make = make, .fd = old[0], .other = target[1]};
  begin(&call);
  CHECK(dup2(new[0], old[0]) == old[0]);
  CHECK(write(new[1], "new one", 7) == 7 && write(old[1], "old", 3) == 3);
  finish(what, &call);
  printf("bytes: \"%s\"\n", call.bytes);
  show_rest("moved", target[0]);
  show_rest("in the new pipe", new[0]);
}

static void pipe_read(void) {
  replace_pipe("read", make_read);
  replace_pipe("readv", make_readv);
}

static void pipe_splice(void) {
  replace_pipe("splice", make_splice);
  replace_pipe("tee", make_tee);
}

/// The descriptor is gone, and with it the last one of the pipe's end, but the reader is still there.
static void closed_read(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  struct call call = {.make = make_read, .fd = ends[0]};
  begin(&call);
  CHECK(close(ends[0]) == 0);
  signal(SIGPIPE, SIG_IGN);
  guest_result("write", write(ends[1], "bytes", 5));
  finish("read", &call);
  guest_result("write without reader", write(ends[1], "bytes", 5));
}

static long make_big_write(struct call *call) {
  static char bytes[100000];
  return write(call->fd, bytes, sizeof bytes);
}

/// The writer of a pipe is there until all is written, and not for longer.
static void closed_write(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  struct call call = {.make = make_big_write, .fd = ends[1]};
  begin(&call);
  CHECK(dup2(ends[0], ends[1]) == ends[1]);
  long total = 0;
  static char bytes[4096];
  while (true) {
    const ssize_t count = read(ends[0], bytes, sizeof bytes);
    CHECK(count >= 0);
    if (count == 0) break;
    total += count;
  }
  printf("read until the end: %ld\n", total);
  finish("write", &call);
}

static void event_read(void) {
  const int old = eventfd(0, 0), new = eventfd(0, 0), kept = dup(old);
  CHECK(old >= 0 && new >= 0 && kept >= 0);
  struct call call = {.make = make_read, .fd = old};
  begin(&call);
  CHECK(dup2(new, old) == old);
  uint64_t value = 3;
  CHECK(write(new, &value, 8) == 8);
  value = 5;
  CHECK(write(kept, &value, 8) == 8);
  finish("read", &call);
  memcpy(&value, call.bytes, 8);
  printf("value: %d\n", (int)value);
}

static void socket_recv(void) {
  int old[2], new[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, old) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, new) == 0);
  struct call call = {.make = make_recv, .fd = old[0]};
  begin(&call);
  CHECK(dup2(new[0], old[0]) == old[0]);
  CHECK(send(new[1], "new one", 7, 0) == 7 && send(old[1], "old", 3, 0) == 3);
  finish("recv", &call);
  printf("bytes: \"%s\"\n", call.bytes);
  guest_result("send to nobody", send(old[1], "more", 4, MSG_NOSIGNAL));
}

/// A file that waits in a blocked message is the one that its descriptor was.
static long make_sendmsg(struct call *call) {
  static char bytes[300000];
  struct iovec vector = {bytes, sizeof bytes};
  char control[CMSG_SPACE(sizeof(int))];
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &call->other, sizeof(int));
  return sendmsg(call->fd, &message, 0);
}

static void socket_send(void) {
  static char bytes[4096];
  int pair[2], old[2], new[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(old) == 0 && pipe(new) == 0);
  // Not even the first byte has room.
  CHECK(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
  while (send(pair[0], bytes, sizeof bytes, 0) > 0) {}
  while (send(pair[0], bytes, 1, 0) > 0) {}
  CHECK(fcntl(pair[0], F_SETFL, 0) == 0);
  struct call call = {.make = make_sendmsg, .fd = pair[0], .other = old[1]};
  begin(&call);
  CHECK(dup2(new[1], old[1]) == old[1]);
  CHECK(dup2(new[1], pair[0]) == pair[0]);
  int passed = -1;
  while (true) {
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = {bytes, sizeof bytes};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    const ssize_t count = recvmsg(pair[1], &message, 0);
    CHECK(count >= 0);
    if (count == 0) break;
    const struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
    if (header == NULL) continue;
    CHECK(passed < 0);
    memcpy(&passed, CMSG_DATA(header), sizeof(int));
  }
  finish("sendmsg", &call);
  CHECK(passed >= 0 && write(passed, "through", 7) == 7);
  show_rest("in the old pipe", old[0]);
  show_rest("in the new pipe", new[0]);
}

/// poll(2) and select(2) are woken by the old file, and then look at the new one.
static void replace_polled(const char *what, long (*make)(struct call *)) {
  int old[2], new[2];
  CHECK(pipe(old) == 0 && pipe(new) == 0);
  struct call call = {.make = make, .fd = old[0], .entry = {old[0], POLLIN, 0}};
  begin(&call);
  CHECK(dup2(new[0], old[0]) == old[0]);
  CHECK(write(old[1], "old", 3) == 3);
  await_sleep(call.thread);
  CHECK(write(new[1], "new", 3) == 3);
  await_sleep(call.thread);
  CHECK(write(old[1], "old", 3) == 3);
  finish(what, &call);
  printf("events: %#x\n", (unsigned)call.entry.revents);
}

static void polls(void) {
  replace_polled("poll", make_poll);
  replace_polled("select", make_select);
}

/// The same, with a descriptor that is no more.
static void closed_poll(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  struct call call = {.make = make_poll, .entry = {ends[0], POLLIN, 0}};
  begin(&call);
  CHECK(close(ends[0]) == 0);
  await_sleep(call.thread);
  guest_result("write", write(ends[1], "bytes", 5));
  finish("poll", &call);
  printf("events: %#x\n", (unsigned)call.entry.revents);
}

static void epolls(void) {
  int ends[2];
  const int old = epoll_create1(0), new = epoll_create1(0);
  CHECK(pipe(ends) == 0 && old >= 0 && new >= 0);
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = 1};
  CHECK(epoll_ctl(old, EPOLL_CTL_ADD, ends[0], &event) == 0);
  event.data.u32 = 2;
  CHECK(epoll_ctl(new, EPOLL_CTL_ADD, ends[0], &event) == 0);
  struct call call = {.make = make_epoll_wait, .fd = old};
  begin(&call);
  CHECK(dup2(new, old) == old);
  CHECK(write(ends[1], "bytes", 5) == 5);
  finish("epoll_wait", &call);
  printf("data: %d\n", (int)call.event.data.u32);
}

/// The lock of the old file, which ends with the call: nothing refers to that any more.
static void locks(void) {
  guest_scratch();
  const int holder = open("old", O_RDWR | O_CREAT, 0600), fd = open("old", O_RDWR);
  const int new = open("new", O_RDWR | O_CREAT, 0600);
  CHECK(holder >= 0 && fd >= 0 && new >= 0 && flock(holder, LOCK_EX) == 0);
  struct call call = {.make = make_flock, .fd = fd};
  begin(&call);
  CHECK(dup2(new, fd) == fd);
  CHECK(flock(holder, LOCK_UN) == 0);
  finish("flock", &call);
  guest_result("old file", flock(holder, LOCK_EX | LOCK_NB));
  const int again = open("new", O_RDWR);
  guest_result("new file", flock(again, LOCK_EX | LOCK_NB));
}

/// A record lock for a descriptor that is closed meanwhile is given back.
static void record_locks(void) {
  guest_scratch();
  const int fd = open("old", O_RDWR | O_CREAT, 0600), new = open("new", O_RDWR | O_CREAT, 0600);
  int ready[2], go[2];
  CHECK(fd >= 0 && new >= 0 && pipe(ready) == 0 && pipe(go) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  char byte = 0;
  if (child == 0) {
    struct call lock = {.fd = fd};
    CHECK(make_record_lock(&lock) == 0 && write(ready[1], "x", 1) == 1 && read(go[0], &byte, 1) == 1);
    _exit(0);
  }
  CHECK(read(ready[0], &byte, 1) == 1);
  struct call call = {.make = make_record_lock, .fd = fd};
  begin(&call);
  CHECK(dup2(new, fd) == fd);
  CHECK(write(go[1], "x", 1) == 1 && guest_wait(child) == 0);
  finish("lock", &call);
  struct flock test = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  const int status = IN_CHILD({
    const int again = open("old", O_RDWR);
    CHECK(fcntl(again, F_GETLK, &test) == 0);
    _exit(test.l_type == F_UNLCK);
  });
  printf("old file is free: %d\n", status);
}

static void handle(int number) { (void)number; }

/// A call that is made again after a signal takes the descriptor as it is now.
static void restarts(void) {
  const struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  int old[2], new[2];
  CHECK(pipe(old) == 0 && pipe(new) == 0);
  struct call call = {.make = make_read, .fd = old[0]};
  begin(&call);
  CHECK(dup2(new[0], old[0]) == old[0]);
  CHECK(write(new[1], "new", 3) == 3);
  await_sleep(call.thread);
  CHECK(pthread_kill(call.id, SIGUSR1) == 0);
  finish("read", &call);
  printf("bytes: \"%s\"\n", call.bytes);
  signal(SIGPIPE, SIG_IGN);
  guest_result("the old pipe's reader is gone", write(old[1], "old", 3));
}

static const struct guest_case cases[] = {
    {"pipe-read", pipe_read},
    {"pipe-splice", pipe_splice},
    {"closed-read", closed_read},
    {"closed-write", closed_write},
    {"event-read", event_read},
    {"socket-recv", socket_recv},
    {"socket-send", socket_send},
    {"polls", polls},
    {"closed-poll", closed_poll},
    {"epolls", epolls},
    {"locks", locks},
    {"record-locks", record_locks},
    {"restarts", restarts},
    {NULL, NULL},
};

int main(int argc, char **argv) { return guest_main(argc, argv, cases); }
