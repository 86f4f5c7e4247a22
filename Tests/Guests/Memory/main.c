// Memory: mappings, protection, faults and their addresses, sharing, stack and heap growth.

#include "guest.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { page = 4096 };

static sigjmp_buf escape;
static volatile int seen_signal, seen_code;
static void *volatile seen_address;

static void on_fault(int signal, siginfo_t *info, void *context) {
  (void)context;
  seen_signal = signal;
  seen_code = info->si_code;
  seen_address = info->si_addr;
  siglongjmp(escape, 1);
}

static void catch_faults(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
}

/// Touches `address` and prints which signal that raised; the address is checked, not printed.
static void touch(const char *what, volatile char *address, bool writes) {
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) {
    if (writes) *address = 1;
    else (void)*address;
  }
  if (seen_signal == 0) {
    printf("%s: ok\n", what);
  } else {
    printf("%s: %s code %d\n", what, seen_signal == SIGSEGV ? "SIGSEGV" : "SIGBUS", seen_code);
    CHECK(seen_address == (void *)address);
  }
}

static char *anonymous(size_t length, int protection, int flags) {
  char *p = mmap(NULL, length, protection, flags | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static void mapping(void) {
  catch_faults();
  char *p = anonymous(8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (int i = 0; i < 8 * page; i += 512) CHECK(p[i] == 0);
  memset(p, 7, 8 * page);
  CHECK(munmap(p + 2 * page, page) == 0);
  touch("before hole", p + 2 * page - 1, true);
  touch("hole", p + 2 * page, false);
  touch("hole end", p + 3 * page - 1, true);
  touch("after hole", p + 3 * page, true);
  guest_result("munmap nothing mapped", munmap(p + 2 * page, page));
  guest_result("munmap unaligned", munmap(p + 1, page));
  guest_result("munmap zero", munmap(p, 0));
  guest_result("mmap zero", (long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  guest_result("mmap bad fd", (long)mmap(NULL, page, PROT_READ, MAP_PRIVATE, 200, 0));
  guest_result("mmap no sharing flag", (long)mmap(NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 0));
  guest_result("mmap huge", (long)mmap(NULL, 1ul << 50, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  guest_result("mmap fixed unaligned", (long)mmap(p + 5, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  guest_result("mmap fixed beyond user space",
               (long)mmap((void *)0x7ffffffff000, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  char *fixed = mmap(p + 2 * page, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(fixed == p + 2 * page && fixed[0] == 0);
  guest_result("noreplace taken", (long)mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  CHECK(munmap(p, page) == 0);
  CHECK(mmap(p, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p);
  CHECK(munmap(p, 8 * page) == 0);
  touch("all gone", p + page, false);
  touch("null", (char *)8, true);
  // Many small mappings of alternating protection, then one call over all of them.
  p = anonymous(64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (int i = 0; i < 64; i += 2) CHECK(mprotect(p + i * page, page, PROT_READ) == 0);
  CHECK(mprotect(p, 64 * page, PROT_READ | PROT_WRITE) == 0);
  for (int i = 0; i < 64; i++) p[i * page] = (char)i;
  for (int i = 0; i < 64; i++) CHECK(p[i * page] == (char)i);
}

static void protection(void) {
  catch_faults();
  char *p = anonymous(4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  p[0] = p[page] = p[2 * page] = 1;
  CHECK(mprotect(p + page, page, PROT_READ) == 0);
  touch("read read-only", p + page, false);
  touch("write read-only", p + page, true);
  CHECK(mprotect(p + page, page, PROT_NONE) == 0);
  touch("read none", p + page, false);
  CHECK(mprotect(p + page, page, PROT_READ | PROT_WRITE) == 0);
  CHECK(p[page] == 1);
  touch("write again", p + page, true);
  guest_result("mprotect hole", mprotect(p + 2 * page, 1ul << 40, PROT_READ));
  guest_result("mprotect unaligned", mprotect(p + 1, page, PROT_READ));
  guest_result("mprotect unknown bits", mprotect(p, page, 0x70));
  // Data executes where and only where it may.
  static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
  memcpy(p, code, sizeof code);
  CHECK(mprotect(p, page, PROT_READ | PROT_EXEC) == 0);
  printf("executed: %d\n", ((int (*)(void))p)());
  CHECK(mprotect(p, page, PROT_READ | PROT_WRITE) == 0);
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) ((int (*)(void))p)();
  printf("not executable: %d code %d at the address %d\n", seen_signal, seen_code, seen_address == p);
  // A system call may not write where the program may not.
  CHECK(mprotect(p, page, PROT_READ) == 0);
  guest_result("read into read-only", read(open("/dev/zero", O_RDONLY), p, 8));
  guest_result("getcwd into none", syscall(SYS_getcwd, p + 64 * page, page) == -1 ? -1 : -1);
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) __asm__ volatile("movq (%0), %%rax" ::"r"(0x8000000000000000ul) : "rax");
  printf("non-canonical: %d code %d\n", seen_signal, seen_code);
}

static void sharing(void) {
  int *shared = (int *)anonymous(page, PROT_READ | PROT_WRITE, MAP_SHARED);
  int *private = (int *)anonymous(page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  *shared = *private = 1;
  CHECK(IN_CHILD({
          *shared = 2;
          *private = 2;
        }) == 0);
  printf("shared %d private %d\n", *shared, *private);
  // Copies stay apart in both directions, over generations.
  for (int i = 0; i < 5; i++) {
    *private = 10 + i;
    CHECK(IN_CHILD({
            CHECK(*private == 10 + i);
            *private = 99;
            CHECK(IN_CHILD({
                    CHECK(*private == 99);
                    *private = 100;
                  }) == 0);
            CHECK(*private == 99);
          }) == 0);
    CHECK(*private == 10 + i);
  }
  // 16 MiB, every page written on both sides after the fork.
  const size_t large = 16 << 20;
  unsigned *data = (unsigned *)anonymous(large, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (size_t i = 0; i < large / 4; i += 1024) data[i] = (unsigned)i;
  fflush(stdout);
  const pid_t child = fork();
  for (size_t i = 0; i < large / 4; i += 1024) {
    CHECK(data[i] == i);
    data[i] = child == 0 ? 7 : 8;
  }
  for (size_t i = 0; i < large / 4; i += 1024) CHECK(data[i] == (child == 0 ? 7 : 8));
  if (child == 0) _exit(0);
  CHECK(guest_wait(child) == 0);
  printf("16 MiB copied on write\n");
}

static void files(void) {
  guest_scratch();
  catch_faults();
  const int fd = open("f", O_RDWR | O_CREAT, 0600);
  char data[2 * page];
  for (int i = 0; i < 2 * page; i++) data[i] = (char)('a' + i / page);
  CHECK(write(fd, data, 2 * page) == 2 * page && ftruncate(fd, page + 100) == 0);
  char *private = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char *shared = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(private != MAP_FAILED && shared != MAP_FAILED);
  printf("content: %c %c, tail %d\n", private[0], shared[page], private[page + 100]);
  touch("beyond the end", private + 2 * page, false);
  touch("beyond the end, shared", shared + 2 * page, true);
  private[0] = 'P';
  char byte;
  CHECK(pread(fd, &byte, 1, 0) == 1);
  printf("file after private write: %c\n", byte);
  shared[1] = 'S';
  CHECK(msync(shared, page, MS_SYNC) == 0 && pread(fd, &byte, 1, 1) == 1);
  printf("file after shared write: %c\n", byte);
  CHECK(pwrite(fd, "W", 1, 2) == 1);
  printf("shared after file write: %c\n", shared[2]);
  CHECK(IN_CHILD(shared[3] = 'C') == 0);
  printf("shared after child write: %c\n", shared[3]);
  char *offset = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, page);
  CHECK(offset != MAP_FAILED);
  printf("at offset: %c\n", offset[0]);
  guest_result("unaligned offset", (long)mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 100));
  guest_result("shared write of read-only file",
               (long)mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, open("f", O_RDONLY), 0));
  guest_result("private write of read-only file",
               (long)mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, open("f", O_RDONLY), 0));
  guest_result("mapping of write-only file", (long)mmap(NULL, page, PROT_READ, MAP_PRIVATE, open("f", O_WRONLY), 0));
  CHECK(close(fd) == 0 && unlink("f") == 0);
  printf("after unlink: %c\n", shared[1]);
  char *directory = mmap(NULL, page, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0);
  guest_result("directory", (long)directory);
  // The program's own file.
  const int self = open("/proc/self/exe", O_RDONLY);
  char *elf = mmap(NULL, page, PROT_READ, MAP_PRIVATE, self, 0);
  CHECK(elf != MAP_FAILED && memcmp(elf, "\177ELF", 4) == 0);
  const int memory = memfd_create("m", MFD_CLOEXEC);
  CHECK(memory >= 0 && ftruncate(memory, page) == 0);
  char *both = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
  CHECK(both != MAP_FAILED);
  both[5] = 'M';
  CHECK(pread(memory, &byte, 1, 5) == 1);
  printf("memfd: %c\n", byte);
}

static void remapping(void) {
  catch_faults();
  char *p = anonymous(4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  for (int i = 0; i < 4; i++) p[i * page] = (char)(i + 1);
  char *q = mremap(p, 4 * page, 16 * page, MREMAP_MAYMOVE);
  CHECK(q != MAP_FAILED);
  printf("grown: %d %d %d\n", q[0], q[3 * page], q[15 * page]);
  q[15 * page] = 9;
  CHECK(mremap(q, 16 * page, 2 * page, 0) == q);
  touch("cut off", q + 2 * page, false);
  char *target = anonymous(8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  char *moved = mremap(q, 2 * page, 4 * page, MREMAP_MAYMOVE | MREMAP_FIXED, target);
  CHECK(moved == target);
  printf("moved: %d %d %d\n", moved[0], moved[page], moved[2 * page]);
  touch("old place", q, false);
  // A neighbour in the way.
  char *a = anonymous(2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  CHECK(mprotect(a + page, page, PROT_READ) == 0);
  guest_result("no room", (long)mremap(a, page, 2 * page, 0));
  guest_result("unaligned", (long)mremap(a + 1, page, 2 * page, MREMAP_MAYMOVE));
  guest_result("not mapped", (long)mremap((void *)0x10000, page, 2 * page, MREMAP_MAYMOVE));
  guest_result("fixed without maymove", (long)mremap(a, page, page, MREMAP_FIXED, target));
  // realloc of a large block keeps its content.
  char *block = malloc(1 << 20);
  memset(block, 5, 1 << 20);
  block = realloc(block, 64 << 20);
  CHECK(block && block[0] == 5 && block[(1 << 20) - 1] == 5);
  memset(block + (1 << 20), 6, 63 << 20);
  free(block);
}

static void heap(void) {
  catch_faults();
  char *start = sbrk(0);
  CHECK(sbrk(10 * page) == start);
  memset(start, 3, 10 * page);
  CHECK(sbrk(-8 * page) == start + 10 * page);
  printf("kept: %d\n", start[page]);
  touch("given back", (char *)(((uintptr_t)start + 3 * page + page - 1) & ~(uintptr_t)(page - 1)), false);
  CHECK(sbrk(8 * page) == start + 2 * page);
  printf("fresh: %d\n", start[4 * page]);
  const long end = syscall(SYS_brk, 0);
  printf("brk below the heap is refused: %d\n", syscall(SYS_brk, 4096) == end);
  struct rlimit limit = {1 << 20, RLIM_INFINITY};
  CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
  guest_result("beyond RLIMIT_DATA", (long)sbrk(64 << 20));
}

static void advice(void) {
  catch_faults();
  char *p = anonymous(8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  memset(p, 4, 8 * page);
  CHECK(madvise(p + page, page, MADV_DONTNEED) == 0);
  printf("after DONTNEED: %d %d %d\n", p[0], p[page], p[2 * page]);
  guest_result("unaligned", madvise(p + 1, page, MADV_DONTNEED));
  guest_result("unknown", madvise(p, page, 9999));
  CHECK(munmap(p + 4 * page, page) == 0);
  guest_result("hole", madvise(p, 8 * page, MADV_DONTNEED));
  printf("around hole: %d %d\n", p[0], p[5 * page]);
  guest_result("WILLNEED", madvise(p, page, MADV_WILLNEED));
  guest_result("FREE", madvise(p, page, MADV_FREE));
  CHECK(madvise(p, 2 * page, MADV_DONTFORK) == 0);
  const int status = IN_CHILD({
    signal(SIGSEGV, SIG_DFL);
    (void)*(volatile char *)p;
  });
  printf("DONTFORK: %d\n", status);
  char *shared = anonymous(2 * page, PROT_READ | PROT_WRITE, MAP_SHARED);
  shared[0] = 5;
  CHECK(madvise(shared, page, MADV_DONTNEED) == 0);
  printf("shared after DONTNEED: %d\n", shared[0]);
  unsigned char resident[2];
  guest_result("mincore", mincore(shared, 2 * page, resident));
  guest_result("mlock", mlock(p, page));
  guest_result("munlock", munlock(p, page));
}

static size_t depth_of(size_t depth) {
  volatile char frame[1024];
  frame[0] = (char)depth;
  frame[1023] = (char)depth;
  return depth == 0 ? 0 : 1 + depth_of(depth - 1) + (size_t)(frame[0] - frame[1023]);
}

static void stack(void) {
  printf("recursion: %zu\n", depth_of(6000));
  // Runaway recursion ends in SIGSEGV, which a handler on an alternate stack can catch.
  static char alternate[65536];
  const stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};
  CHECK(sigaltstack(&other, NULL) == 0);
  catch_faults();
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) depth_of(1 << 24);
  printf("overflow: %d code is %s\n", seen_signal, seen_code > 0 ? "a fault" : "not a fault");
  const int status = IN_CHILD({
    signal(SIGSEGV, SIG_DFL);
    depth_of(1 << 24);
  });
  printf("without a handler: %d\n", status);
  // Below the stack pointer by a lot, within the limit.
  volatile char *far = (volatile char *)__builtin_frame_address(0) - (1 << 20);
  touch("1 MiB below", far, true);
  struct rlimit limit;
  CHECK(getrlimit(RLIMIT_STACK, &limit) == 0);
  printf("stack limit %ld KiB\n", (long)(limit.rlim_cur >> 10));
}

static void large(void) {
  // 64 GiB of address space, touched here and there.
  const size_t size = 64ul << 30;
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(p != MAP_FAILED);
  for (size_t i = 0; i < 64; i++) p[i << 30] = (char)i;
  int sum = 0;
  for (size_t i = 0; i < 64; i++) sum += p[i << 30];
  printf("sum %d\n", sum);
  CHECK(munmap(p, size) == 0);
  // Many mappings that cannot merge.
  const int count = 2000;
  char *block = anonymous((size_t)count * 2 * page, PROT_NONE, MAP_PRIVATE);
  for (int i = 0; i < count; i++) CHECK(mprotect(block + (size_t)i * 2 * page, page, PROT_READ | PROT_WRITE) == 0);
  for (int i = 0; i < count; i++) block[(size_t)i * 2 * page] = 1;
  CHECK(munmap(block, (size_t)count * 2 * page) == 0);
  printf("%d mappings\n", count);
}

/// What `/proc/self/status` says is locked, in pages.
static long locked_pages(void) {
  char line[256];
  long kilobytes = -1;
  FILE *status = fopen("/proc/self/status", "r");
  CHECK(status != NULL);
  while (fgets(line, sizeof line, status)) (void)sscanf(line, "VmLck: %ld", &kilobytes);
  fclose(status);
  return kilobytes / 4;
}

static void locking(void) {
  char *p = anonymous(8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  guest_result("lock", mlock(p + page + 1, page));
  printf("locked: %ld\n", locked_pages());
  unsigned char resident[8];
  CHECK(mincore(p, 8 * page, resident) == 0);
  printf("resident: %d %d\n", resident[1] & 1, resident[2] & 1);
  guest_result("drop locked", madvise(p, 8 * page, MADV_DONTNEED));
  guest_result("free locked", madvise(p + page, page, MADV_FREE));
  guest_result("invalidate locked", msync(p, 8 * page, MS_INVALIDATE));
  guest_result("invalidate others", msync(p + 4 * page, page, MS_INVALIDATE));
  guest_result("lock on fault", mlock2(p + 4 * page, page, MLOCK_ONFAULT));
  guest_result("lock again", mlock(p + page, 2 * page));
  printf("locked: %ld\n", locked_pages());
  printf("child: %d\n", IN_CHILD(_exit((int)locked_pages())));
  guest_result("unlock", munlock(p + page, page));
  printf("locked: %ld\n", locked_pages());
  guest_result("drop unlocked", madvise(p + page, page, MADV_DONTNEED));
  CHECK(munmap(p + 3 * page, page) == 0);
  guest_result("hole", mlock(p, 8 * page));
  CHECK(munlock(p, 3 * page) == 0 && munlock(p + 4 * page, 4 * page) == 0);
  guest_result("lock what comes", mlockall(MCL_FUTURE));
  CHECK(locked_pages() == 0);
  char *later = anonymous(2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
  printf("locked: %ld\n", locked_pages());
  CHECK(munmap(later, 2 * page) == 0);
  guest_result("unlock all", munlockall());
  printf("locked: %ld\n", locked_pages());
  guest_result("bad flags", mlockall(64));
  guest_result("bad lock flags", mlock2(p, page, 64));
}

static void sealing(void) {
  char path[64];
  const int first = memfd_create("reopened", 0);
  snprintf(path, sizeof path, "/proc/self/fd/%d", first);
  CHECK(write(first, "text", 4) == 4);
  const int second = open(path, O_RDONLY);
  guest_result("reopen", second >= 0 ? 0 : -1);
  char text[5] = "";
  CHECK(read(second, text, 4) == 4 && strcmp(text, "text") == 0);
  guest_result("write what is read only", write(second, "x", 1));
  CHECK(close(open(path, O_WRONLY | O_TRUNC)) == 0 && lseek(second, 0, SEEK_END) == 0);
  const int fd = memfd_create("sealed", MFD_ALLOW_SEALING);
  CHECK(fd >= 0 && ftruncate(fd, page) == 0);
  char *shared = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED);
  guest_result("seal what is mapped", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  guest_result("seal against the future", fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  shared[0] = 'x';
  guest_result("map to write", (long)mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char *seen = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(seen != MAP_FAILED && seen[0] == 'x');
  guest_result("make writable", mprotect(seen, page, PROT_READ | PROT_WRITE));
  char *own = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK(own != MAP_FAILED && (own[0] = 'y') == 'y' && seen[0] == 'x');
  CHECK(munmap(shared, page) == 0);
  guest_result("seal what is seen", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  guest_result("write", write(fd, "z", 1));
}

static void other_processes(void) {
  char from[16] = "0123456789abcde", to[16] = "";
  struct iovec local = {to, 8}, remote = {from, 16};
  printf("read: %ld %s\n", (long)process_vm_readv(getpid(), &local, 1, &remote, 1, 0), to);
  local.iov_len = (size_t)-1;
  guest_result("negative length", process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
  guest_result("flags", process_vm_readv(getpid(), &local, 1, &remote, 1, 1));
  guest_result("bad descriptor comes first", (long)mmap(NULL, 0, PROT_READ, MAP_SHARED, 999, 0));
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"mapping", mapping}, {"protection", protection}, {"sharing", sharing}, {"files", files}, {"remapping", remapping},
      {"heap", heap},       {"advice", advice},         {"stack", stack},     {"large", large},
      {"locking", locking}, {"sealing", sealing}, {"others", other_processes}, {NULL, NULL},
  };
  return guest_main(argc, argv, cases);
}
