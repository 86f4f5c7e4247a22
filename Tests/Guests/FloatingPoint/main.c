// The extended processor state (x87, MXCSR, SSE, AVX, AVX-512) across signals, system calls, forks, preemption and
// threads, and as a signal handler sees and changes it in its frame (x86-64 psABI; the XSAVE area of `struct _fpstate`).

#include "guest.h"
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>

/// The state that the program loads into the processor and reads back.
struct state {
  uint8_t zmm[32][64];
  uint64_t masks[8];
  uint32_t mxcsr;
  uint16_t control;
  double x87[2];
} __attribute__((aligned(64)));

static bool has_avx, has_avx512;
static int vector_count, vector_size;

static void detect(void) {
  unsigned a, b, c, d;
  vector_count = vector_size = 16;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  has_avx = (c & bit_AVX) && (low & 6) == 6;
  if (has_avx) vector_size = 32;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
    has_avx512 = (b & bit_AVX512F) && (b & bit_AVX512BW) && (low & 0xe6) == 0xe6;
  if (has_avx512) vector_size = 64, vector_count = 32;
}

#define EACH16(one)                                                                                                    \
  one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7) one(8) one(9) one(10) one(11) one(12) one(13) one(14) one(15)
#define EACH_UPPER(one)                                                                                                \
  one(16) one(17) one(18) one(19) one(20) one(21) one(22) one(23) one(24) one(25) one(26) one(27) one(28) one(29)      \
      one(30) one(31)
#define LOAD_SSE(n) "movups " #n "*64(%0), %%xmm" #n "\n"
#define LOAD_AVX(n) "vmovups " #n "*64(%0), %%ymm" #n "\n"
#define LOAD_512(n) "vmovups " #n "*64(%0), %%zmm" #n "\n"
#define STORE_SSE(n) "movups %%xmm" #n ", " #n "*64(%0)\n"
#define STORE_AVX(n) "vmovups %%ymm" #n ", " #n "*64(%0)\n"
#define STORE_512(n) "vmovups %%zmm" #n ", " #n "*64(%0)\n"
#define MASKS(one) one(1) one(2) one(3) one(4) one(5) one(6) one(7)
#define LOAD_MASK(n) "kmovq 2048+" #n "*8(%0), %%k" #n "\n"
#define STORE_MASK(n) "kmovq %%k" #n ", 2048+" #n "*8(%0)\n"

// The registers beyond SSE's cannot be named as clobbered, and need not be: the compiler uses only SSE here.
#define VECTORS                                                                                                        \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
      "xmm14", "xmm15"
static inline __attribute__((always_inline)) void load(const struct state *s) {
  if (has_avx512) __asm__ volatile(EACH16(LOAD_512) EACH_UPPER(LOAD_512) MASKS(LOAD_MASK)::"r"(s) : "memory", VECTORS);
  else if (has_avx) __asm__ volatile(EACH16(LOAD_AVX)::"r"(s) : "memory", VECTORS);
  else __asm__ volatile(EACH16(LOAD_SSE)::"r"(s) : "memory", VECTORS);
  __asm__ volatile("ldmxcsr %0\n fninit\n fldcw %1\n fldl %2\n fldl %3" ::"m"(s->mxcsr), "m"(s->control), "m"(s->x87[0]),
                   "m"(s->x87[1]));
}

static inline __attribute__((always_inline)) void store(struct state *s) {
  if (has_avx512) __asm__ volatile(EACH16(STORE_512) EACH_UPPER(STORE_512) MASKS(STORE_MASK)::"r"(s) : "memory", VECTORS);
  else if (has_avx) __asm__ volatile(EACH16(STORE_AVX)::"r"(s) : "memory", VECTORS);
  else __asm__ volatile(EACH16(STORE_SSE)::"r"(s) : "memory", VECTORS);
  __asm__ volatile("stmxcsr %0\n fnstcw %1\n fstpl %2\n fstpl %3\n fninit"
                   : "=m"(s->mxcsr), "=m"(s->control), "=m"(s->x87[1]), "=m"(s->x87[0]));
}

/// A state that tells its seed in every byte.
static void fill(struct state *s, unsigned seed) {
  memset(s, 0, sizeof *s);
  for (int r = 0; r < vector_count; r++)
    for (int i = 0; i < vector_size; i++) s->zmm[r][i] = (uint8_t)(seed * 31 + (unsigned)r * 7 + (unsigned)i);
  if (has_avx512)
    for (int k = 1; k < 8; k++) s->masks[k] = 0x0101010101010101ull * (seed + (unsigned)k);
  s->mxcsr = 0x1f80 | (seed & 3) << 13;
  s->control = (uint16_t)(0x037f | (seed & 3) << 10);
  s->x87[0] = seed + 0.25;
  s->x87[1] = -(double)seed;
}

static int difference(const struct state *one, const struct state *two) {
  if (memcmp(one->zmm, two->zmm, sizeof one->zmm) != 0) return 1;
  if (memcmp(one->masks, two->masks, sizeof one->masks) != 0) return 2;
  if (one->mxcsr != two->mxcsr) return 3;
  if (one->control != two->control) return 4;
  return one->x87[0] == two->x87[0] && one->x87[1] == two->x87[1] ? 0 : 5;
}

static struct state mine, after;
static volatile sig_atomic_t handled;

static void clobber(int signal) {
  (void)signal;
  struct state other;
  fill(&other, 201 + (unsigned)handled);
  load(&other);
  handled++;
  // Returns with everything changed: sigreturn has to bring it all back.
}

static inline __attribute__((always_inline)) long call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

static void system_calls(void) {
  fill(&mine, 1);
  load(&mine);
  for (int i = 0; i < 100; i++) call(SYS_getppid, 0, 0, 0);
  call(SYS_sched_yield, 0, 0, 0);
  static const struct timespec brief = {0, 1000000};
  call(SYS_nanosleep, (long)&brief, 0, 0);
  store(&after);
  printf("state after system calls: %d\n", difference(&mine, &after));
  fill(&mine, 5);
  static char memory[64 * 4096];
  volatile char *fresh = memory;
  load(&mine);
  for (int i = 0; i < 64; i++) fresh[i * 4096] = 1;
  store(&after);
  printf("state after page faults: %d\n", difference(&mine, &after));
}

static void signals(void) {
  struct sigaction action = {.sa_handler = clobber};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  const long pid = getpid();
  for (unsigned seed = 2; seed < 20; seed++) {
    fill(&mine, seed);
    load(&mine);
    call(SYS_kill, pid, SIGUSR1, 0);
    store(&after);
    CHECK(difference(&mine, &after) == 0);
  }
  printf("handled %d, state kept\n", (int)handled);
}

static void preemption(void) {
  struct sigaction action = {.sa_handler = clobber, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  fflush(stdout);
  // Four processes compute against each other; one of them also takes timer signals.
  for (unsigned p = 0; p < 4; p++)
    if (fork() == 0) {
      const struct itimerval timer = {{0, 1000}, {0, 1000}};
      if (p == 0) CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
      fill(&mine, 40 + p);
      const int64_t end = guest_now() + 200000000;
      do {
        load(&mine);
        for (int i = 0; i < 200000; i++) __asm__ volatile("");
        store(&after);
        const int where = difference(&mine, &after);
        if (where != 0) _exit(where);
      } while (guest_now() < end);
      _exit(0);
    }
  int status, bad = 0;
  while (wait(&status) > 0) bad += status != 0;
  printf("computing processes with a damaged state: %d\n", bad);
}

static void forks(void) {
  fill(&mine, 77);
  load(&mine);
  const long child = call(SYS_fork, 0, 0, 0);
  store(&after);
  const int where = difference(&mine, &after);
  if (child == 0) _exit(where);
  CHECK(where == 0);
  printf("child: %d\n", guest_wait((pid_t)child));
  printf("fresh after exec: %d\n", IN_CHILD({
           load(&mine);
           execl("/proc/self/exe", "floating", "--initial", (char *)NULL);
         }));
}

static void *thread_state(void *argument) {
  struct state own, read_back;
  const unsigned seed = (unsigned)(uintptr_t)argument;
  for (unsigned i = 0; i < 300; i++) {
    fill(&own, seed + i);
    load(&own);
    call(SYS_sched_yield, 0, 0, 0);
    store(&read_back);
    CHECK(difference(&own, &read_back) == 0);
  }
  return NULL;
}

static void threads(void) {
  pthread_t thread[6];
  for (uintptr_t i = 0; i < 6; i++) CHECK(pthread_create(&thread[i], NULL, thread_state, (void *)(i * 40)) == 0);
  for (int i = 0; i < 6; i++) pthread_join(thread[i], NULL);
  printf("six threads kept theirs\n");
}

static uint32_t offset_of(unsigned component) {
  unsigned a, b, c, d;
  __get_cpuid_count(13, component, &a, &b, &c, &d);
  return b;
}

static struct state seen;
static bool extended;

/// Reads the state out of the frame into `seen`, then replaces it by the one with seed 99.
static void edit_frame(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  uint8_t *area = (uint8_t *)((ucontext_t *)context)->uc_mcontext.fpregs;
  struct state other;
  fill(&other, 99);
  fill(&seen, 0);
  memset(&seen, 0, sizeof seen);
  uint32_t magic, end_magic = 0, size;
  memcpy(&magic, area + 464, 4);
  memcpy(&size, area + 464 + 4, 4);
  extended = magic == 0x46505853;
  if (extended) memcpy(&end_magic, area + size - 4, 4);
  CHECK(!extended || end_magic == 0x46505845);
  memcpy(&seen.control, area, 2);
  memcpy(&seen.mxcsr, area + 24, 4);
  memcpy(area, &other.control, 2);
  memcpy(area + 24, &other.mxcsr, 4);
  for (int r = 0; r < 16; r++) {
    memcpy(seen.zmm[r], area + 160 + r * 16, 16);
    memcpy(area + 160 + r * 16, other.zmm[r], 16);
  }
  if (!extended) return;
  uint64_t present;
  memcpy(&present, area + 512, 8);
  if (has_avx) {
    const uint32_t high = offset_of(2);
    for (int r = 0; r < 16; r++) {
      memcpy(seen.zmm[r] + 16, area + high + r * 16, 16);
      memcpy(area + high + r * 16, other.zmm[r] + 16, 16);
    }
    present |= 4;
  }
  if (has_avx512) {
    const uint32_t masks = offset_of(5), upper = offset_of(6), last = offset_of(7);
    memcpy(seen.masks, area + masks, 64);
    memcpy(area + masks, other.masks, 64);
    for (int r = 0; r < 16; r++) {
      memcpy(seen.zmm[r] + 32, area + upper + r * 32, 32);
      memcpy(area + upper + r * 32, other.zmm[r] + 32, 32);
      memcpy(seen.zmm[16 + r], area + last + r * 64, 64);
      memcpy(area + last + r * 64, other.zmm[16 + r], 64);
    }
    present |= 0xe0;
  }
  present |= 3;
  memcpy(area + 512, &present, 8);
}

static void frames(void) {
  struct sigaction action = {.sa_sigaction = edit_frame, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  const long pid = getpid();
  fill(&mine, 13);
  load(&mine);
  call(SYS_kill, pid, SIGUSR1, 0);
  store(&after);
  CHECK(memcmp(mine.zmm, seen.zmm, sizeof mine.zmm) == 0);
  CHECK(memcmp(mine.masks + 1, seen.masks + 1, 56) == 0);
  printf("seen: mxcsr %#x control %#x\n", seen.mxcsr, seen.control);
  struct state other;
  fill(&other, 99);
  CHECK(memcmp(other.zmm, after.zmm, sizeof other.zmm) == 0);
  CHECK(memcmp(other.masks, after.masks, sizeof other.masks) == 0);
  printf("changed: mxcsr %#x control %#x\n", after.mxcsr, after.control);
  CHECK(after.mxcsr == other.mxcsr && after.control == other.control);
  printf("x87 kept: %g %g\n", after.x87[0], after.x87[1]);
}

/// A frame whose MXCSR has reserved bits set must not harm anyone but the program itself.
static void spoil_frame(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  uint8_t *area = (uint8_t *)((ucontext_t *)context)->uc_mcontext.fpregs;
  memset(area + 24, 0xff, 4);
}

static void spoiled_frames(void) {
  const int status = IN_CHILD({
    struct sigaction action = {.sa_sigaction = spoil_frame, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    call(SYS_kill, getpid(), SIGUSR1, 0);
    _exit(0);
  });
  // Linux kills the program or masks the bits, depending on its version.
  printf("reserved bits: %d\n", status == 0 || status == 1011);
}

static void exceptions(void) {
  printf("SIMD exception: %d\n", IN_CHILD({
           const uint32_t mxcsr = 0x1f80 & ~0x200u;
           __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
           volatile double zero = 0;
           volatile double result = 1 / zero;
           (void)result;
         }));
  printf("x87 exception: %d\n", IN_CHILD({
           const uint16_t control = 0x037b;
           __asm__ volatile("fninit\n fldcw %0\n fld1\n fldz\n fdivrp\n fwait" ::"m"(control));
         }));
}

/// Runs after execve: the control words have to be the initial ones. (The C library has used the vectors by now.)
static int initial(void) {
  store(&after);
  return after.mxcsr == 0x1f80 && after.control == 0x037f ? 0 : 1;
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {
      {"syscalls", system_calls}, {"signals", signals}, {"preemption", preemption}, {"forks", forks},
      {"threads", threads},       {"frames", frames},   {"spoiled", spoiled_frames}, {"exceptions", exceptions},
      {NULL, NULL},
  };
  detect();
  if (argc == 2 && strcmp(argv[1], "--initial") == 0) return initial();
  printf("vectors: %d of %d bytes\n", vector_count, vector_size);
  return guest_main(argc, argv, cases);
}
