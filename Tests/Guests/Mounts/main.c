// Mounts: their flags and what they forbid, unmounting, moving, binding. Needs root. Natively they are in a namespace of
// the program's own.

#include "guest.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

/// The options of the last mount whose path ends so, as `/proc/self/mounts` shows them.
static void show_options(const char *end) {
  FILE *table = fopen("/proc/self/mounts", "r");
  CHECK(table != NULL);
  char line[1024], path[512], type[64], options[512], found[512] = "nothing";
  while (fgets(line, sizeof line, table) != NULL) {
    if (sscanf(line, "%*s %511s %63s %511s", path, type, options) != 3) continue;
    const size_t length = strlen(path), tail = strlen(end);
    // What a file system adds of its own differs from host to host.
    if (length >= tail && strcmp(path + length - tail, end) == 0) {
      char *own = strstr(options, ",inode64");
      if (own != NULL) *own = 0;
      snprintf(found, sizeof found, "%s %s", type, options);
    }
  }
  fclose(table);
  printf("shown: %s\n", found);
}

static void begin(void) {
  // Inside Apus there is one namespace.
  if (unshare(CLONE_NEWNS) == 0) mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  guest_scratch();
  CHECK(mkdir("m", 0755) == 0 && mkdir("n", 0755) == 0);
}

static void copy_program(const char *to) {
  const int from = open("/proc/self/exe", O_RDONLY);
  const int fd = open(to, O_WRONLY | O_CREAT, 0755);
  CHECK(from >= 0 && fd >= 0);
  static char buffer[1 << 16];
  ssize_t length;
  while ((length = read(from, buffer, sizeof buffer)) > 0) CHECK(write(fd, buffer, length) == length);
  CHECK(close(from) == 0 && close(fd) == 0);
}

static void flags(void) {
  begin();
  static const struct {
    const char *name;
    unsigned long flag;
  } all[] = {
      {"nosuid", MS_NOSUID},   {"nodev", MS_NODEV},           {"noexec", MS_NOEXEC},     {"noatime", MS_NOATIME},
      {"nodiratime", MS_NODIRATIME}, {"ro", MS_RDONLY},       {"sync", MS_SYNCHRONOUS},  {"relatime", MS_RELATIME},
      {"nosymfollow", MS_NOSYMFOLLOW}, {"strictatime", MS_STRICTATIME},
  };
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    CHECK(mount("source", "m", "tmpfs", all[i].flag, "size=64k") == 0);
    struct statvfs status;
    CHECK(statvfs("m", &status) == 0);
    printf("%s: %#lx, ", all[i].name, status.f_flag);
    show_options("/m");
    CHECK(umount("m") == 0);
  }
  CHECK(mount("source", "m", "tmpfs", MS_NOATIME | MS_NOSUID, "size=64k,mode=700") == 0);
  CHECK(mount("none", "m", NULL, MS_REMOUNT | MS_NODEV | MS_BIND, NULL) == 0);
  show_options("/m");
  CHECK(mount("m", "n", NULL, MS_BIND | MS_RDONLY, NULL) == 0);
  show_options("/n");
  CHECK(umount("n") == 0 && umount("m") == 0);
}

static void forbidden(void) {
  begin();
  CHECK(mount("source", "m", "tmpfs", MS_NODEV, NULL) == 0);
  CHECK(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
  guest_result("device", open("m/null", O_RDWR));
  guest_result("a place of it", open("m/null", O_PATH));
  CHECK(umount("m") == -1);
  CHECK(umount2("m", MNT_DETACH) == 0);

  CHECK(mount("source", "m", "tmpfs", MS_NOEXEC, NULL) == 0);
  copy_program("m/program");
  guest_result("execve", execl("m/program", "program", "nothing", NULL));
  guest_result("access", access("m/program", X_OK));
  int fd = open("m/program", O_RDONLY);
  guest_result("executable mapping", (long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == -1 ? -1 : 0);
  void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(page != MAP_FAILED);
  guest_result("mprotect", mprotect(page, 4096, PROT_READ | PROT_EXEC));
  CHECK(munmap(page, 4096) == 0 && close(fd) == 0 && umount("m") == 0);

  CHECK(mount("source", "m", "tmpfs", MS_NOSYMFOLLOW, NULL) == 0);
  CHECK(symlink("/dev/null", "m/link") == 0);
  guest_result("link", open("m/link", O_RDONLY));
  char target[32];
  guest_result("readlink", readlink("m/link", target, sizeof target));
  CHECK(umount("m") == 0);

  CHECK(mount("source", "m", "tmpfs", MS_NOSUID, "mode=755") == 0);
  copy_program("m/program");
  CHECK(chmod("m/program", 04755) == 0 && chmod(".", 0755) == 0);
  const int status = IN_CHILD({
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    execl("m/program", "program", "whoami", NULL);
  });
  CHECK(status == 0 && umount("m") == 0);
}

static void whoami(void) { printf("runs as %d\n", geteuid() == 0 ? 0 : 1000); }

static void busy(void) {
  begin();
  CHECK(mount("source", "m", "tmpfs", 0, NULL) == 0);
  int fd = open("m/file", O_RDWR | O_CREAT, 0600);
  guest_result("unmount with an open file", umount("m"));
  guest_result("read-only while it is written", mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  CHECK(close(fd) == 0);
  fd = open("m/file", O_RDONLY);
  guest_result("read-only while it is read", mount("none", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
  CHECK(close(fd) == 0);
  CHECK(chdir("m") == 0);
  guest_result("unmount a working directory", umount("../m"));
  guest_result("unmount .", umount2(".", 0));
  CHECK(chdir("..") == 0);
  guest_result("expire by force", umount2("m", MNT_EXPIRE | MNT_FORCE));
  guest_result("expire and detach", umount2("m", MNT_EXPIRE | MNT_DETACH));
  guest_result("expire", umount2("m", MNT_EXPIRE));
  CHECK(close(open("m/file", O_RDONLY)) == 0);
  guest_result("expire after use", umount2("m", MNT_EXPIRE));
  guest_result("expire again", umount2("m", MNT_EXPIRE));
  guest_result("no mount any more", umount("m"));
  CHECK(mount("source", "m", "tmpfs", 0, NULL) == 0 && chdir("m") == 0);
  guest_result("detach .", umount2(".", MNT_DETACH));
  CHECK(chdir("..") == 0 || chdir("/") == 0);
}

static void moves(void) {
  begin();
  CHECK(mount("source", "m", "tmpfs", MS_MGC_VAL, NULL) == 0);
  CHECK(mkdir("m/inner", 0700) == 0 && mount("source", "m/inner", "tmpfs", 0, NULL) == 0);
  CHECK(close(open("m/inner/file", O_CREAT | O_RDWR, 0600)) == 0);
  guest_result("into itself", mount("m", "m/inner", NULL, MS_MOVE, NULL));
  guest_result("what is no mount", mount("n", "m", NULL, MS_MOVE, NULL));
  guest_result("move", mount("m", "n", NULL, MS_MOVE, NULL));
  guest_result("moved along", access("n/inner/file", F_OK));
  guest_result("gone", access("m/inner", F_OK));
  guest_result("bind with what is in it", mount("n", "m", NULL, MS_BIND | MS_REC, NULL));
  guest_result("is there", access("m/inner/file", F_OK));
  CHECK(umount2("m", MNT_DETACH) == 0);
  guest_result("bind without", mount("n", "m", NULL, MS_BIND, NULL));
  guest_result("is not", access("m/inner/file", F_OK));
  CHECK(umount2("m", MNT_DETACH) == 0 && umount2("n", MNT_DETACH) == 0);
  guest_result("bind of nothing", mount("", "m", NULL, MS_BIND, NULL));
  guest_result("two kinds of propagation", mount("none", "/", NULL, MS_PRIVATE | MS_SHARED, NULL));
  guest_result("unknown file system", mount("none", "m", "nosuchfs", 0, NULL));
  guest_result("no type", mount("none", "m", NULL, 0, NULL));
  const int place = open("m", O_PATH);
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", place);
  guest_result("mount through a magic link", mount("source", link, "tmpfs", 0, NULL));
  CHECK(umount("m") == 0);
  const int itself = open(link, O_PATH | O_NOFOLLOW);
  snprintf(link, sizeof link, "/proc/self/fd/%d", itself);
  guest_result("mount on a magic link", mount("n", link, NULL, MS_BIND, NULL));
}

static void kinds(void) {
  begin();
  guest_result("proc", mount("proc", "m", "proc", 0, NULL));
  guest_result("its status", access("m/self/status", R_OK));
  CHECK(umount("m") == 0);
  guest_result("sysfs", mount("sysfs", "m", "sysfs", 0, NULL));
  guest_result("its devices", access("m/devices/system/cpu", F_OK));
  CHECK(umount("m") == 0);
  // Changes are told of by poll(2).
  const int table = open("/proc/self/mounts", O_RDONLY);
  struct pollfd poller = {.fd = table, .events = POLLIN};
  CHECK(poll(&poller, 1, 0) == 1);
  printf("before: %#x\n", poller.revents);
  CHECK(mount("source", "m", "tmpfs", 0, NULL) == 0 && poll(&poller, 1, 0) == 1);
  printf("after a change: %#x\n", poller.revents);
  CHECK(poll(&poller, 1, 0) == 1);
  printf("once more: %#x\n", poller.revents);
  const int instance = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLPRI};
  guest_result("epoll", epoll_ctl(instance, EPOLL_CTL_ADD, table, &event));
  CHECK(umount("m") == 0);
  printf("epoll_wait: %d\n", epoll_wait(instance, &event, 1, 1000));
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "whoami") == 0) return whoami(), 0;
  static const struct guest_case cases[] = {
      {"flags", flags}, {"forbidden", forbidden}, {"busy", busy}, {"moves", moves}, {"kinds", kinds}, {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
