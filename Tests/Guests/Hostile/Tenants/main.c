// Leaves a host process to the next guest with a signal stack that covers all memory: sets it with a forged
// rt_sigreturn, and ends through a trap that did not happen, parked as the stub parks. The processes that come after must
// not notice.

#include "hostile.h"
#include <signal.h>
#include <sys/syscall.h>

enum { claimed_status = 7, claimed_offset = 0x5000 };

static uintptr_t handler;

/// Enters the stub's handler as the kernel would: on the stack of the context, with the frame that lies there.
static _Noreturn void claim_trap(void) {
  __asm__ volatile("movq %[stack], %%rsp\n jmp *%[handler]"
                   :
                   : [stack] "r"(STUB_CONTEXTS + 0x7000ul), [handler] "r"(handler), "D"((long)SIGSYS), "S"(0l),
                     "d"(STUB_CONTEXTS + (long)claimed_offset)
                   : "memory");
  __builtin_unreachable();
}

static void poison(const void *argument) {
  (void)argument;
  static struct hostile_frame frame;
  static char stack[16384];
  const uintptr_t stub_sigreturn = hostile_find_syscall(SYS_rt_sigreturn);
  struct hostile_frame *claimed = (struct hostile_frame *)(STUB_CONTEXTS + claimed_offset);
  memset(stack, 1, sizeof stack);
  memset(&frame, 0, sizeof frame);
  frame.registers[frame_rsp] = (((uintptr_t)stack + sizeof stack - 256) & ~15ul) - 8;
  frame.registers[frame_rip] = (uintptr_t)claim_trap;
  frame.registers[frame_flags] = 0x202;
  frame.registers[frame_segments] = 0x002b000000000033;
  frame.stack = (stack_t){(void *)0x10000, 0, STUB_USER_END - 0x10000};
  frame.mask = ~0ul;
  // What Apus will read: exit_group(7), trapped by the filter.
  *claimed = frame;
  memset(&claimed->info, 0, sizeof claimed->info);
  claimed->registers[frame_rax] = SYS_exit_group;
  claimed->registers[frame_rdi] = claimed_status;
  claimed->info.si_code = 1;  // SYS_SECCOMP
  claimed->info.si_syscall = SYS_exit_group;
  claimed->info.si_arch = 0xc000003e;
  __asm__ volatile("movq %0, %%rsp\n movl $15, %%eax\n jmp *%1" ::"r"(&frame), "r"(stub_sigreturn) : "rax", "memory");
}

static void behave(const void *argument) {
  (void)argument;
  for (int i = 0; i < 5; i++) syscall(SYS_getppid);
}

int main(void) {
  hostile_require_stub();
  static const uint8_t handler_start[] = {0x48, 0x89, 0xe3};  // mov rbx, rsp
  for (uintptr_t at = STUB_BASE; at < STUB_BASE + 4096 && handler == 0; at += 64)
    if (memcmp((const void *)at, handler_start, 3) == 0) handler = at;
  CHECK(handler != 0);
  for (int round = 0; round < 10; round++) {
    hostile_attempt(poison, NULL, 300);
    for (int i = 0; i < 3; i++)
      if (hostile_attempt(behave, NULL, 20000) != 0) {
        printf("a process after that one did not get through\n");
        return hostile_breach;
      }
  }
  printf("nobody noticed\n");
  return 0;
}
