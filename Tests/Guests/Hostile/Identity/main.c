// Claims to be another thread of the host: writes the id of a bystander where the stub keeps its own, before the first
// trap, and has itself moved from CPU to CPU. The bystander must not be moved.

#include "hostile.h"
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { children = 12 };

int main(int argc, char **argv) {
  hostile_require_stub();
  const long victim = argc > 2 ? atol(argv[2]) : 1;
  for (int i = 0; i < children; i++) {
    // Nothing that could trap comes between the child's first instruction and the claim.
    long child;
    __asm__ volatile(
        "syscall\n test %%eax, %%eax\n jnz 1f\n movl %%edi, (%%rsi)\n 1:"
        : "=a"(child)
        : "a"(SYS_fork), "D"(victim),
          "S"(STUB_CONTEXTS + STUB_CONTEXT_SIZE - STUB_CONTEXT_HEADER_SIZE + STUB_HEADER_TID)
        : "rcx", "r11", "memory");
    CHECK(child >= 0);
    if (child > 0) continue;
    const int64_t end = guest_now() + 500000000;
    while (guest_now() < end) {
      for (int j = 0; j < 1000; j++) syscall(SYS_getppid);
      sched_yield();
      guest_sleep_ms(1);
    }
    _exit(0);
  }
  while (wait(NULL) > 0) {}
  printf("all claims made\n");
  return 0;
}
