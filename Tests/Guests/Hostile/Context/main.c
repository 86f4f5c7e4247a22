// Writes all over its own contexts (saved registers, floating-point areas, state words) while a second thread makes
// system calls, faults and takes signals: whatever Apus reads there changes under its hands.

#include "hostile.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static uintptr_t contexts[16];
static int context_count;

static void find_contexts(void) {
  for (uintptr_t at = STUB_CONTEXTS; context_count < 16 && at < STUB_CONTEXTS + 64 * STUB_CONTEXT_SIZE;
       at += STUB_CONTEXT_SIZE)
    if (hostile_readable(at + STUB_CONTEXT_SIZE - STUB_CONTEXT_HEADER_SIZE)) contexts[context_count++] = at;
}

static void on_signal(int signal) { (void)signal; }

/// Makes every kind of trap.
static void *work(void *argument) {
  signal(SIGUSR1, on_signal);
  for (;;) {
    char *block = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block != MAP_FAILED) {
      block[0] = block[40000] = 1;
      munmap(block, 65536);
    }
    syscall(SYS_getppid);
    raise(SIGUSR1);
    sched_yield();
  }
  return argument;
}

static void attack(const void *argument) {
  const int strategy = *(const int *)argument;
  for (int i = 0; i < strategy * 97; i++) hostile_random();
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
  guest_sleep_ms(2);
  context_count = 0;
  find_contexts();
  CHECK(context_count > 0);
  const int64_t end = guest_now() + 60000000;
  do {
    for (int round = 0; round < 200; round++) {
      const uintptr_t context = contexts[hostile_random() % (unsigned)context_count];
      volatile uint32_t *header = (volatile uint32_t *)(context + STUB_CONTEXT_SIZE - STUB_CONTEXT_HEADER_SIZE);
      volatile uint64_t *words = (volatile uint64_t *)context;
      switch (strategy % 9) {
      case 0: header[0] = (uint32_t)hostile_random(); break;
      case 1: header[0] ^= 1u << (hostile_random() & 7); break;
      case 2: header[STUB_HEADER_SIGNAL / 4] = (uint32_t)hostile_random() & 63; break;
      case 3: *(volatile uint64_t *)((uintptr_t)header + STUB_HEADER_FRAME) = hostile_random() >> (hostile_random() & 63); break;
      case 4: *(volatile uint64_t *)((uintptr_t)header + STUB_HEADER_FRAME) = context + (hostile_random() & 0xffff); break;
      case 5: words[hostile_random() % (STUB_CONTEXT_STACK_SIZE / 8)] = hostile_random(); break;
      case 6: words[hostile_random() % (STUB_CONTEXT_SIZE / 8)] = hostile_random() & 0xff; break;
      case 7: header[STUB_HEADER_FLUSH / 4] = ~0u; break;
      case 8: header[hostile_random() % (STUB_CONTEXT_HEADER_SIZE / 4)] = (uint32_t)hostile_random(); break;
      }
    }
  } while (guest_now() < end);
  _exit(0);
}

int main(void) {
  hostile_require_stub();
  for (int strategy = 0; strategy < 18; strategy++) hostile_start(attack, &strategy, sizeof strategy, 500);
  hostile_finish(0);
  printf("all strategies tried\n");
  return 0;
}
