// Calls that are made again and again from one place, which may by then be made in another way than the first: they keep
// all registers, are interrupted as others are, and the text around them may change. With the argument `text` also what
// the program reads of its own text.

#define _GNU_SOURCE 1
#include <asm/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"

enum { often = 400 };

/// Loads registers from `in`, calls getppid(2), and stores them in `out`: rbx, rdx, rsi, rdi, rbp, r8 to r10, r12 to r15,
/// xmm7.
void call_with_registers(const uint64_t in[13], uint64_t out[13]);
__asm__(
    ".text\n"
    "call_with_registers:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rsi\n"
    "  mov %rdi, %rax\n"
    "  mov (%rax), %rbx; mov 8(%rax), %rdx; mov 16(%rax), %rsi; mov 24(%rax), %rdi; mov 32(%rax), %rbp\n"
    "  mov 40(%rax), %r8; mov 48(%rax), %r9; mov 56(%rax), %r10; mov 64(%rax), %r12; mov 72(%rax), %r13\n"
    "  mov 80(%rax), %r14; mov 88(%rax), %r15; movq 96(%rax), %xmm7\n"
    "  mov $110, %eax\n"
    "  syscall\n"
    "  mov (%rsp), %rax\n"
    "  mov %rbx, (%rax); mov %rdx, 8(%rax); mov %rsi, 16(%rax); mov %rdi, 24(%rax); mov %rbp, 32(%rax)\n"
    "  mov %r8, 40(%rax); mov %r9, 48(%rax); mov %r10, 56(%rax); mov %r12, 64(%rax); mov %r13, 72(%rax)\n"
    "  mov %r14, 80(%rax); mov %r15, 88(%rax); movq %xmm7, 96(%rax)\n"
    "  pop %rsi; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

/// Makes a call with a value in every register; returns how many of them it changed but rax, rcx and r11.
static int changed_registers(void) {
  uint64_t in[13], out[13];
  for (int i = 0; i < 13; i++) in[i] = 0x1122334455660000u + (uint64_t)i;
  call_with_registers(in, out);
  int changed = 0;
  for (int i = 0; i < 13; i++) changed += in[i] != out[i];
  return changed;
}

static void registers(void) {
  int changed = 0;
  for (int i = 0; i < often; i++) changed += changed_registers();
  printf("registers changed: %d\n", changed);
}

static void results(void) {
  const pid_t parent = getppid(), self = getpid();
  int wrong = 0;
  for (int i = 0; i < often; i++) {
    wrong += getppid() != parent;
    wrong += syscall(SYS_getpid) != self;
    wrong += close(-1) != -1 || errno != EBADF;
    wrong += lseek(99, i, SEEK_SET) != -1 || errno != EBADF;
  }
  printf("wrong results: %d\n", wrong);
}

static volatile sig_atomic_t ticks;
static volatile double kept = 1;

static void tick(int signal) {
  (void)signal;
  // Its own floating-point state; the interrupted one comes back.
  kept = kept * 1.5 / 1.5;
  ticks++;
}

/// Signals come at any place of the way.
static void interrupted(void) {
  struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval timer = {{0, 500}, {0, 500}};
  setitimer(ITIMER_REAL, &timer, NULL);
  const pid_t parent = getppid();
  int wrong = 0;
  double sum = 0;
  long count = 0;
  while (ticks < 200) {
    wrong += getppid() != parent;
    wrong += changed_registers();
    sum += 0.5;
    count++;
  }
  const struct itimerval none = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &none, NULL);
  printf("interrupted: wrong %d, sum %s\n", wrong, sum == 0.5 * (double)count ? "right" : "wrong");
}

static void ignore(int signal) { (void)signal; }

/// A call that waits is interrupted, or made again.
static void waits(int flags) {
  struct sigaction action = {.sa_handler = ignore, .sa_flags = flags};
  sigaction(SIGALRM, &action, NULL);
  int pipes[2], interrupted = 0, read_bytes = 0;
  if (pipe(pipes) < 0) return;
  for (int i = 0; i < 100; i++) {
    // Again and again: the first signal may come before the call.
    const struct itimerval timer = {{0, 1000}, {0, 1000}};
    char byte = 0;
    setitimer(ITIMER_REAL, &timer, NULL);
    if (flags & SA_RESTART) {
      const pid_t child = fork();
      if (child == 0) {
        usleep(2000);
        _exit(write(pipes[1], &byte, 1) != 1);
      }
      read_bytes += syscall(SYS_read, pipes[0], &byte, 1) == 1;
      waitpid(child, NULL, 0);
    } else {
      interrupted += syscall(SYS_read, pipes[0], &byte, 1) == -1 && errno == EINTR;
    }
  }
  const struct itimerval none = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &none, NULL);
  printf("waits: interrupted %d, read %d\n", interrupted, read_bytes);
  close(pipes[0]);
  close(pipes[1]);
}

static void *make_calls(void *argument) {
  const pid_t parent = getppid();
  const long thread = syscall(SYS_gettid);
  long wrong = 0;
  for (int i = 0; i < often; i++) {
    wrong += getppid() != parent || syscall(SYS_gettid) != thread;
    wrong += changed_registers();
  }
  (void)argument;
  return (void *)wrong;
}

static void threads(void) {
  pthread_t threads[8];
  long wrong = 0;
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, make_calls, NULL);
  for (int i = 0; i < 8; i++) {
    void *result;
    pthread_join(threads[i], &result);
    wrong += (long)result;
  }
  printf("threads: wrong %ld\n", wrong);
}

extern char **environ;

static void children(void) {
  int failed = 0;
  for (int i = 0; i < 20; i++) {
    const pid_t child = fork();
    if (child == 0) _exit(make_calls(NULL) != NULL);
    int status;
    waitpid(child, &status, 0);
    failed += status != 0;
    char *const arguments[] = {"/bin/true", NULL};
    pid_t spawned;
    if (posix_spawn(&spawned, arguments[0], NULL, NULL, arguments, environ) != 0) failed++;
    else if (waitpid(spawned, &status, 0) != spawned || status != 0) failed++;
  }
  printf("children: failed %d\n", failed);
}

/// Code that is made, used often, changed and used again: mov eax, N; syscall; ret.
static void made_code(void) {
  unsigned char *const code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return;
  const unsigned char template[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3};
  memcpy(code + 64, template, sizeof template);
  long (*call)(void);
  void *const entry = code + 64;
  memcpy(&call, &entry, sizeof call);
  int wrong = 0;
  for (int round = 0; round < 3; round++) {
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    for (int i = 0; i < often; i++) wrong += call() != getppid();
    // Only the number changes, in place.
    mprotect(code, 4096, PROT_READ | PROT_WRITE);
    code[65] = SYS_getpid;
    wrong += memcmp(code + 66, template + 2, 6) != 0 || code[64] != 0xb8;
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    for (int i = 0; i < often; i++) wrong += call() != getpid();
    mprotect(code, 4096, PROT_READ | PROT_WRITE);
    code[65] = SYS_getppid;
  }
  // Moved while it is in use.
  mprotect(code, 4096, PROT_READ | PROT_EXEC);
  for (int i = 0; i < often; i++) wrong += call() != getppid();
  void *const place = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char *const moved = mremap(code, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  void *const there = moved + 64;
  memcpy(&call, &there, sizeof call);
  for (int i = 0; i < often; i++) wrong += call() != getppid();
  munmap(moved, 4096);
  printf("made code: wrong %d\n", wrong);
}

/// Everything that is free between the program's parts is mapped and unmapped again.
static void neighbours(void) {
  const uintptr_t text = (uintptr_t)neighbours & ~(uintptr_t)4095;
  int wrong = 0;
  for (uintptr_t page = text - (64 << 20); page < text; page += 1 << 20) {
    void *const wanted = (void *)page;
    void *const mapped = mmap(wanted, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (mapped == wanted) munmap(mapped, 4096);
  }
  const pid_t parent = getppid();
  for (int i = 0; i < often; i++) wrong += getppid() != parent;
  printf("neighbours: wrong %d\n", wrong);
}

/// A program with a use of its own for GS.
static void own_gs(void) {
  static uint64_t block[8] = {42, 43};
  const pid_t parent = getppid();
  int wrong = syscall(SYS_arch_prctl, ARCH_SET_GS, block) != 0;
  for (int i = 0; i < often; i++) {
    uint64_t first;
    __asm__ volatile("mov %%gs:8, %0" : "=r"(first));
    wrong += first != 43 || getppid() != parent;
  }
  unsigned long base = 0;
  wrong += syscall(SYS_arch_prctl, ARCH_GET_GS, &base) != 0 || base != (unsigned long)block;
  wrong += changed_registers();
  syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
  printf("own GS: wrong %d\n", wrong);
}

static unsigned sum_of_text(void) {
  const unsigned char *const text = (const unsigned char *)((uintptr_t)call_with_registers & ~(uintptr_t)4095);
  unsigned sum = 0;
  for (int i = 0; i < 4096; i++) sum = sum * 31 + text[i];
  return sum;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const unsigned before = sum_of_text();
  registers();
  results();
  interrupted();
  waits(0);
  waits(SA_RESTART);
  threads();
  children();
  made_code();
  neighbours();
  if (argc > 1 && strcmp(argv[1], "text") == 0) printf("text: %s\n", sum_of_text() == before ? "as it was" : "changed");
  own_gs();
  registers();
  return 0;
}
