// What is refused, in which order, and what reading and writing change beside the contents.

#include "files.h"
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static void empty(const char *path) {
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0 && close(fd) == 0);
}

void edges(void) {
  guest_scratch();
  for (int i = 0; i < 20; i++) {
    char name[16];
    snprintf(name, sizeof name, "name-%d", i);
    empty(name);
  }
  const int directory = open(".", O_RDONLY | O_DIRECTORY);
  char buffer[4096];
  guest_result("getdents of a huge size", syscall(SYS_getdents64, directory, buffer, -1));
  char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(pages != MAP_FAILED && mprotect(pages + 4096, 4096, PROT_NONE) == 0);
  int seen = 0;
  long length;
  CHECK(lseek(directory, 0, SEEK_SET) == 0);
  // Only the entries that fit before the hole come; the next call goes on after them.
  while ((length = syscall(SYS_getdents64, directory, pages + 4096 - 200, 4096)) > 0) {
    CHECK(length <= 200);
    for (long at = 0; at < length; seen++) at += *(unsigned short *)(pages + 4096 - 200 + at + 16);
  }
  printf("getdents before a hole: %ld, %d entries\n", length, seen);
  guest_result("getdents into a hole", (lseek(directory, 0, SEEK_SET), syscall(SYS_getdents64, directory, pages + 4096, 4096)));
  guest_result("O_DIRECT on a directory", open(".", O_RDONLY | O_DIRECT));

  const int fd = open("name-1", O_RDWR);
  guest_result("pread at the largest offset", pread(fd, buffer, 4096, LLONG_MAX));
  guest_result("pwrite at the largest offset", pwrite(fd, buffer, 1024, LLONG_MAX));
  CHECK(write(fd, "abcdef", 6) == 6);
  guest_result("lseek past the largest offset", lseek(fd, LLONG_MAX, SEEK_END));
  struct iovec vectors[2] = {{buffer, 2}, {(void *)0x8000000000000000UL, 100}};
  guest_result("readv into nowhere", (lseek(fd, 0, SEEK_SET), readv(fd, vectors, 2)));
  printf("position after it: %ld\n", (long)lseek(fd, 0, SEEK_CUR));
  const int neither = open("name-1", O_ACCMODE);
  CHECK(neither >= 0);
  guest_result("write with access mode 3", write(neither, "x", 1));
  guest_result("read with access mode 3", read(neither, buffer, 1));
  CHECK(chmod("name-2", 0444) == 0);
  guest_result("fchmodat of nothing", fchmodat(-1, "", 0444, 0));
  guest_result("linkat of nothing", linkat(-1, "", AT_FDCWD, "new", 0));
  guest_result("linkat to nothing", linkat(AT_FDCWD, "name-1", -1, "", 0));
  guest_result("unlinkat of nothing", unlinkat(-1, "", 0));
  guest_result("mkdirat of nothing", mkdirat(-1, "", 0700));
  guest_result("FICLONE of a directory", ioctl(fd, FICLONE, directory));
  guest_result("FICLONE of nothing", ioctl(fd, FICLONE, -1));
  guest_result("FICLONE into a file for reading", ioctl(open("name-1", O_RDONLY), FICLONE, fd));
  const int null = open("/dev/null", O_RDWR);
  guest_result("FICLONE of a device", ioctl(fd, FICLONE, null));
  printf("read of /dev/null into nowhere: %ld\n", (long)read(null, (void *)8, 100));
}

static int temporary(int flags, const char *name) {
  const int fd = open(".", O_TMPFILE | O_RDWR | flags, 0600);
  if (fd < 0) return fd;
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0 ? fd : -1;
}

void nameless(void) {
  guest_scratch();
  guest_result("link a file without a name", temporary(0, "made"));
  guest_result("link one that may get none", temporary(O_EXCL, "not"));
  const int fd = temporary(0, "again");
  CHECK(fd >= 0 && unlink("again") == 0);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  guest_result("link one that lost its name", linkat(AT_FDCWD, path, AT_FDCWD, "late", AT_SYMLINK_FOLLOW));
}

static int64_t accessed(const char *path) {
  struct stat status;
  CHECK(lstat(path, &status) == 0);
  return status.st_atim.tv_sec;
}

static void age(const char *path) {
  const struct timespec times[2] = {{1000, 0}, {2000, 0}};
  CHECK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) == 0);
}

void times(void) {
  guest_scratch();
  CHECK(mkdir("directory", 0755) == 0 && symlink("file", "link") == 0);
  empty("file");
  age("file");
  age("link");
  age("directory");
  DIR *list = opendir("directory");
  CHECK(list != NULL && readdir(list) != NULL && closedir(list) == 0);
  printf("listing changes the time of access: %d\n", accessed("directory") != 1000);
  char target[16];
  CHECK(readlink("link", target, sizeof target) == 4);
  printf("reading a link does: %d\n", accessed("link") != 1000);
  age("link");
  struct stat status;
  CHECK(stat("link", &status) == 0);
  printf("following it does: %d\n", accessed("link") != 1000);
  struct statx extended;
  CHECK(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_BTIME, &extended) == 0);
  printf("time of birth: %d\n", (extended.stx_mask & STATX_BTIME) != 0 && extended.stx_btime.tv_sec > 2000);
}

void privileges(void) {
  guest_scratch();
  empty("file");
  // struct vfs_cap_data, revision 2: CAP_NET_RAW, effective.
  static const uint32_t capability[5] = {0x02000001, 1 << 13, 0, 0, 0};
  char value[64];
  const int fd = open("file", O_RDWR);
  for (int way = 0; way < 4; way++) {
    if (setxattr("file", "security.capability", capability, sizeof capability, 0) != 0) {
      guest_result("setxattr", -1);
      break;
    }
    static const char *const names[] = {"write", "chown", "truncate", "chmod"};
    const long result = way == 0 ? write(fd, "x", 1) == 1 ? 0 : -1
                        : way == 1 ? chown("file", 1, 1)
                        : way == 2 ? truncate("file", 0)
                                   : chmod("file", 0755);
    CHECK(result == 0);
    char text[64];
    snprintf(text, sizeof text, "capabilities after %s", names[way]);
    guest_result(text, getxattr("file", "security.capability", value, sizeof value));
  }
  if (geteuid() != 0) return;
  CHECK(mkdir("shared", 0777) == 0 && chown("shared", 0, 5555) == 0 && chmod("shared", 02777) == 0);
  CHECK(chmod(".", 0755) == 0);
  const int status = IN_CHILD({
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    umask(010);
    struct stat made;
    CHECK(close(open("shared/f", O_RDWR | O_CREAT, 02777)) == 0 && stat("shared/f", &made) == 0);
    printf("made in a directory of another group: %o gid %d\n", made.st_mode, made.st_gid);
  });
  CHECK(status == 0);
}

/// A program or a script that has no path.
static void execute(const char *text, bool is_closed, char *argument) {
  const int fd = memfd_create("program", is_closed ? MFD_CLOEXEC : 0);
  CHECK(fd >= 0);
  if (text != NULL) {
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  } else {
    const int own = open("/proc/self/exe", O_RDONLY);
    static char buffer[1 << 16];
    ssize_t length;
    while ((length = read(own, buffer, sizeof buffer)) > 0) CHECK(write(fd, buffer, length) == length);
  }
  printf("exit status: %d\n", IN_CHILD({
    char *arguments[] = {"name", argument, NULL};
    fexecve(fd, arguments, environ);
    guest_result("fexecve", -1);
    fflush(stdout);
  }));
}

void memory_programs(void) {
  execute(NULL, true, "--itself");
  execute("#!/bin/sh\necho \"$0\" | sed 's/[0-9]/N/g'; cat /proc/$$/comm\n", false, NULL);
  execute("#!/bin/sh\necho never\n", true, NULL);
}

int itself(void) {
  char path[64] = "", name[32] = "";
  CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
  const int fd = open("/proc/self/comm", O_RDONLY);
  CHECK(fd >= 0 && read(fd, name, sizeof name - 1) > 0);
  printf("%s %s", path, name);
  return 0;
}

void protection(void) {
  char rule[4] = "";
  const int fd = open("/proc/sys/fs/protected_hardlinks", O_RDONLY);
  CHECK(fd >= 0 && read(fd, rule, sizeof rule) > 0);
  if (geteuid() != 0 || rule[0] != '1') return;
  guest_scratch();
  CHECK(chmod(".", 01777) == 0);
  empty("secret");
  empty("open");
  empty("setid");
  CHECK(chmod("secret", 0600) == 0 && chmod("open", 0666) == 0 && chmod("setid", 04777) == 0);
  CHECK(mkfifo("fifo", 0666) == 0);
  const int status = IN_CHILD({
    CHECK(setgid(1000) == 0 && setuid(1000) == 0);
    guest_result("link to what is not readable", link("secret", "a"));
    guest_result("link to what is", link("open", "b"));
    guest_result("link to a set-user-ID file", link("setid", "c"));
    guest_result("link to a FIFO", link("fifo", "d"));
  });
  CHECK(status == 0);
}
