// File system calls: opening, reading, writing, links, names, metadata, directories, locks.

#include "files.h"
#include "guest.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static int make(const char *path, const char *text) {
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0);
  CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  return fd;
}

static void show(const char *path) {
  char text[256];
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0);
  const ssize_t length = read(fd, text, sizeof text - 1);
  CHECK(length >= 0);
  text[length] = 0;
  printf("%s = \"%s\"\n", path, text);
  close(fd);
}

static void open_flags(void) {
  guest_scratch();
  guest_result("open missing", open("missing", O_RDONLY));
  guest_result("create exclusive", open("a", O_RDWR | O_CREAT | O_EXCL, 0600));
  guest_result("create exclusive again", open("a", O_RDWR | O_CREAT | O_EXCL, 0600));
  guest_result("write to read-only", write(open("a", O_RDONLY), "x", 1));
  char byte;
  guest_result("read from write-only", read(open("a", O_WRONLY), &byte, 1));
  guest_result("directory flag on file", open("a", O_RDONLY | O_DIRECTORY));
  guest_result("directory for writing", open(".", O_WRONLY));
  guest_result("read a directory", read(open(".", O_RDONLY), &byte, 1));
  guest_result("path through file", open("a/b", O_RDONLY));
  guest_result("trailing slash on file", open("a/", O_RDONLY));
  guest_result("create with trailing slash", open("new/", O_WRONLY | O_CREAT, 0600));
  guest_result("empty path", open("", O_RDONLY));
  char name[300];
  memset(name, 'n', sizeof name);
  name[256] = 0;
  guest_result("long name", open(name, O_RDONLY));
  guest_result("bad address", open((const char *)8, O_RDONLY));
  CHECK(symlink("a", "link") == 0);
  CHECK(symlink("loop", "loop") == 0);
  guest_result("nofollow", open("link", O_RDONLY | O_NOFOLLOW));
  guest_result("follow", open("link", O_RDONLY));
  guest_result("loop", open("loop", O_RDONLY));
  const int path = open("a", O_PATH);
  CHECK(path >= 0);
  guest_result("read O_PATH", read(path, &byte, 1));
  struct stat status;
  guest_result("fstat O_PATH", fstat(path, &status));
  printf("O_PATH flags: %#o\n", fcntl(path, F_GETFL) & 0x3ffff);
  int fd = make("b", "0123456789");
  CHECK(close(fd) == 0);
  fd = open("b", O_RDWR | O_TRUNC);
  CHECK(fstat(fd, &status) == 0);
  printf("size after O_TRUNC: %ld\n", (long)status.st_size);
  guest_result("close", close(fd));
  guest_result("close again", close(fd));
  const int hidden = open(".", O_TMPFILE | O_RDWR, 0600);
  if (hidden >= 0) {
    CHECK(write(hidden, "hid", 3) == 3);
    char from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", hidden);
    guest_result("link O_TMPFILE", linkat(AT_FDCWD, from, AT_FDCWD, "shown", AT_SYMLINK_FOLLOW));
    show("shown");
  }
}

static void append_and_seek(void) {
  guest_scratch();
  close(make("a", "one\n"));
  int fd = open("a", O_WRONLY | O_APPEND);
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  CHECK(write(fd, "two\n", 4) == 4);
  printf("offset after append: %ld\n", (long)lseek(fd, 0, SEEK_CUR));
  close(fd);
  show("a");
  fd = make("b", "0123456789");
  printf("end: %ld\n", (long)lseek(fd, 0, SEEK_END));
  printf("end-3: %ld\n", (long)lseek(fd, -3, SEEK_END));
  guest_result("before start", lseek(fd, -1, SEEK_SET));
  guest_result("bad whence", lseek(fd, 0, 77));
  printf("beyond: %ld\n", (long)lseek(fd, 20, SEEK_SET));
  CHECK(write(fd, "X", 1) == 1);
  char all[32];
  const ssize_t length = pread(fd, all, sizeof all, 0);
  printf("length %ld, hole is %s\n", (long)length, all[15] == 0 ? "zero" : "not zero");
  printf("offset after pread: %ld\n", (long)lseek(fd, 0, SEEK_CUR));
  CHECK(pwrite(fd, "ab", 2, 4) == 2);
  guest_result("pread negative", pread(fd, all, 1, -1));
  printf("pread at end: %ld\n", (long)pread(fd, all, 4, 21));
  int pipes[2];
  CHECK(pipe(pipes) == 0);
  guest_result("seek a pipe", lseek(pipes[0], 0, SEEK_CUR));
  guest_result("pread a pipe", pread(pipes[0], all, 1, 0));
  struct iovec parts[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
  lseek(fd, 0, SEEK_SET);
  printf("writev: %ld\n", (long)writev(fd, parts, 3));
  char x[2], y[8];
  struct iovec to[2] = {{x, 2}, {y, 8}};
  printf("preadv: %ld %.2s %.4s\n", (long)preadv(fd, to, 2, 1), x, y);
  guest_result("readv bad count", readv(fd, to, -1));
  guest_result("write bad address", write(fd, (void *)8, 4));
  guest_result("read bad address", pread(fd, (void *)8, 4, 0));
  printf("SEEK_DATA: %ld\n", (long)lseek(fd, 0, SEEK_DATA));
}

static void truncate_files(void) {
  guest_scratch();
  const int fd = make("a", "0123456789");
  CHECK(ftruncate(fd, 4) == 0);
  show("a");
  CHECK(ftruncate(fd, 8) == 0);
  struct stat status;
  CHECK(stat("a", &status) == 0);
  printf("size: %ld\n", (long)status.st_size);
  CHECK(truncate("a", 2) == 0);
  show("a");
  guest_result("negative", ftruncate(fd, -1));
  guest_result("read-only", ftruncate(open("a", O_RDONLY), 1));
  guest_result("directory", truncate(".", 1));
  guest_result("missing", truncate("missing", 1));
  guest_result("fallocate", posix_fallocate(fd, 0, 100) == 0 ? 0 : -1);
  CHECK(fstat(fd, &status) == 0);
  printf("size: %ld\n", (long)status.st_size);
  guest_result("fsync", fsync(fd));
  guest_result("fdatasync", fdatasync(fd));
}

static void names(void) {
  guest_scratch();
  close(make("a", "A"));
  close(make("b", "B"));
  guest_result("rename", rename("a", "c"));
  guest_result("rename missing", rename("a", "c"));
  guest_result("rename over", rename("c", "b"));
  show("b");
  CHECK(mkdir("d", 0755) == 0);
  CHECK(mkdir("d/sub", 0755) == 0);
  CHECK(mkdir("e", 0755) == 0);
  guest_result("file over directory", rename("b", "d"));
  guest_result("directory over file", rename("d", "b"));
  guest_result("directory over non-empty", rename("e", "d"));
  guest_result("directory over empty", rename("d", "e"));
  guest_result("into itself", rename("e", "e/sub/x"));
  guest_result("noreplace", renameat2(AT_FDCWD, "b", AT_FDCWD, "e", RENAME_NOREPLACE));
  close(make("f", "F"));
  guest_result("exchange", renameat2(AT_FDCWD, "b", AT_FDCWD, "f", RENAME_EXCHANGE));
  show("b");
  show("f");
  guest_result("link", link("b", "hard"));
  guest_result("link again", link("b", "hard"));
  guest_result("link directory", link("e", "hard2"));
  struct stat one, two;
  CHECK(stat("b", &one) == 0 && stat("hard", &two) == 0);
  printf("links %ld, same %d\n", (long)one.st_nlink, one.st_ino == two.st_ino && one.st_dev == two.st_dev);
  guest_result("rename onto own link", rename("b", "hard"));
  printf("both stay: %d %d\n", access("b", F_OK), access("hard", F_OK));
  guest_result("unlink", unlink("b"));
  CHECK(stat("hard", &two) == 0);
  printf("links %ld\n", (long)two.st_nlink);
  guest_result("unlink missing", unlink("b"));
  guest_result("unlink directory", unlink("e"));
  guest_result("rmdir file", rmdir("f"));
  guest_result("rmdir non-empty", rmdir("e"));
  guest_result("rmdir dot", rmdir("e/."));
  guest_result("rmdir sub", rmdir("e/sub"));
  guest_result("rmdir", rmdir("e"));
  guest_result("mkdir existing", mkdir("f", 0700));
  guest_result("mkdir no parent", mkdir("x/y", 0700));
  guest_result("mkdir trailing slash", mkdir("g/", 0700));
  guest_result("symlink", symlink("target", "s"));
  guest_result("symlink existing", symlink("target", "s"));
  char text[16] = "................";
  printf("readlink: %ld %.6s\n", (long)readlink("s", text, sizeof text), text);
  printf("readlink short: %ld\n", (long)readlink("s", text, 3));
  guest_result("readlink file", readlink("f", text, sizeof text));
  guest_result("stat dangling", stat("s", &one));
  guest_result("lstat dangling", lstat("s", &one));
  printf("link size %ld, is link %d\n", (long)one.st_size, S_ISLNK(one.st_mode));
  CHECK(symlink("../f", "g/up") == 0);
  show("g/up");
  guest_result("create through dangling link", open("s", O_WRONLY | O_CREAT, 0600));
  guest_result("target exists", access("target", F_OK));
  const int open_file = make("gone", "still here");
  CHECK(unlink("gone") == 0);
  char buffer[16];
  printf("read after unlink: %ld\n", (long)pread(open_file, buffer, sizeof buffer, 0));
  CHECK(fstat(open_file, &one) == 0);
  printf("links after unlink: %ld\n", (long)one.st_nlink);
}

static void working_directory(void) {
  guest_scratch();
  char path[256], start[256];
  CHECK(getcwd(start, sizeof start) != NULL);
  CHECK(mkdir("d", 0755) == 0);
  CHECK(chdir("d") == 0);
  CHECK(getcwd(path, sizeof path) != NULL);
  printf("below start: %s\n", path + strlen(start));
  guest_result("getcwd short", syscall(SYS_getcwd, path, 2));
  CHECK(rmdir("../d") == 0);
  guest_result("getcwd deleted", getcwd(path, sizeof path) ? 0 : -1);
  guest_result("create in deleted", open("x", O_CREAT | O_WRONLY, 0600));
  CHECK(chdir("..") == 0);
  CHECK(getcwd(path, sizeof path) != NULL);
  printf("back: %d\n", strcmp(path, start));
  guest_result("chdir missing", chdir("nowhere"));
  close(make("f", ""));
  guest_result("chdir file", chdir("f"));
  const int root = open("/", O_RDONLY | O_DIRECTORY);
  CHECK(fchdir(root) == 0);
  CHECK(getcwd(path, sizeof path) != NULL);
  printf("root: %s\n", path);
  CHECK(chdir("../../..") == 0 && getcwd(path, sizeof path) != NULL);
  printf("above root: %s\n", path);
  CHECK(chdir(start) == 0);
  const int directory = open(".", O_RDONLY | O_DIRECTORY);
  guest_result("openat", openat(directory, "f", O_RDONLY));
  guest_result("openat bad fd", openat(1000, "f", O_RDONLY));
  guest_result("openat not a directory", openat(open("f", O_RDONLY), "f", O_RDONLY));
  guest_result("openat absolute ignores fd", openat(1000, "/", O_RDONLY));
  guest_result("mkdirat", mkdirat(directory, "sub", 0700));
  guest_result("unlinkat directory", unlinkat(directory, "sub", 0));
  guest_result("unlinkat AT_REMOVEDIR", unlinkat(directory, "sub", AT_REMOVEDIR));
}

static void metadata(void) {
  guest_scratch();
  umask(027);
  const int fd = open("a", O_RDWR | O_CREAT, 0777);
  struct stat status;
  CHECK(fstat(fd, &status) == 0);
  printf("mode with umask: %o\n", status.st_mode);
  guest_result("chmod", chmod("a", 04711));
  CHECK(stat("a", &status) == 0);
  printf("mode: %o\n", status.st_mode);
  CHECK(fchmod(fd, 0600) == 0 && fstat(fd, &status) == 0);
  printf("mode: %o\n", status.st_mode);
  guest_result("chmod missing", chmod("missing", 0600));
  guest_result("fchmodat", fchmodat(AT_FDCWD, "a", 0640, 0));
  guest_result("chown to self", chown("a", getuid(), getgid()));
  CHECK(mkdir("d", 0777) == 0 && stat("d", &status) == 0);
  printf("directory mode: %o, has links %d\n", status.st_mode, status.st_nlink > 0);
  umask(022);
  struct timespec times[2] = {{1000000000, 123456789}, {1234567890, 987654321}};
  guest_result("utimensat", utimensat(AT_FDCWD, "a", times, 0));
  CHECK(stat("a", &status) == 0);
  printf("atime %ld.%09ld mtime %ld.%09ld\n", status.st_atim.tv_sec, status.st_atim.tv_nsec, status.st_mtim.tv_sec,
         status.st_mtim.tv_nsec);
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_nsec = UTIME_NOW;
  guest_result("utimensat omit/now", utimensat(AT_FDCWD, "a", times, 0));
  CHECK(stat("a", &status) == 0);
  printf("atime %ld, mtime is recent %d\n", status.st_atim.tv_sec, status.st_mtim.tv_sec > 1500000000);
  times[0].tv_nsec = 2000000000;
  guest_result("utimensat bad", utimensat(AT_FDCWD, "a", times, 0));
  CHECK(symlink("a", "l") == 0);
  struct timespec link_times[2] = {{5, 0}, {6, 0}};
  guest_result("utimensat link", utimensat(AT_FDCWD, "l", link_times, AT_SYMLINK_NOFOLLOW));
  CHECK(lstat("l", &status) == 0);
  printf("link mtime %ld\n", status.st_mtim.tv_sec);
  CHECK(write(fd, "hello", 5) == 5 && fstat(fd, &status) == 0);
  printf("size %ld, regular %d, blksize %d\n", (long)status.st_size, S_ISREG(status.st_mode), status.st_blksize > 0);
  struct statx extended;
  CHECK(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &extended) == 0);
  printf("statx size %ld mode %o\n", (long)extended.stx_size, extended.stx_mode);
  CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &extended) == 0);
  printf("statx by fd size %ld\n", (long)extended.stx_size);
  guest_result("fstatat empty", fstatat(fd, "", &status, AT_EMPTY_PATH));
  guest_result("fstatat empty without flag", fstatat(fd, "", &status, 0));
  guest_result("stat bad address", syscall(SYS_stat, "a", (void *)8));
  guest_result("access", access("a", R_OK | W_OK));
  guest_result("access missing", access("missing", R_OK));
  guest_result("access bad mode", access("a", 0x77));
  struct statfs fs;
  guest_result("statfs", statfs(".", &fs));
  guest_result("statfs missing", statfs("missing", &fs));
  CHECK(stat("/dev/null", &status) == 0);
  printf("/dev/null: %o %d:%d\n", status.st_mode & S_IFMT, (int)(status.st_rdev >> 8), (int)(status.st_rdev & 255));
}

static int by_name(const void *one, const void *two) { return strcmp(*(char *const *)one, *(char *const *)two); }

static void directories(void) {
  guest_scratch();
  for (int i = 0; i < 500; i++) {
    char name[64];
    snprintf(name, sizeof name, "file-with-a-longer-name-%03d", i);
    close(make(name, ""));
  }
  CHECK(mkdir("sub", 0755) == 0 && symlink("x", "sym") == 0 && mkfifo("fifo", 0600) == 0);
  DIR *directory = opendir(".");
  CHECK(directory != NULL);
  static char *found[600];
  static int kinds[600];
  int count = 0, special = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    CHECK(count < 600);
    found[count++] = strdup(entry->d_name);
    if (entry->d_type != DT_REG) kinds[special++] = entry->d_type;
  }
  qsort(found, count, sizeof found[0], by_name);
  for (int i = 1; i < count; i++) CHECK(strcmp(found[i - 1], found[i]) != 0);
  printf("%d entries, %d not files, first %s, last %s\n", count, special, found[0], found[count - 1]);
  int sum = 0;
  for (int i = 0; i < special; i++) sum += kinds[i];
  printf("sum of kinds %d\n", sum);
  rewinddir(directory);
  int again = 0;
  while (readdir(directory)) again++;
  printf("after rewind: %d\n", again);
  // Deleting while reading must neither lose nor repeat what stays.
  rewinddir(directory);
  int deleted = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
    if (strncmp(entry->d_name, "file-", 5) == 0 && unlink(entry->d_name) == 0) deleted++;
  printf("deleted %d\n", deleted);
  closedir(directory);
  char buffer[16];
  const int fd = open(".", O_RDONLY | O_DIRECTORY);
  guest_result("getdents short buffer", syscall(SYS_getdents64, fd, buffer, sizeof buffer));
  guest_result("getdents of a file", syscall(SYS_getdents64, make("f", ""), buffer, sizeof buffer));
  guest_result("rmdir with entries", rmdir("../"));
}

static void descriptors(void) {
  guest_scratch();
  const int fd = make("a", "0123456789");
  const int copy = dup(fd);
  CHECK(lseek(fd, 3, SEEK_SET) == 3);
  printf("shared offset: %ld\n", (long)lseek(copy, 0, SEEK_CUR));
  CHECK(dup2(fd, 100) == 100);
  printf("dup2 to itself: %d\n", dup2(100, 100) == 100);
  guest_result("dup2 bad", dup2(200, 100));
  guest_result("dup3 same", dup3(100, 100, 0));
  CHECK(dup3(fd, 101, O_CLOEXEC) == 101);
  printf("flags: %d %d\n", fcntl(100, F_GETFD), fcntl(101, F_GETFD));
  CHECK(fcntl(100, F_SETFD, FD_CLOEXEC) == 0);
  printf("flags: %d %d\n", fcntl(100, F_GETFD), fcntl(fd, F_GETFD));
  printf("F_DUPFD above 50: %d\n", fcntl(fd, F_DUPFD, 50));
  printf("F_DUPFD_CLOEXEC: %d\n", fcntl(fcntl(fd, F_DUPFD_CLOEXEC, 60), F_GETFD));
  printf("status: %#o\n", fcntl(fd, F_GETFL) & ~0100000);
  CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
  printf("status of copy: %#o\n", fcntl(copy, F_GETFL) & ~0100000);
  guest_result("F_GETFL bad", fcntl(300, F_GETFL));
  guest_result("unknown fcntl", fcntl(fd, 9999, 0));
  guest_result("close_range", close_range(100, 101, 0));
  guest_result("closed", fcntl(100, F_GETFD));
  char path[64], target[256] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK(readlink(path, target, sizeof target - 1) > 0);
  printf("fd link ends with: %s\n", strrchr(target, '/'));
  const int again = open(path, O_RDONLY);
  printf("reopened at: %ld\n", (long)lseek(again, 0, SEEK_CUR));
  // A forked child shares the open file description.
  lseek(copy, 0, SEEK_SET);
  CHECK(IN_CHILD(lseek(copy, 7, SEEK_SET)) == 0);
  printf("offset moved by child: %ld\n", (long)lseek(copy, 0, SEEK_CUR));
}

static void describe(const char *what, struct flock *lock) {
  printf("%s: type %d start %ld length %ld\n", what, lock->l_type, (long)lock->l_start, (long)lock->l_len);
}

static void locks(void) {
  guest_scratch();
  const int fd = make("a", "0123456789");
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4};
  guest_result("lock", fcntl(fd, F_SETLK, &lock));
  CHECK(IN_CHILD({
          struct flock other = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
          CHECK(fcntl(fd, F_GETLK, &other) == 0);
          describe("child sees", &other);
          CHECK(other.l_pid == getppid());
          other = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 1};
          guest_result("child conflicting", fcntl(fd, F_SETLK, &other));
          other.l_start = 6;
          guest_result("child elsewhere", fcntl(fd, F_SETLK, &other));
        }) == 0);
  lock = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 1};
  guest_result("split", fcntl(fd, F_SETLK, &lock));
  CHECK(IN_CHILD({
          struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 3, .l_len = 0};
          CHECK(fcntl(fd, F_GETLK, &other) == 0);
          describe("after split", &other);
        }) == 0);
  // A blocking lock is granted when the holder lets go.
  int ready[2];
  CHECK(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 1};
    CHECK(write(ready[1], "r", 1) == 1);
    CHECK(fcntl(fd, F_SETLKW, &other) == 0);
    printf("child got the lock\n");
    _exit(0);
  }
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1);
  guest_sleep_ms(30);
  printf("parent unlocks\n");
  lock = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  CHECK(fcntl(fd, F_SETLK, &lock) == 0);
  CHECK(guest_wait(child) == 0);
  // Two who wait for each other: the second is told.
  lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  CHECK(fcntl(fd, F_SETLK, &lock) == 0);
  const pid_t rival = fork();
  if (rival == 0) {
    struct flock other = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    CHECK(fcntl(fd, F_SETLK, &other) == 0);
    CHECK(write(ready[1], "r", 1) == 1);
    other.l_start = 0;
    CHECK(fcntl(fd, F_SETLKW, &other) == 0);
    _exit(0);
  }
  CHECK(read(ready[0], &byte, 1) == 1);
  guest_sleep_ms(100);
  lock.l_start = 1;
  guest_result("deadlock", fcntl(fd, F_SETLKW, &lock));
  lock = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
  CHECK(fcntl(fd, F_SETLK, &lock) == 0 && guest_wait(rival) == 0);
  guest_result("bad lock of a pipe", fcntl(ready[0], F_SETLK, &(struct flock){.l_type = F_RDLCK, .l_whence = 77}));
  // flock belongs to the open file description, not to the process.
  CHECK(flock(fd, LOCK_EX) == 0);
  const int second = open("a", O_RDWR);
  guest_result("flock conflict", flock(second, LOCK_EX | LOCK_NB));
  CHECK(flock(fd, LOCK_UN) == 0);
  guest_result("flock free", flock(second, LOCK_SH | LOCK_NB));
  guest_result("flock shared", flock(fd, LOCK_SH | LOCK_NB));
}

static void copying(void) {
  guest_scratch();
  const int from = make("from", "0123456789abcdef");
  const int to = make("to", "");
  off_t offset = 4;
  printf("sendfile: %ld", (long)sendfile(to, from, &offset, 6));
  printf(" offset %ld\n", (long)offset);
  show("to");
  loff_t in = 10, out = 0;
  printf("copy_file_range: %ld\n", (long)copy_file_range(from, &in, to, &out, 3, 0));
  show("to");
  int pipes[2];
  CHECK(pipe(pipes) == 0);
  CHECK(fcntl(pipes[0], F_GETPIPE_SZ) > 0);
  offset = 0;
  printf("sendfile to pipe: %ld\n", (long)sendfile(pipes[1], from, &offset, 5));
  char text[8] = "";
  printf("pipe has: %ld %.5s\n", (long)read(pipes[0], text, sizeof text), text);
}

static void fifos(void) {
  guest_scratch();
  guest_result("mkfifo", mkfifo("f", 0600));
  guest_result("write end without reader", open("f", O_WRONLY | O_NONBLOCK));
  const pid_t child = fork();
  if (child == 0) {
    const int fd = open("f", O_WRONLY);
    CHECK(fd >= 0 && write(fd, "through", 7) == 7);
    _exit(0);
  }
  const int fd = open("f", O_RDONLY);
  char text[16] = "";
  CHECK(read(fd, text, sizeof text) == 7);
  printf("%s\n", text);
  CHECK(guest_wait(child) == 0);
  printf("end of file: %ld\n", (long)read(fd, text, sizeof text));
}

static void special_files(void) {
  const int null = open("/dev/null", O_RDWR);
  guest_result("sync_file_range", sync_file_range(null, 0, 1, SYNC_FILE_RANGE_WRITE));
  CHECK(close(null) == 0);
  char buffer[64];
  memset(buffer, 1, sizeof buffer);
  int fd = open("/dev/zero", O_RDWR);
  CHECK(read(fd, buffer, sizeof buffer) == sizeof buffer && buffer[0] == 0 && buffer[63] == 0);
  fd = open("/dev/null", O_RDWR);
  printf("null: %ld %ld\n", (long)read(fd, buffer, 8), (long)write(fd, buffer, 8));
  fd = open("/dev/full", O_RDWR);
  guest_result("full", write(fd, buffer, 8));
  fd = open("/dev/urandom", O_RDONLY);
  CHECK(read(fd, buffer, sizeof buffer) == sizeof buffer);
  int same = 0;
  for (int i = 1; i < 64; i++) same += buffer[i] == buffer[0];
  CHECK(same < 20);
  guest_result("seek null", lseek(open("/dev/null", O_RDWR), 10, SEEK_SET));
  char target[64] = "";
  CHECK(readlink("/proc/self/exe", target, sizeof target) > 0);
  char name[32] = "";
  fd = open("/proc/self/comm", O_RDONLY);
  CHECK(read(fd, name, sizeof name) > 0);
  printf("comm: %s", name);
  fd = open("/proc/self/cmdline", O_RDONLY);
  CHECK(read(fd, buffer, sizeof buffer) > 0);
  guest_result("missing process", open("/proc/999999999/status", O_RDONLY));
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--itself") == 0) return itself();
  static const struct guest_case cases[] = {
      {"open", open_flags}, {"seek", append_and_seek},  {"truncate", truncate_files},
      {"names", names},     {"cwd", working_directory}, {"metadata", metadata},
      {"dirs", directories}, {"fds", descriptors},      {"locks", locks},
      {"copying", copying}, {"fifos", fifos},           {"special", special_files},
      {"edges", edges},     {"nameless", nameless},     {"times", times},
      {"privileges", privileges}, {"protection", protection}, {"memory programs", memory_programs},
      {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
