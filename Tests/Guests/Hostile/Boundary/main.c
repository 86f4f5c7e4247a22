// Changes everything it can reach of the host's files, as the sandbox's root: modes, owners, times, sizes, names,
// contents. Its arguments are a directory and a file in it that the test made; `/tmp` and `/` get their share.

#include "guest.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/xattr.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/// Results don't matter here: what the host has afterwards does.
#define TRY(...) ((void)!((__VA_ARGS__) == -1))

static void change_attributes(const char *path, bool is_file) {
  const struct timespec times[2] = {{1, 2}, {3, 4}};
  const struct timeval old_times[2] = {{5, 6}, {7, 8}};
  static const mode_t modes[] = {0, 0644, 0777, 04755, 02770, 01777, 0644};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    TRY(chmod(path, modes[i]));
    TRY(fchmodat(AT_FDCWD, path, modes[i], 0));
    TRY(syscall(SYS_fchmodat2, AT_FDCWD, path, modes[i], AT_SYMLINK_NOFOLLOW));
  }
  TRY(chown(path, 1234, 1234));
  TRY(lchown(path, 1234, 1234));
  TRY(utimensat(AT_FDCWD, path, times, 0));
  TRY(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
  TRY(utimes(path, old_times));
  TRY(setxattr(path, "user.guest", "x", 1, 0));
  static const int flags[] = {O_RDONLY, O_PATH, O_RDONLY | O_DIRECTORY, O_RDWR};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
    const int fd = open(path, flags[i]);
    if (fd < 0) continue;
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    TRY(fchmod(fd, 0644));
    TRY(fchown(fd, 1, 1));
    TRY(futimens(fd, times));
    TRY(fsetxattr(fd, "user.guest", "x", 1, 0));
    TRY(fchownat(fd, "", 1, 1, AT_EMPTY_PATH));
    TRY(syscall(SYS_fchmodat2, fd, "", 0644, AT_EMPTY_PATH));
    TRY(chmod(link, 0644));
    TRY(chown(link, 1, 1));
    if (is_file) TRY(truncate(link, 0));
    close(fd);
  }
}

static void change_contents(const char *path) {
  char *bytes;
  int fd = open(path, O_RDWR);
  if (fd >= 0) {
    bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bytes != MAP_FAILED) {
      memcpy(bytes, "mapped", 6);
      TRY(msync(bytes, 4096, MS_SYNC));
      munmap(bytes, 4096);
    }
    TRY(pwrite(fd, "written", 7, 0));
    TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    TRY(ftruncate(fd, 3));
    TRY(fsync(fd));
    close(fd);
  }
  TRY(truncate(path, 1));
  fd = open(path, O_WRONLY | O_TRUNC | O_APPEND);
  if (fd >= 0) {
    TRY(write(fd, "appended", 8));
    close(fd);
  }
  // A private mapping of the file opened for reading alone.
  fd = open(path, O_RDONLY);
  bytes = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (bytes != MAP_FAILED) bytes[0] = 'p';
}

static void change_names(const char *directory, const char *file) {
  char other[4096], made[4096];
  snprintf(other, sizeof other, "%s/other", directory);
  snprintf(made, sizeof made, "%s/made", directory);
  TRY(link(file, other));
  TRY(symlink("/etc", made));
  TRY(unlink(made));
  TRY(mkdir(made, 0644));
  TRY(chmod(made, 0644));
  TRY(rename(file, made));
  TRY(rename(file, other));
  TRY(unlink(other));
  TRY(mknod(file, S_IFREG | 0644, 0));
  TRY(rename(directory, "/tmp/moved"));
  TRY(rename("/tmp/moved", directory));
  TRY(rmdir(directory));
  TRY(rename("/tmp", "/tmp-moved"));
  change_attributes("/tmp-moved", false);
  TRY(mkdir("/tmp", 0644));
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  // Natively this would do what it tries.
  FILE *release = fopen("/proc/sys/kernel/hostname", "r");
  char host_name[65] = "";
  if (release == NULL || fgets(host_name, sizeof host_name, release) == NULL) return 2;
  if (strncmp(host_name, "boundary-test", 13) != 0) return 2;
  static const char *const places[] = {"/", "/tmp", "/tmp/.", "/tmp/..", "/etc", "/var/tmp", "/dev/shm"};
  umask(0);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) change_attributes(places[i], false);
  change_attributes(argv[1], false);
  change_contents(argv[2]);
  change_attributes(argv[2], true);
  change_names(argv[1], argv[2]);
  printf("all changes tried\n");
  return 0;
}
