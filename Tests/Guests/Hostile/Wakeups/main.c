// Takes wake-ups that are meant for its agent: threads wait, with a futex call of the stub, on the word on which the agent
// sleeps, then the process forks with more memory operations than the agent's ring has room for.

#include "hostile.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static uintptr_t sites[64];
static int site_count;

static void note_site(uintptr_t address) {
  uint32_t number;
  memcpy(&number, (const void *)(address - 4), 4);
  if (number == SYS_futex && *(const uint8_t *)(address - 5) == 0xb8 && site_count < 64) sites[site_count++] = address;
}

static __thread sigjmp_buf escape;

static void on_fault(int signal) {
  (void)signal;
  siglongjmp(escape, 1);
}

static void catch_faults(void) {
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
  for (int i = 0; i < 5; i++) CHECK(sigaction(signals[i], &action, NULL) == 0);
}

static void use_signal_stack(void) {
  const stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  CHECK(sigaltstack(&stack, NULL) == 0);
}

/// Sleeps on `word` while it has its value, as often as it is woken.
static void *wait_on(void *argument) {
  volatile uint32_t *const word = argument;
  use_signal_stack();
  for (;;) {
    if (sigsetjmp(escape, 1) != 0) continue;
    const struct hostile_registers call = {
        .rax = SYS_futex, .rdi = (uintptr_t)word, .rsi = 9, .rdx = *word, .r9 = ~0u, .rbp = 8};
    // The agent's own wait: what follows it reads its control area through rbp, which comes back here by a fault.
    hostile_jump(sites[1], &call);
  }
  return argument;
}

enum { waiters = 16, extents = 400, forks = 6 };

int main(void) {
  hostile_require_stub();
  hostile_each_syscall(note_site);
  CHECK(site_count > 2);
  char *const area =
      mmap(NULL, extents * 8192ul, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(area != MAP_FAILED);
  for (int i = 0; i < extents; i++) {
    CHECK(mprotect(area + i * 8192ul, 4096, PROT_READ | PROT_WRITE) == 0);
    area[i * 8192ul] = 1;
  }
  catch_faults();
  pthread_attr_t attributes;
  CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 65536) == 0);
  for (int i = 0; i < waiters; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, &attributes, wait_on, (void *)STUB_CONTROL) == 0);
  }
  guest_sleep_ms(200);
  for (int i = 0; i < forks; i++) {
    const int child = IN_CHILD(_exit(5));
    CHECK(child == 5);
    for (int k = 0; k < extents; k++) area[k * 8192ul]++;
  }
  printf("all wake-ups arrived\n");
  return 0;
}
