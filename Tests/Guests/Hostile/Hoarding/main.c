// Builds what is deep, wide or large in the kernel, and lets go of it: each of these once took more stack, memory or
// time of Apus than it has. Prints what became of each.

#include "hostile.h"
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static int send_descriptor(int to, int descriptor) {
  char byte = 'x';
  struct iovec vector = {&byte, 1};
  _Alignas(8) char control[CMSG_SPACE(sizeof descriptor)] = {0};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof descriptor);
  memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  return (int)sendmsg(to, &message, MSG_DONTWAIT);
}

/// Sockets in the queues of sockets, and the last one closed.
static void nested_sockets(void) {
  int inner[2], outer[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, inner) == 0);
  for (int i = 0; i < 5000; i++) {
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, outer) == 0);
    if (send_descriptor(outer[0], inner[0]) < 0 || send_descriptor(outer[0], inner[1]) < 0) break;
    CHECK(close(inner[0]) == 0 && close(inner[1]) == 0);
    memcpy(inner, outer, sizeof inner);
  }
  CHECK(close(inner[0]) == 0 && close(inner[1]) == 0);
}

/// Sockets that wait in their own queues with all that they hold, and that nobody can reach any more: together they are
/// more than the sandbox has memory for.
static void lost_sockets(void) {
  static const char bytes[200000];
  for (int i = 0; i < 5000; i++) {
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    CHECK(send_descriptor(pair[0], pair[1]) == 1 && send_descriptor(pair[0], pair[0]) == 1);
    CHECK(write(pair[0], bytes, sizeof bytes) > 0);
    CHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
  }
}

/// Layers of epoll instances, each watching all of the next.
static void epoll_layers(void) {
  enum { layers = 4, width = 24 };
  int instances[layers][width];
  struct epoll_event event = {.events = EPOLLIN};
  const int source = eventfd(0, EFD_NONBLOCK);
  for (int layer = 0; layer < layers; layer++)
    for (int i = 0; i < width; i++) CHECK((instances[layer][i] = epoll_create1(0)) >= 0);
  for (int i = 0; i < width; i++) CHECK(epoll_ctl(instances[0][i], EPOLL_CTL_ADD, source, &event) == 0);
  int refused = 0;
  for (int layer = 1; layer < layers; layer++)
    for (int i = 0; i < width; i++)
      for (int j = 0; j < width; j++)
        if (epoll_ctl(instances[layer][i], EPOLL_CTL_ADD, instances[layer - 1][j], &event) != 0) refused++;
  const uint64_t one = 1;
  for (int i = 0; i < 100; i++) CHECK(write(source, &one, 8) == 8);
  CHECK(refused > 0);
}

/// Pipes that hold as much as they may.
static void large_pipe(void) {
  int ends[2];
  CHECK(pipe2(ends, O_NONBLOCK) == 0);
  for (long size = 1l << 31; size > 0 && fcntl(ends[1], F_SETPIPE_SZ, size) < 0; size /= 2) {}
  CHECK(fcntl(ends[1], F_GETPIPE_SZ) <= 1 << 20);
}

/// Directories in directories: kept by a process that works in the last one, and removed; and in an unmounted file system.
static void deep_directories(void) {
  enum { depth = 5000 };
  guest_scratch();
  int ready[2], go[2];
  char byte;
  CHECK(pipe(ready) == 0 && pipe(go) == 0);
  for (int i = 0; i < depth; i++) CHECK(mkdir("d", 0700) == 0 && chdir("d") == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(write(ready[1], "x", 1) == 1);
    // Its end lets go of all of them.
    CHECK(read(go[0], &byte, 1) == 1);
    _exit(0);
  }
  CHECK(read(ready[0], &byte, 1) == 1);
  for (int i = 0; i < depth; i++) CHECK(chdir("..") == 0 && rmdir("d") == 0);
  CHECK(write(go[1], "x", 1) == 1 && guest_wait(child) == 0);

  if (geteuid() != 0) return;
  CHECK(mkdir("mounted", 0700) == 0 && mount("none", "mounted", "tmpfs", 0, NULL) == 0);
  CHECK(chdir("mounted") == 0);
  for (int i = 0; i < depth; i++) CHECK(mkdir("d", 0700) == 0 && chdir("d") == 0);
  CHECK(chdir("/") == 0);
  for (int i = 0; i < 3; i++) CHECK(getpid() > 0);
}

/// Files of file systems that were mounted and unmounted.
static void lost_file_systems(void) {
  if (geteuid() != 0) return;
  static char bytes[1 << 20];
  memset(bytes, 'x', sizeof bytes);
  guest_scratch();
  CHECK(mkdir("m", 0700) == 0);
  for (int i = 0; i < 40; i++) {
    CHECK(mount("none", "m", "tmpfs", 0, NULL) == 0);
    const int file = open("m/file", O_RDWR | O_CREAT, 0600);
    for (int j = 0; j < 16; j++)
      if (write(file, bytes, sizeof bytes) != (ssize_t)sizeof bytes) printf("no memory in round %d\n", i);
    // One file outlives its file system.
    char *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    CHECK(mapped != MAP_FAILED && close(file) == 0 && umount("m") == 0 && mapped[0] == 'x');
    mapped[1] = 'y';
    CHECK(munmap(mapped, 4096) == 0);
  }
}

/// One call that moves as much as there is.
static void long_transfers(void) {
  guest_scratch();
  const int null = open("/dev/null", O_RDWR), sparse = open("sparse", O_RDWR | O_CREAT, 0600);
  const int own = open("/proc/self/exe", O_RDONLY);
  CHECK(null >= 0 && sparse >= 0 && own >= 0 && ftruncate(sparse, 1l << 40) == 0);
  struct iovec vectors[1024], others[1024];
  char *text = mmap(NULL, 1 << 16, PROT_READ, MAP_PRIVATE, own, 0);
  char *much = mmap(NULL, 1ul << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(text != MAP_FAILED && much != MAP_FAILED);
  for (int i = 0; i < 1024; i++) vectors[i] = (struct iovec){text, 1 << 16}, others[i] = (struct iovec){much, 1ul << 33};
  CHECK(writev(null, vectors, 1024) > 0);
  CHECK(sendfile(null, sparse, NULL, 1ul << 40) > 0);
  // Takes eight bytes, and nothing that is larger.
  CHECK(lseek(sparse, 0, SEEK_SET) == 0 && sendfile(eventfd(0, EFD_NONBLOCK), sparse, NULL, 1ul << 40) == -1);
  CHECK(errno == EINVAL);
  CHECK(writev(null, others, 128) > 0);
  CHECK(write(null, much, 1ul << 36) > 0);
  static char target[1 << 16];
  for (int i = 0; i < 1024; i++) vectors[i] = (struct iovec){target, sizeof target};
  CHECK(process_vm_readv(getpid(), vectors, 1024, others, 1024, 0) > 0);
}

int main(int argc, char **argv) {
  hostile_require_stub();
  static const struct guest_case cases[] = {
      {"nested sockets", nested_sockets}, {"lost sockets", lost_sockets},         {"epoll layers", epoll_layers},
      {"large pipe", large_pipe},         {"deep directories", deep_directories}, {"lost file systems", lost_file_systems},
      {"long transfers", long_transfers}, {NULL, NULL},
  };
  (void)argc;
  return guest_main(1, argv, cases);
}
