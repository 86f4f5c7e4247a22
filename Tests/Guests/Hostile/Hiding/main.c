// Computes out of sight: reports a trap that did not happen, a sleep of a day, and goes on in code of its own with the
// preemption signal blocked. To Apus the thread sleeps; on the host it has a CPU.

#include "hostile.h"
#include <signal.h>
#include <sys/syscall.h>

static void compute(void) {
  for (;;) __asm__ volatile("pause");
}

/// The header of this thread's context: it holds the FS base.
static volatile uint32_t *own_header(void) {
  unsigned long base;
  __asm__("mov %%fs:0, %0" : "=r"(base));
  (void)syscall(SYS_gettid);
  for (uintptr_t context = STUB_CONTEXTS; hostile_readable(context); context += STUB_CONTEXT_SIZE) {
    volatile uint32_t *header = (volatile uint32_t *)(context + STUB_CONTEXT_STACK_SIZE);
    if (*(volatile uint64_t *)&header[STUB_HEADER_FS_BASE / 4] == base) return header;
  }
  return NULL;
}

static struct timespec day = {86400, 0};

static uintptr_t futex_sites[16];
static int futex_count;

static void note_site(uintptr_t address) {
  uint32_t number;
  memcpy(&number, (const void *)(address - 4), 4);
  if (number == SYS_futex && *(const uint8_t *)(address - 5) == 0xb8 && futex_count < 16)
    futex_sites[futex_count++] = address;
}

static void hide(const void *argument) {
  (void)argument;
  hostile_each_syscall(note_site);
  volatile uint32_t *const header = own_header();
  if (header == NULL || futex_count < 3) _exit(0);
  // The frame of the last trap, which becomes another call.
  struct hostile_frame *const trap = (struct hostile_frame *)*(volatile uint64_t *)&header[STUB_HEADER_FRAME / 4];
  if ((uintptr_t)trap < STUB_CONTEXTS) _exit(0);
  trap->registers[frame_rax] = SYS_nanosleep;
  trap->registers[frame_rdi] = (uintptr_t)&day;
  trap->registers[frame_rdi + 1] = 0;
  memset(&trap->info, 0, sizeof trap->info);
  ((uint32_t *)&trap->info)[0] = SIGSYS;
  ((uint32_t *)&trap->info)[2] = 1;
  ((uint32_t *)&trap->info)[6] = SYS_nanosleep;
  ((uint32_t *)&trap->info)[7] = 0xc000003e;
  header[STUB_HEADER_SIGNAL / 4] = SIGSYS;
  // The call that wakes Apus lies in the agent's loop, which then takes its next entry from a ring of ours: the return
  // to a frame of ours.
  static struct hostile_frame frame;
  static _Alignas(64) uint32_t control[64];
  hostile_forge(&frame, compute);
  frame.mask = ~0ull;
  control[STUB_CONTROL_TAIL / 4] = 1;
  control[(STUB_CONTROL_RING + STUB_ENTRY_NUMBER) / 4] = SYS_rt_sigreturn;
  __atomic_exchange_n((uint32_t *)header, STUB_STATE_TRAPPED, __ATOMIC_SEQ_CST);
  __asm__ volatile(
      "movq %[frame], %%rsp\n movl $10, %%esi\n movl $1, %%edx\n xorl %%r10d, %%r10d\n xorl %%r8d, %%r8d\n"
      "movl %[bits], %%r9d\n xorl %%r13d, %%r13d\n movl $202, %%eax\n movq %%rbx, %%rbp\n jmp *%%rcx"
      :
      : [frame] "r"(&frame), [bits] "i"(STUB_WAKE_APUS), "D"(header), "b"(control), "c"(futex_sites[2])
      : "memory");
  __builtin_unreachable();
}

int main(void) {
  hostile_require_stub();
  // Each is ended by Apus, or (where no claim is believed) by its parent in the end.
  enum { attempts = 3 };
  int ended = 0;
  for (int i = 0; i < attempts; i++) {
    const int64_t begin = guest_now();
    const int status = hostile_attempt(hide, NULL, 20000);
    if (status == 1000 + SIGKILL && guest_now() - begin < 15000000000) ended++;
  }
  printf("found: %d of %d\n", ended, attempts);
  return 0;
}
