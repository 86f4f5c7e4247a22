// Makes the kernel keep as much as it can of one kind of object, with a new process whenever this one may have no more.
// Says "ready" before, "full" when a call has failed for want of room, and then keeps everything until its input ends.

#include "hostile.h"
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

static char bytes[1 << 20];
static char path[512];

/// Longest name of a directory entry; its beginning is the number.
static const char *name(long number, size_t length) {
  memset(path, 'n', length);
  path[length] = 0;
  const int digits = snprintf(path, sizeof path, "%ld", number);
  path[digits] = 'n';
  return path;
}

/// Goes on in a new process, which has its own limits; false where there can be none.
static bool another(void) {
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) return false;
  if (child > 0) {
    for (;;) pause();
  }
  return true;
}

/// Another process without what this one has open.
static bool another_empty(void) {
  if (!another()) return false;
  close_range(3, ~0u, 0);
  return true;
}

// Each makes one more object, and returns false where there is no room for it.

static bool a_pipe(long number) {
  (void)number;
  int ends[2];
  if (pipe2(ends, O_NONBLOCK) != 0) return errno == EMFILE && another_empty();
  fcntl(ends[1], F_SETPIPE_SZ, sizeof bytes);
  return write(ends[1], bytes, sizeof bytes) > 0;
}

static bool a_fifo(long number) {
  snprintf(path, sizeof path, "%ld", number);
  if (mkfifo(path, 0600) != 0) return false;
  const int file = open(path, O_RDWR | O_NONBLOCK);
  if (file < 0) return errno == EMFILE && another_empty();
  fcntl(file, F_SETPIPE_SZ, sizeof bytes);
  return write(file, bytes, sizeof bytes) > 0;
}

static bool a_socket(long number) {
  (void)number;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return errno == EMFILE && another_empty();
  while (send(ends[0], bytes, 1 << 16, 0) > 0) {}
  while (send(ends[1], bytes, 1 << 16, 0) > 0) {}
  return errno == EAGAIN;
}

static bool an_attribute(long number) {
  const int file = open(name(number, 20), O_CREAT | O_WRONLY, 0600);
  if (file < 0) return errno == EMFILE && another_empty();
  const bool made = fsetxattr(file, "user.a", bytes, 60000, 0) == 0;
  close(file);
  return made;
}

static bool a_link(long number) {
  static char target[4096];
  memset(target, 't', sizeof target - 1);
  return symlink(target, name(number, 255)) == 0;
}

static bool a_file(long number) { return mknod(name(number, 255), S_IFREG | 0600, 0) == 0; }
static bool a_directory(long number) { return mkdir(name(number, 255), 0700) == 0; }

static bool a_name(long number) {
  static long source;
  char old[64];
  if (number == 0 && mknod("s0", S_IFREG | 0600, 0) != 0) return false;
  snprintf(old, sizeof old, "s%ld", source);
  if (link(old, name(number, 255)) == 0) return true;
  if (errno != EMLINK) return false;
  snprintf(old, sizeof old, "s%ld", ++source);
  return mknod(old, S_IFREG | 0600, 0) == 0;
}

/// Names that are not there, as many as there may be: they are forgotten again.
static bool a_miss(long number) {
  access(name(number, 255), F_OK);
  return number < 50000;
}

static bool a_timer(long number) {
  (void)number;
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  static long mine;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0) return ++mine;
  if (mine == 0) return false;
  mine = 0;
  return another();
}

static bool an_epoll_item(long number) {
  (void)number;
  static int instance = -1, files[1000], next = 1000;
  if (instance < 0) {
    for (int i = 0; i < 1000; i++)
      if ((files[i] = eventfd(0, 0)) < 0) return false;
  }
  if (next == 1000) {
    if ((instance = epoll_create1(0)) < 0) {
      if (errno != EMFILE) return false;
      if (!another_empty()) return false;
      instance = -1;
      return true;
    }
    next = 0;
  }
  struct epoll_event event = {.events = EPOLLIN};
  return epoll_ctl(instance, EPOLL_CTL_ADD, files[next++], &event) == 0;
}

static bool an_eventfd(long number) {
  (void)number;
  return eventfd(0, 0) >= 0 || (errno == EMFILE && another_empty());
}

/// A table of descriptors as large as there may be.
static bool a_descriptor(long number) {
  (void)number;
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20});
  return dup2(1, (1 << 20) - 1) >= 0 && another();
}

static bool a_lock(long number) {
  static int file = -1;
  if (file < 0) file = open("locked", O_CREAT | O_RDWR, 0600);
  if (number % 100 == 99) {
    close(file);
    file = open(name(number, 20), O_CREAT | O_RDWR, 0600);
    dup(file);
  }
  struct flock lock = {.l_type = F_WRLCK, .l_start = number * 2, .l_len = 1};
  return fcntl(file, F_OFD_SETLK, &lock) == 0 || fcntl(file, F_SETLK, &lock) == 0;
}

static bool a_signal(long number) {
  static long mine;
  if (mine == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
  }
  if (sigqueue(getpid(), SIGRTMIN + (int)(number % 20), (union sigval){0}) == 0) return ++mine;
  if (mine == 0) return false;
  mine = 0;
  return another();
}

static void *sleeping(void *argument) {
  for (;;) pause();
  return argument;
}

static bool a_thread(long number) {
  (void)number;
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  return pthread_create(&thread, &attributes, sleeping, NULL) == 0;
}

static bool a_process(long number) {
  (void)number;
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  return child > 0;
}

static bool an_area(long number) {
  enum { most = 60000 };
  static char *area;
  const long index = number % most;
  if (index == 0) {
    if (area != NULL && !another()) return false;
    if (area != NULL) munmap(area, most * 8192ul);
    area = mmap(NULL, most * 8192ul, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) return false;
  }
  return mprotect(area + index * 8192, 4096, PROT_READ) == 0;
}

/// One page in many places, each of which needs a page table of its own.
static bool a_page_table(long number) {
  enum { most = 20000 };
  static int file = -1;
  if (file < 0) {
    file = memfd_create("page", 0);
    if (file < 0 || write(file, "x", 1) != 1) return false;
  }
  const unsigned long place = 0x10000000000ul + (unsigned long)(number % most) * (2ul << 20);
  if (number > 0 && number % most == 0 && !another()) return false;
  volatile char *page = mmap((void *)place, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
  if (page == MAP_FAILED) return false;
  *page;
  return true;
}

static bool a_listing(long number) {
  if (number == 0) {
    for (long i = 0; i < 5000; i++)
      if (mknod(name(i, 200), S_IFREG | 0600, 0) != 0) return false;
  }
  const int directory = open(".", O_RDONLY | O_DIRECTORY);
  if (directory < 0) return errno == EMFILE && another_empty();
  return syscall(SYS_getdents64, directory, bytes, 4096) > 0;
}

static void *polling(void *argument) {
  (void)argument;
  static struct pollfd entries[20000];
  int ends[2];
  if (pipe(ends) == 0)
    for (int i = 0; i < 20000; i++) entries[i] = (struct pollfd){ends[0], POLLIN, 0};
  if (poll(entries, 20000, -1) < 0) return "failed";
  return NULL;
}

/// Threads that wait for many events at once; one that can't says so by its end.
static bool a_poll(long number) {
  (void)number;
  pthread_t thread;
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20});
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  if (pthread_create(&thread, &attributes, polling, NULL) != 0) return false;
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += 20000000;
  if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
  return pthread_timedjoin_np(thread, NULL, &until) == ETIMEDOUT;
}

static bool a_group_list(long number) {
  static gid_t groups[65536];
  for (int i = 0; i < 65536; i++) groups[i] = (gid_t)(i * 7 + number);
  return setgroups(65536, groups) == 0 && another();
}

static bool a_mount(long number) {
  return mkdir(name(number, 20), 0700) == 0 && mount("none", path, "tmpfs", 0, NULL) == 0;
}

static bool a_memory_file(long number) {
  (void)number;
  const int file = memfd_create("full", 0);
  if (file < 0) return errno == EMFILE && another_empty();
  return write(file, bytes, sizeof bytes) == (ssize_t)sizeof bytes;
}

static bool a_large_file(long number) {
  (void)number;
  static int file = -1;
  if (file < 0) file = open("large", O_CREAT | O_WRONLY, 0600);
  return write(file, bytes, sizeof bytes) == (ssize_t)sizeof bytes;
}

static const struct {
  const char *name;
  bool (*make)(long number);
} kinds[] = {
    {"pipes", a_pipe},           {"fifos", a_fifo},         {"sockets", a_socket},       {"attributes", an_attribute},
    {"links", a_link},           {"files", a_file},         {"directories", a_directory}, {"names", a_name},
    {"misses", a_miss},          {"timers", a_timer},       {"epoll", an_epoll_item},    {"eventfds", an_eventfd},
    {"descriptors", a_descriptor}, {"locks", a_lock},       {"signals", a_signal},       {"threads", a_thread},
    {"processes", a_process},    {"areas", an_area},        {"tables", a_page_table},    {"listings", a_listing},
    {"polls", a_poll},           {"groups", a_group_list},  {"mounts", a_mount},         {"memory files", a_memory_file},
    {"large file", a_large_file},
};

int main(int argc, char **argv) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
  setrlimit(RLIMIT_NOFILE, &limit);
  memset(bytes, 'x', sizeof bytes);
  for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
    if (argc < 2 || strcmp(kinds[kind].name, argv[1]) != 0) continue;
    if (mkdir("/tmp/filling", 0700) != 0 || chdir("/tmp/filling") != 0) return 1;
    printf("ready\n");
    fflush(stdout);
    long number = 0;
    while (kinds[kind].make(number)) number++;
    printf("full: %s\n", strerrorname_np(errno) ? strerrorname_np(errno) : "0");
    fflush(stdout);
    for (;;) pause();
  }
  return 2;
}
