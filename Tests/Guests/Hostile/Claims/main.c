// Claims traps that did not happen: sets the state word of its context as the stub does after a trap, and goes on
// running, or jumps into the stub's handler and park loop with a frame of its own making.

#include "hostile.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

enum { claim_and_spin, claim_and_call, claim_all_bits, flicker, enter_handler, enter_park, claim_stub_call, enter_stub_call,
       kinds };

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
      for (int i = 0; i < 300000; i++) header[0] = (uint32_t)i & 127;
      break;
    case claim_stub_call: {
      // A call without a signal that was not made, with registers of all kinds, again and again.
      volatile uint64_t *const registers = (volatile uint64_t *)(base + STUB_HEADER_CALL);
      static const uint64_t numbers[] = {SYS_getppid, SYS_rt_sigreturn, SYS_clone, SYS_execve, SYS_exit, ~0ull};
      for (unsigned i = 0; i < 2000; i++) {
        for (int at = 0; at < 18; at++) registers[at] = i % 3 == 0 ? 0 : i % 3 == 1 ? base + i : ~(uint64_t)i << 40;
        registers[13] = numbers[i % (sizeof numbers / sizeof *numbers)];
        header[STUB_HEADER_CALLS / 4] = i % 5;
        header[0] = STUB_STATE_TRAPPED | STUB_STATE_CALLS;
      }
      break;
    }
    case enter_stub_call: {
      // Into the stub's way to such a call, with a header that is none or another's.
      static const uint8_t call_start[] = {0x65, 0x48, 0x89, 0x24, 0x25};  // mov gs:…, rsp
      uintptr_t call = 0;
      for (uintptr_t at = STUB_BASE; at < STUB_BASE + 4096; at += 64)
        if (memcmp((const void *)at, call_start, sizeof call_start) == 0) call = at;
      static uint64_t forged[STUB_CONTEXT_HEADER_SIZE / 8];
      forged[STUB_HEADER_SELF / 8] = signal_number % 2 == 0 ? base : (uint64_t)forged;
      if (signal_number % 3 != 0) syscall(SYS_arch_prctl, 0x1001, signal_number % 3 == 1 ? (uintptr_t)forged : base);
      const struct hostile_registers registers = {.rdi = base, .rsi = context, .rdx = SYS_getppid, .rbp = base};
      hostile_jump(call != 0 ? call : STUB_BASE, &registers);
    }
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
