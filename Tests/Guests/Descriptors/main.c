// Descriptors: moving bytes between files, control of descriptors, FIFOs, and files seen through /proc.

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#include "guest.h"

static char buffer[1 << 16];

/// Prints the result of a call: its value, or its errno.
static void show(const char *what, long result) {
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

static void splices(void) {
  int a[2], b[2];
  CHECK(pipe(a) == 0 && pipe(b) == 0 && write(a[1], "0123456789", 10) == 10);
  show("tee", tee(a[0], b[1], 4, 0));
  show("copy", read(b[0], buffer, 64));
  show("pipe to pipe", splice(a[0], NULL, b[1], NULL, 6, 0));
  show("moved", read(b[0], buffer, 64));
  show("left", read(a[0], buffer, 64));
  guest_scratch();
  const int file = open("file", O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0 && write(a[1], "filedata", 8) == 8);
  show("pipe to file", splice(a[0], NULL, file, NULL, 100, 0));
  off_t offset = 4;
  show("file to pipe", splice(file, &offset, b[1], NULL, 100, 0));
  CHECK(read(b[0], buffer, 64) == 4);
  printf("offset %ld, %.4s\n", (long)offset, buffer);
  show("empty pipe", splice(a[0], NULL, file, NULL, 100, SPLICE_F_NONBLOCK));
  offset = 0;
  show("sendfile", sendfile(b[1], file, &offset, 100));
  show("arrived", read(b[0], buffer, 64));
  CHECK(lseek(file, 2, SEEK_SET) == 2);
  show("sendfile at the position", sendfile(b[1], file, NULL, 3));
  show("position", lseek(file, 0, SEEK_CUR));
  struct iovec vectors[2] = {{"ab", 2}, {"cd", 2}};
  show("vmsplice", vmsplice(b[1], vectors, 2, 0));
  show("all", read(b[0], buffer, 64));
  printf("%.7s\n", buffer);
  show("no pipe", splice(file, NULL, file, NULL, 1, 0));
  show("offset of a pipe", splice(a[0], &offset, file, NULL, 1, 0));
  show("tee to itself", tee(a[0], a[1], 1, 0));
}

static void controls(void) {
  guest_scratch();
  int ends[2];
  const int file = open("file", O_RDWR | O_CREAT, 0600);
  CHECK(file >= 0 && pipe(ends) == 0);
  show("file flags", fcntl(file, F_GETFL));
  show("pipe flags", fcntl(ends[1], F_GETFL));
  show("pipe size", fcntl(ends[1], F_GETPIPE_SZ));
  show("new pipe size", fcntl(ends[1], F_SETPIPE_SZ, 5000));
  show("size of a file's pipe", fcntl(file, F_GETPIPE_SZ));
  show("duplicate", fcntl(file, F_DUPFD_CLOEXEC, 50));
  show("its flags", fcntl(50, F_GETFD));
  show("close_range", close_range(50, 60, 0));
  show("closed", fcntl(50, F_GETFD));
  int on = 1;
  show("FIONBIO", ioctl(ends[0], FIONBIO, &on));
  show("would block", read(ends[0], buffer, 1));
  CHECK(write(ends[1], "xyz", 3) == 3 && ioctl(ends[0], FIONREAD, &on) == 0);
  printf("FIONREAD: %d\n", on);
  show("terminal request", ioctl(ends[0], 0x5401, buffer));
  show("pread of a pipe", pread(ends[0], buffer, 1, 0));
  show("pread of the other end", pread(ends[1], buffer, 1, 0));
  show("pwrite of the other end", pwrite(ends[0], buffer, 1, 0));
  show("lseek of a pipe", lseek(ends[0], 0, SEEK_SET));
  struct iovec vectors[2] = {{"ab", 2}, {"cd", 2}};
  show("no vectors", readv(ends[0], vectors, 0));
  show("too many vectors", readv(ends[0], vectors, 1025));
  struct iovec huge[2] = {{buffer, SIZE_MAX / 2 + 1}, {buffer, 1}};
  show("too many bytes", readv(ends[0], huge, 2));
  show("append", pwritev2(file, vectors, 2, 0, RWF_APPEND));
  show("append", pwritev2(file, vectors, 2, 0, RWF_APPEND));
  show("size", lseek(file, 0, SEEK_END));
  show("unknown flag", pwritev2(file, vectors, 2, 0, 0x4000));
  show("dup3 to itself", dup3(file, file, 0));
  show("dup2 to nowhere", dup2(file, -1));
  CHECK(dup2(file, file) == file);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4};
  show("lock", fcntl(file, F_SETLK, &lock));
  printf("other process: %d\n", IN_CHILD({
    struct flock other = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(file, F_GETLK, &other) == 0);
    printf("held: %d %ld %ld %d\n", other.l_type, (long)other.l_start, (long)other.l_len, other.l_pid == getppid());
    other.l_type = F_WRLCK;
    show("refused", fcntl(file, F_SETLK, &other));
  }));
}

static void fifos(void) {
  guest_scratch();
  CHECK(mkfifo("fifo", 0600) == 0);
  show("no reader", open("fifo", O_WRONLY | O_NONBLOCK));
  const int early = open("fifo", O_RDONLY | O_NONBLOCK);
  show_events("never written", early);
  close(early);
  const pid_t child = fork();
  if (child == 0) {
    const int writer = open("fifo", O_WRONLY);
    _exit(write(writer, "through", 7) == 7 ? 0 : 1);
  }
  const int reader = open("fifo", O_RDONLY);
  CHECK(reader >= 0);
  show("read", read(reader, buffer, 64));
  printf("writer: %d\n", guest_wait(child));
  show("end", read(reader, buffer, 64));
  show_events("writer gone", reader);
}

static void descriptor_links(void) {
  int ends[2];
  CHECK(pipe(ends) == 0 && write(ends[1], "pipe", 4) == 4);
  char path[64], target[64] = {0};
  snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
  const int again = open(path, O_RDONLY | O_NONBLOCK);
  show("opened again", read(again, buffer, 64));
  CHECK(readlink(path, target, sizeof target - 1) > 0);
  printf("%.6s\n", target);
  struct stat one, two;
  CHECK(stat(path, &one) == 0 && fstat(ends[0], &two) == 0);
  printf("same: %d\n", one.st_ino == two.st_ino && one.st_dev == two.st_dev && S_ISFIFO(one.st_mode));
  const int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
  show("null write", write(null, "abc", 3));
  show("null read", read(null, buffer, 3));
  show("zero read", read(zero, buffer, 3));
  show("full write", write(full, "abc", 3));
  struct epoll_event event = {.events = EPOLLIN};
  show("epoll of null", epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, null, &event));
}

static volatile sig_atomic_t exceeded;
static void exceed(int number) {
  (void)number;
  exceeded = 1;
}

static void show_exceeded(void) {
  printf("SIGXFSZ: %d\n", (int)exceeded);
  exceeded = 0;
}

/// RLIMIT_FSIZE bounds all that writes to a file.
static void size_limit(void) {
  guest_scratch();
  int ends[2];
  const int input = open("input", O_RDWR | O_CREAT, 0600), output = open("output", O_RDWR | O_CREAT, 0600);
  CHECK(input >= 0 && output >= 0 && pipe(ends) == 0);
  CHECK(write(input, "0123456789abcdef0123", 20) == 20 && write(ends[1], "0123456789abcdef", 16) == 16);
  signal(SIGXFSZ, exceed);
  // What this program prints may be a file, too.
  fflush(stdout);
  long results[9];
  int signals[9], errors[9], done = 0;
#define RECORD(...)                                                              \
  (exceeded = 0, errno = 0, results[done] = (__VA_ARGS__), errors[done] = errno, \
   signals[done++] = exceeded)
  const struct rlimit small = {10, RLIM_INFINITY}, large = {RLIM_INFINITY, RLIM_INFINITY};
  CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
  RECORD(splice(ends[0], NULL, output, NULL, 6, 0));
  RECORD(splice(ends[0], NULL, output, NULL, 10, 0));
  RECORD(splice(ends[0], NULL, output, NULL, 10, 0));
  CHECK(ftruncate(output, 0) == 0 && lseek(output, 0, SEEK_SET) == 0);
  loff_t position = 0;
  RECORD(copy_file_range(input, &position, output, NULL, 20, 0));
  RECORD(copy_file_range(input, &position, output, NULL, 10, 0));
  CHECK(ftruncate(output, 0) == 0 && lseek(output, 0, SEEK_SET) == 0 && lseek(input, 0, SEEK_SET) == 0);
  RECORD(sendfile(output, input, NULL, 20));
  RECORD(sendfile(output, input, NULL, 20));
  CHECK(setrlimit(RLIMIT_FSIZE, &large) == 0);
  for (int i = 0; i < done; i++) {
    errno = errors[i];
    show("moved", results[i]);
    exceeded = signals[i];
    show_exceeded();
  }
  show("left in the pipe", read(ends[0], buffer, 64));
}

/// Packets: each write is read on its own, and what a read has no room for is lost.
static void packets(void) {
  int ends[2];
  CHECK(pipe2(ends, O_DIRECT | O_NONBLOCK) == 0);
  CHECK(write(ends[1], "first", 5) == 5 && write(ends[1], "second", 6) == 6 && write(ends[1], "third", 5) == 5);
  show("a packet", read(ends[0], buffer, 64));
  show("a part of one", read(ends[0], buffer, 3));
  printf("%.3s\n", buffer);
  show("the next", read(ends[0], buffer, 64));
  show("none", read(ends[0], buffer, 64));
  memset(buffer, 'x', 10000);
  show("a long write", write(ends[1], buffer, 10000));
  show("its first packet", read(ends[0], buffer, 20000));
  show("its second", read(ends[0], buffer, 20000));
  show("its third", read(ends[0], buffer, 20000));
  int count = 0;
  while (write(ends[1], "x", 1) == 1) count++;
  printf("packets that fit: %d\n", count);
  show_events("full", ends[1]);
  show("flags", fcntl(ends[1], F_GETFL) & (O_DIRECT | O_NONBLOCK));
}

/// What of files holds of pipes, too.
static void pipe_attributes(void) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  show("pread of the write end", pread(ends[1], buffer, 1, 0));
  show("pwrite to the read end", pwrite(ends[0], buffer, 1, 0));
  const struct iovec vector = {buffer, 1};
  show("pwritev2 to the read end", pwritev2(ends[0], &vector, 1, 0, 0));
  show("preadv2 of the write end", preadv2(ends[1], &vector, 1, 0, 0));
  show("read of the write end", read(ends[1], buffer, 1));
  struct statfs system;
  CHECK(fstatfs(ends[0], &system) == 0);
  printf("file system: %#lx\n", (long)system.f_type);
  CHECK(fchmod(ends[0], 0640) == 0);
  if (geteuid() == 0) CHECK(fchown(ends[1], 7, 8) == 0);
  struct stat status;
  CHECK(fstat(ends[0], &status) == 0);
  printf("mode %o, owner %d\n", status.st_mode, geteuid() == 0 ? (int)status.st_uid : 7);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  show("a lock", fcntl(ends[1], F_SETLK, &lock));
  show("of the other end", fcntl(ends[0], F_SETLK, &lock));
  show("flock", flock(ends[0], LOCK_EX | LOCK_NB));
  show("flock of the other end", flock(ends[1], LOCK_EX | LOCK_NB));
  const int event = eventfd(0, EFD_NONBLOCK);
  show("16 bytes to an eventfd", write(event, buffer, 16));
  show("8 bytes", write(event, "\1\0\0\0\0\0\0", 8));
  show("16 bytes from it", read(event, buffer, 16));
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  show("pwrite to a timerfd", pwrite(timer, buffer, 8, 0));
  show("write to a timerfd", write(timer, buffer, 8));
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"splices", splices}, {"controls", controls}, {"fifos", fifos}, {"descriptor links", descriptor_links},
      {"size limit", size_limit}, {"packets", packets}, {"pipe attributes", pipe_attributes},
      {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
