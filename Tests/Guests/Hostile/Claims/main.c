// Claims traps that did not happen: sets the state word of its context as the stub does after a trap, and goes on
// running, or jumps into the stub's handler and park loop with a frame of its own making.

#include "hostile.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

enum { claim_and_spin, claim_and_call, claim_all_bits, flicker, enter_handler, enter_park, kinds };

static void *spin(void *argument) {
  for (;;) __asm__ volatile("pause");
  return argument;
}

static void attack(const void *argument) {
  const int kind = ((const int *)argument)[0], signal_number = ((const int *)argument)[1];
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, spin, NULL) == 0);
  for (uintptr_t context = STUB_CONTEXTS; context < STUB_CONTEXTS + 16 * STUB_CONTEXT_SIZE; context += STUB_CONTEXT_SIZE) {
    const uintptr_t base = context + STUB_CONTEXT_SIZE - STUB_CONTEXT_HEADER_SIZE;
    if (!hostile_readable(base)) continue;
    volatile uint32_t *header = (volatile uint32_t *)base;
    header[STUB_HEADER_SIGNAL / 4] = (uint32_t)signal_number;
    switch (kind) {
    case claim_and_spin: header[0] = STUB_STATE_TRAPPED; break;
    case claim_and_call:
      header[0] = STUB_STATE_TRAPPED;
      syscall(SYS_getppid);
      break;
    case claim_all_bits: header[0] = ~0u; break;
    case flicker:
      for (int i = 0; i < 300000; i++) header[0] = (uint32_t)i & 31;
      break;
    case enter_handler:
    case enter_park: {
      // The handler is where the kernel would enter it: with the stack in the context. Its address is not a secret.
      static const uint8_t handler_start[] = {0x48, 0x89, 0xe3};  // mov rbx, rsp
      uintptr_t handler = 0;
      for (uintptr_t at = STUB_BASE; at < STUB_BASE + 4096; at += 64)
        if (memcmp((const void *)at, handler_start, 3) == 0) handler = at;
      const struct hostile_registers registers = {
          .rdi = kind == enter_park ? base : (uint64_t)signal_number, .rsi = context, .rdx = context + 256, .rbp = base};
      if (kind == enter_park) {
        header[0] = STUB_STATE_TRAPPED;
        hostile_jump(handler != 0 ? handler + 128 : STUB_BASE, &registers);
      }
      if (handler != 0)
        __asm__ volatile("movq %0, %%rsp\n jmp *%1" ::"r"(context + 0x6000), "r"(handler), "D"((long)signal_number),
                         "S"(context), "d"(context + 256)
                         : "memory");
    }
    }
  }
  if (kind == claim_and_spin || kind == claim_all_bits)
    for (;;) __asm__ volatile("pause");
  _exit(0);
}

int main(void) {
  hostile_require_stub();
  static const int signals[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGUSR1, 0, 77, -1};
  for (int kind = 0; kind < kinds; kind++)
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
      const int plan[] = {kind, signals[i]};
      hostile_start(attack, plan, sizeof plan, 150);
    }
  hostile_finish(0);
  printf("all claims tried\n");
  return 0;
}
