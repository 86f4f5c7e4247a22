// Never answers a preemption: blocks every signal on the host by returning from a forged frame through the stub's own
// rt_sigreturn, then computes for ever. Several do so at once.

#include "hostile.h"
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct frame {
  unsigned long flags;
  void *link;
  stack_t stack;
  uint64_t registers[23];
  void *fpstate;
  uint64_t reserved[8];
  uint64_t mask;
  siginfo_t info;
} __attribute__((aligned(64)));

static void spin(void) {
  for (;;) __asm__ volatile("pause");
}

static uintptr_t instruction;

static void hold_on(void) {
  static struct frame frame;
  static char stack[4096];
  frame.registers[15] = (uintptr_t)stack + sizeof stack - 72;
  frame.registers[16] = (uintptr_t)spin;
  frame.registers[17] = 0x202;
  frame.registers[18] = 0x002b000000000033;
  frame.stack.ss_flags = SS_DISABLE;
  frame.mask = ~0ull;
  __asm__ volatile("movq %0, %%rsp\n movl $15, %%eax\n jmp *%1" ::"r"(&frame), "r"(instruction) : "rax", "memory");
}

int main(void) {
  hostile_require_stub();
  instruction = hostile_find_syscall(SYS_rt_sigreturn);
  if (instruction == 0) {
    printf("no rt_sigreturn in the stub\n");
    return 0;
  }
  pid_t children[4];
  for (int i = 0; i < 4; i++) {
    children[i] = fork();
    CHECK(children[i] >= 0);
    if (children[i] == 0) hold_on();
  }
  // Each is killed for not answering, or answers because the stub's filter saw through it; then its parent may kill it.
  guest_sleep_ms(1500);
  for (int i = 0; i < 4; i++) {
    kill(children[i], SIGKILL);
    const int status = guest_wait(children[i]);
    CHECK(status >= 1000);
  }
  printf("all are gone\n");
  return 0;
}
