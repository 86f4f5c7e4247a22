// Calls on a small tree of files, and on descriptors of them.

#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

enum { DESCRIPTORS = 6, FIRST = 100 };

static char scratch[] = "/dev/shm/fuzz.XXXXXX";
/// Names that were drawn for the call at hand.
static char names[2][32];

static void begin(void) {
  CHECK(mkdtemp(scratch) != NULL && chdir(scratch) == 0);
  umask(022);
}

/// A path of one or two names, of which few exist at a time. None has "..", which would lead out by way of a link.
static const char *path(unsigned which) {
  const char *const parts[] = {"a", "b", "c", "d", "e"};
  const char *first = parts[fuzz_below(5)];
  switch (fuzz_below(12)) {
    case 0 ... 5: snprintf(names[which], sizeof names[which], "%s", first); break;
    case 6 ... 9: snprintf(names[which], sizeof names[which], "%s/%s", first, parts[fuzz_below(5)]); break;
    case 10: snprintf(names[which], sizeof names[which], "%s/./%s/", first, parts[fuzz_below(5)]); break;
    default: snprintf(names[which], sizeof names[which], "%s", (const char *[]){".", "", "a/."}[fuzz_below(3)]);
  }
  return names[which];
}

static int descriptor(void) { return FIRST + fuzz_below(DESCRIPTORS); }
static off_t position(void) { return FUZZ_CHOICE(0, 1, 100, 4095, 4096, 5000, 20000, 70000, -1); }

static void say_status(const struct stat *status) {
  printf(" mode %o links %lu", status->st_mode, S_ISDIR(status->st_mode) ? 0 : (unsigned long)status->st_nlink);
  if (S_ISREG(status->st_mode)) printf(" size %ld", (long)status->st_size);
}

static void open_file(void) {
  const int target = descriptor();
  int flags = FUZZ_CHOICE(O_RDONLY, O_WRONLY, O_RDWR, O_RDWR) | FUZZ_CHOICE(0, O_CREAT, O_CREAT);
  flags |= FUZZ_FLAGS(6, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW) | FUZZ_FLAGS(16, O_DIRECTORY, O_PATH, O_NOATIME);
  flags |= O_NONBLOCK;
  if (fuzz_chance(16)) flags = O_TMPFILE | O_RDWR;
  const mode_t mode = FUZZ_CHOICE(0644, 0600, 0777, 0);
  printf("open %s %#o mode %o", path(0), flags, mode);
  const int opened = open(names[0], flags, mode);
  fuzz_result(opened < 0 ? -1 : 0);
  if (opened < 0) return;
  CHECK(dup2(opened, target) == target);
  close(opened);
}

static void transfer(void) {
  static char buffer[32768];
  const int from = descriptor(), to = descriptor();
  const size_t count = FUZZ_CHOICE(0, 1, 10, 4096, 5000, 20000, 32768);
  off_t offset = position();
  const unsigned kind = fuzz_below(9);
  // How much of a pipe's room is used up, and in which order a file is copied to itself, is the kernel's own affair.
  struct stat source, target;
  if (fstat(from, &source) == 0 && fstat(to, &target) == 0 &&
      (source.st_ino == target.st_ino || S_ISFIFO(source.st_mode) || S_ISFIFO(target.st_mode))) {
    printf("no transfer");
    return;
  }
  memset(buffer, 'a' + fuzz_below(26), sizeof buffer);
  printf("%s %d %d %zu %ld",
         (const char *[]){"read", "write", "pread", "pwrite", "write", "sendfile", "copy_file_range", "sendfile+",
                          "copy_file_range+"}[kind],
         from, to, count, (long)offset);
  long result;
  switch (kind) {
    case 0: result = read(from, buffer, count); break;
    case 1:
    case 4: result = write(to, buffer, count); break;
    case 2: result = pread(from, buffer, count, offset); break;
    case 3: result = pwrite(to, buffer, count, offset); break;
    // What is checked before a count of zero is Linux's affair.
    case 5: result = sendfile(to, from, NULL, count + 1); break;
    case 6: result = copy_file_range(from, NULL, to, NULL, count, 0); break;
    case 7: result = sendfile(to, from, &offset, count + 1); break;
    default: result = copy_file_range(from, &offset, to, NULL, count, 0); break;
  }
  fuzz_result(result);
  if (result > 0 && (kind == 0 || kind == 2)) printf(" digest %016lx", fuzz_digest(0, buffer, result));
  if (kind >= 7) printf(" offset %ld", (long)offset);
}

static void change_names(void) {
  switch (fuzz_below(9)) {
    case 0: {
      const unsigned flags = FUZZ_CHOICE(0, 0, 0, 1, 2, 3);
      path(0), path(1);
      printf("renameat2 %s %s %u", names[0], names[1], flags);
      fuzz_result(renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], flags));
      break;
    }
    case 1:
      path(0), path(1);
      printf("link %s %s", names[0], names[1]);
      fuzz_result(linkat(AT_FDCWD, names[0], AT_FDCWD, names[1], fuzz_chance(4) ? AT_SYMLINK_FOLLOW : 0));
      break;
    case 2:
      path(0), path(1);
      printf("symlink %s %s", names[0], names[1]);
      fuzz_result(symlink(names[0], names[1]));
      break;
    case 3 ... 4:
      printf("mkdir %s", path(0));
      fuzz_result(mkdir(names[0], FUZZ_CHOICE(0755, 0700, 02777)));
      break;
    case 5:
      printf("rmdir %s", path(0));
      fuzz_result(rmdir(names[0]));
      break;
    case 6 ... 7:
      printf("unlink %s", path(0));
      fuzz_result(unlink(names[0]));
      break;
    default:
      printf("mknod %s", path(0));
      fuzz_result(mknod(names[0], FUZZ_CHOICE(S_IFIFO, S_IFREG, S_IFSOCK) | 0640, 0));
  }
}

static void change_attributes(void) {
  const int file = descriptor();
  switch (fuzz_below(9)) {
    case 0 ... 1: {
      const mode_t mode = FUZZ_CHOICE(0644, 0600, 0, 0777, 04755, 02755, 01777);
      printf("chmod %s %o", path(0), mode);
      fuzz_result(chmod(names[0], mode));
      break;
    }
    case 2: {
      const off_t size = position();
      printf("truncate %s %ld", path(0), (long)size);
      fuzz_result(truncate(names[0], size));
      break;
    }
    case 3: {
      const off_t size = position();
      printf("ftruncate %d %ld", file, (long)size);
      fuzz_result(ftruncate(file, size));
      break;
    }
    case 4: {
      const int mode = FUZZ_CHOICE(0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                   FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE);
      const off_t offset = position(), count = position();
      printf("fallocate %d %d %ld %ld", file, mode, (long)offset, (long)count);
      fuzz_result(fallocate(file, mode, offset, count));
      break;
    }
    case 5: {
      const struct timespec times[2] = {{FUZZ_CHOICE(0, 1000, 2000000000), 500},
                                        {FUZZ_CHOICE(0, 1000, 2000000000), FUZZ_CHOICE(0, 7, UTIME_OMIT, 2000000000)}};
      printf("utimensat %s", path(0));
      const long result = utimensat(AT_FDCWD, names[0], times, fuzz_chance(2) ? AT_SYMLINK_NOFOLLOW : 0);
      fuzz_result(result);
      break;
    }
    case 6: {
      const char *name = (const char *[]){"trusted.one", "trusted.two", "trusted.", "none.one", "security.x"}[fuzz_below(5)];
      char value[300];
      memset(value, 'x', sizeof value);
      const int flags = FUZZ_CHOICE(0, 0, XATTR_CREATE, XATTR_REPLACE, 7);
      printf("setxattr %s %s %d", path(0), name, flags);
      fuzz_result(lsetxattr(names[0], name, value, FUZZ_CHOICE(0, 1, 300), flags));
      break;
    }
    case 7: {
      char value[300];
      const char *name = (const char *[]){"trusted.one", "trusted.two", "security.x"}[fuzz_below(3)];
      const size_t room = FUZZ_CHOICE(0, 1, 300);
      const bool removes = fuzz_chance(3);
      printf("%s %s %s %zu", removes ? "removexattr" : "getxattr", path(0), name, room);
      fuzz_result(removes ? lremovexattr(names[0], name) : lgetxattr(names[0], name, value, room));
      break;
    }
    default: {
      const mode_t mask = FUZZ_CHOICE(022, 0, 077, 0777);
      printf("umask %o", mask);
      fuzz_result(umask(mask));
    }
  }
}

static void ask(void) {
  struct stat status;
  char text[100];
  switch (fuzz_below(6)) {
    case 0: {
      printf("stat %s", path(0));
      const long result = stat(names[0], &status);
      fuzz_result(result);
      if (result == 0) say_status(&status);
      break;
    }
    case 1: {
      printf("lstat %s", path(0));
      const long result = lstat(names[0], &status);
      fuzz_result(result);
      if (result == 0) say_status(&status);
      break;
    }
    case 2: {
      const int file = descriptor();
      printf("fstat %d", file);
      const long result = fstat(file, &status);
      fuzz_result(result);
      if (result == 0) say_status(&status);
      break;
    }
    case 3: {
      const size_t room = FUZZ_CHOICE(0, 1, 100);
      printf("readlink %s %zu", path(0), room);
      fuzz_result(syscall(SYS_readlink, names[0], text, room));
      break;
    }
    case 4: {
      const int mode = FUZZ_CHOICE(F_OK, R_OK, W_OK, X_OK, R_OK | X_OK, 9);
      printf("access %s %d", path(0), mode);
      fuzz_result(faccessat(AT_FDCWD, names[0], mode, 0));
      break;
    }
    default: {
      const off_t offset = position();
      const int whence = FUZZ_CHOICE(SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END, 9), file = descriptor();
      printf("lseek %d %ld %d", file, (long)offset, whence);
      // Where a directory's position is means nothing to others.
      const bool is_directory = fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
      const long result = is_directory ? 0 : lseek(file, offset, whence);
      fuzz_result(result);
    }
  }
}

static void change_descriptors(void) {
  const int file = descriptor(), other = descriptor();
  switch (fuzz_below(8)) {
    case 0:
      printf("close %d", file);
      fuzz_result(close(file));
      break;
    case 1:
      printf("dup2 %d %d", file, other);
      fuzz_result(dup2(file, other));
      break;
    case 2:
      printf("fcntl %d getfl", file);
      fuzz_result(fcntl(file, F_GETFL));
      break;
    case 3: {
      const int flags = FUZZ_FLAGS(2, O_APPEND, O_NOATIME) | O_NONBLOCK;
      printf("fcntl %d setfl %#o", file, flags);
      fuzz_result(fcntl(file, F_SETFL, flags));
      break;
    }
    case 4: {
      const int operation = FUZZ_CHOICE(LOCK_SH, LOCK_EX, LOCK_UN, 99) | LOCK_NB;
      printf("flock %d %d", file, operation);
      fuzz_result(flock(file, operation));
      break;
    }
    case 5: {
      struct flock lock = {.l_type = FUZZ_CHOICE(F_RDLCK, F_WRLCK, F_UNLCK, 9),
                           .l_whence = FUZZ_CHOICE(SEEK_SET, SEEK_CUR, SEEK_END, 9),
                           .l_start = position(),
                           .l_len = FUZZ_CHOICE(0, 10, -1, 100)};
      const int command = FUZZ_CHOICE(F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK);
      printf("fcntl %d lock %d type %d whence %d at %ld+%ld", file, command, lock.l_type, lock.l_whence,
             (long)lock.l_start, (long)lock.l_len);
      const long result = fcntl(file, command, &lock);
      fuzz_result(result);
      if (result == 0 && (command == F_GETLK || command == F_OFD_GETLK)) printf(" type %d", lock.l_type);
      break;
    }
    case 6:
      printf("fchmod %d", file);
      fuzz_result(fchmod(file, FUZZ_CHOICE(0644, 0, 07777)));
      break;
    default: {
      char link[64];
      path(0);
      snprintf(link, sizeof link, "/proc/self/fd/%d", file);
      printf("linkat %d %s", file, names[0]);
      fuzz_result(linkat(AT_FDCWD, link, AT_FDCWD, names[0], AT_SYMLINK_FOLLOW));
    }
  }
}

static void step(void) {
  switch (fuzz_below(12)) {
    case 0 ... 1: open_file(); break;
    case 2 ... 4: transfer(); break;
    case 5 ... 7: change_names(); break;
    case 8: change_attributes(); break;
    case 9 ... 10: ask(); break;
    default: change_descriptors(); break;
  }
}

static int by_name(const struct dirent **left, const struct dirent **right) {
  return strcmp((*left)->d_name, (*right)->d_name);
}

/// Lists a directory with what is in it; removes it where `removes`.
static void list(int directory, const char *name, bool removes) {
  const int file = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  CHECK(file >= 0);
  struct dirent **entries;
  const int count = scandirat(file, ".", &entries, NULL, by_name);
  CHECK(count >= 0);
  for (int i = 0; i < count; i++) {
    const char *entry = entries[i]->d_name;
    struct stat status;
    if (strcmp(entry, ".") != 0 && strcmp(entry, "..") != 0) {
      CHECK(fstatat(file, entry, &status, AT_SYMLINK_NOFOLLOW) == 0);
      if (!removes) {
        printf("%s/%s type %d", name, entry, entries[i]->d_type);
        say_status(&status);
        printf(", ");
      }
      if (S_ISDIR(status.st_mode)) list(file, entry, removes);
      if (removes) CHECK(unlinkat(file, entry, S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0) == 0);
    }
    free(entries[i]);
  }
  free(entries);
  close(file);
}

static void state(void) { list(AT_FDCWD, ".", false); }

static void end(void) {
  list(AT_FDCWD, ".", true);
  CHECK(rmdir(scratch) == 0);
}

const struct fuzz_mode fuzz_files = {"files", begin, step, state, end};
