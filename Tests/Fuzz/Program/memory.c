// Calls that change an arena of some pages, touches of it, and what is mapped there then.

#include "fuzz.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { PAGE = 4096, PAGES = 48, FILE_PAGES = 16 };

static char *const arena = (char *)0x100000000000;
/// The file that is mapped, and one that is not.
static int file, other, pipes[2];
static sigjmp_buf touched;
static unsigned depth;

static void caught(int signal, siginfo_t *info, void *context) {
  (void)context;
  printf(" %s %d at %ld", sigabbrev_np(signal), info->si_code, (long)((char *)info->si_addr - arena));
  siglongjmp(touched, 1);
}

/// A file, all of it filled again.
static void fill_file(int file, char first) {
  char page[PAGE];
  CHECK(ftruncate(file, FILE_PAGES * PAGE) == 0);
  for (unsigned i = 0; i < FILE_PAGES; i++) {
    memset(page, first + i, PAGE);
    CHECK(pwrite(file, page, PAGE, i * PAGE) == PAGE);
  }
}

static void begin(void) {
  static char stack[64 * 1024];
  const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  CHECK(sigaltstack(&alternate, NULL) == 0);
  const struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
  file = memfd_create("fuzz", 0);
  other = memfd_create("other", 0);
  CHECK(file >= 0 && other >= 0 && pipe2(pipes, O_NONBLOCK) == 0);
  fill_file(file, 'A');
  fill_file(other, 'a');
}

static char *place(unsigned *pages) {
  const unsigned first = fuzz_below(PAGES);
  *pages = 1 + fuzz_below(fuzz_chance(4) ? PAGES - first : (PAGES - first < 6 ? PAGES - first : 6));
  return arena + first * PAGE;
}

static long page_of(const char *address) { return (address - arena) / PAGE; }

static void touch(void) {
  volatile char *address = arena + fuzz_below(PAGES) * PAGE + FUZZ_CHOICE(0, 1, 2000, 4095);
  const bool writes = fuzz_chance(2);
  const char value = 'a' + fuzz_below(26);
  printf("%s %ld", writes ? "write" : "read", (long)(address - arena));
  if (sigsetjmp(touched, 1) != 0) return;
  if (writes)
    *address = value;
  else
    printf(" is %d", *address);
}

static void map(void) {
  unsigned pages;
  char *address = place(&pages);
  const int protection = FUZZ_CHOICE(PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
                                     PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC);
  int flags = FUZZ_CHOICE(MAP_PRIVATE, MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE);
  flags |= FUZZ_CHOICE(MAP_FIXED, MAP_FIXED, MAP_FIXED_NOREPLACE);
  flags |= FUZZ_FLAGS(8, MAP_NORESERVE, MAP_POPULATE);
  const bool is_file = fuzz_chance(2);
  const off_t offset = is_file ? fuzz_below(FILE_PAGES + 2) * PAGE : 0;
  if (!is_file && (flags & MAP_TYPE) == MAP_SHARED_VALIDATE) flags = (flags & ~MAP_TYPE) | MAP_SHARED;
  printf("mmap %ld+%u prot %d flags %#x %s %ld", page_of(address), pages, protection, flags,
         is_file ? "file" : "anonymous", (long)offset / PAGE);
  const char *result = mmap(address, pages * PAGE, protection, flags | (is_file ? 0 : MAP_ANONYMOUS),
                            is_file ? file : -1, offset);
  fuzz_result(result == MAP_FAILED ? -1 : page_of(result));
}

static void remap(void) {
  unsigned pages, new_pages;
  char *address = place(&pages), *target = place(&new_pages);
  int flags = FUZZ_CHOICE(0, 0, MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_FIXED,
                          MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP);
  if (flags & MREMAP_DONTUNMAP) new_pages = pages;
  const unsigned old_pages = fuzz_chance(24) ? 0 : pages;
  printf("mremap %ld+%u to %ld+%u flags %d", page_of(address), old_pages, page_of(target), new_pages, flags);
  const char *result = mremap(address, old_pages * PAGE, new_pages * PAGE, flags, target);
  fuzz_result(result == MAP_FAILED ? -1 : page_of(result));
}

static void advise(void) {
  unsigned pages;
  char *address = place(&pages);
  const int advice = FUZZ_CHOICE(MADV_DONTNEED, MADV_DONTNEED, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DONTFORK,
                                 MADV_DOFORK, MADV_REMOVE, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_WILLNEED,
                                 99);
  printf("madvise %ld+%u %d", page_of(address), pages, advice);
  fuzz_result(madvise(address, pages * PAGE, advice));
}

/// Copies between the arena and the kernel, across whatever is there. (In which order bytes are copied between two places
/// of one file is nobody's business, so that the file is not the one that is mapped.)
static void transfer(void) {
  unsigned pages;
  char *address = place(&pages) + FUZZ_CHOICE(0, 0, 1, 4000);
  const size_t count = 1 + fuzz_below(pages * PAGE);
  const off_t offset = fuzz_below(FILE_PAGES * PAGE);
  const unsigned kind = fuzz_below(5);
  printf("%s %ld+%zu at %ld", (const char *[]){"pread", "pwrite", "readv", "change", "pipe"}[kind], (long)(address - arena), count,
         (long)offset);
  switch (kind) {
    case 0: fuzz_result(pread(other, address, count, offset)); break;
    case 1: {
      struct stat status;
      CHECK(fstat(other, &status) == 0);
      // Never past the end: a write that fails may make a file longer nevertheless.
      const off_t left = status.st_size > offset ? status.st_size - offset : 0;
      fuzz_result(pwrite(other, address, (off_t)count < left ? (off_t)count : left, offset));
      break;
    }
    case 2: {
      char buffer[100];
      struct iovec parts[2] = {{buffer, sizeof buffer}, {address, count}};
      fuzz_result(preadv(other, parts, 2, offset));
      break;
    }
    case 3: {
      char change[300];
      memset(change, 'z', sizeof change);
      // Not past the end: what was written to the last page behind it may or may not show up then.
      struct stat status;
      CHECK(fstat(file, &status) == 0);
      const bool fits = offset + (off_t)sizeof change <= status.st_size;
      fuzz_result(fits ? pwrite(file, change, sizeof change, offset) : 0);
      break;
    }
    default: {
      // Whole pages: how much of a page a pipe takes before memory ends is not told.
      const long written = write(pipes[1], arena + page_of(address) * PAGE, pages * PAGE > 60000 ? 61440 : pages * PAGE);
      fuzz_result(written);
      if (written > 0) fuzz_result(read(pipes[0], arena + fuzz_below(PAGES) * PAGE, written));
      char rest[PAGE];
      while (read(pipes[0], rest, sizeof rest) > 0) {
      }
      break;
    }
  }
}

static uint64_t contents(void) {
  uint64_t digest = 0xcbf29ce484222325;
  char page[PAGE];
  for (unsigned i = 0; i < PAGES; i++) {
    // The kernel copies, so that nothing traps.
    const long written = write(pipes[1], arena + i * PAGE, PAGE);
    const long count = written > 0 ? read(pipes[0], page, PAGE) : 0;
    digest = fuzz_digest(digest, &i, sizeof i);
    digest = fuzz_digest(digest, page, count);
  }
  return digest;
}

static void fork_and_step(void) {
  if (depth > 1) {
    printf("no fork");
    return;
  }
  printf("fork\n");
  const int status = IN_CHILD({
    depth++;
    fuzz_steps(&fuzz_memory, 4);
    printf("  contents %016lx\n", contents());
  });
  printf("  status %d", status);
}

static void step(void) {
  unsigned pages;
  char *address;
  switch (fuzz_below(24)) {
    case 0 ... 4: map(); break;
    case 5 ... 9: touch(); break;
    case 10 ... 11:
      address = place(&pages);
      printf("munmap %ld+%u", page_of(address), pages);
      fuzz_result(munmap(address, pages * PAGE));
      break;
    case 12 ... 13: {
      address = place(&pages);
      const int protection = FUZZ_CHOICE(PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC);
      printf("mprotect %ld+%u %d", page_of(address), pages, protection);
      fuzz_result(mprotect(address, pages * PAGE, protection));
      break;
    }
    case 14: remap(); break;
    case 15 ... 16: advise(); break;
    case 17:
      address = place(&pages);
      printf("msync %ld+%u", page_of(address), pages);
      fuzz_result(msync(address, pages * PAGE, FUZZ_CHOICE(MS_SYNC, MS_ASYNC, MS_INVALIDATE, 0)));
      break;
    case 18: {
      address = place(&pages);
      const bool locks = fuzz_chance(2);
      printf("%s %ld+%u", locks ? "mlock" : "munlock", page_of(address), pages);
      fuzz_result(locks ? mlock(address, pages * PAGE) : munlock(address, pages * PAGE));
      break;
    }
    case 19: {
      const off_t size = fuzz_below(FILE_PAGES + 1) * PAGE;
      printf("ftruncate %ld", (long)size);
      fuzz_result(ftruncate(file, size));
      break;
    }
    case 20:
      printf("fill");
      fill_file(file, 'A');
      break;
    case 21: fork_and_step(); break;
    default: transfer(); break;
  }
}

/// What each page of the arena is mapped to; how the kernel splits it into areas is its own affair.
static void state(void) {
  char pages[PAGES][40] = {{0}};
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  char line[512], permissions[5];
  unsigned long start, end, offset, inode;
  while (fgets(line, sizeof line, maps) != NULL) {
    CHECK(sscanf(line, "%lx-%lx %4s %lx %*s %lu", &start, &end, permissions, &offset, &inode) == 5);
    for (unsigned i = 0; i < PAGES; i++) {
      const unsigned long address = (unsigned long)arena + i * PAGE;
      if (address < start || address >= end) continue;
      if (strstr(line, "memfd:fuzz") != NULL)
        snprintf(pages[i], sizeof pages[i], "%s file %lu", permissions, (offset + address - start) / PAGE);
      else
        snprintf(pages[i], sizeof pages[i], "%s", permissions);
    }
  }
  fclose(maps);
  for (unsigned i = 0; i < PAGES; i++)
    if (pages[i][0] != 0) printf("%u %s, ", i, pages[i]);
  printf("contents %016lx", contents());
}

static void end(void) {}

const struct fuzz_mode fuzz_memory = {"memory", begin, step, state, end};
