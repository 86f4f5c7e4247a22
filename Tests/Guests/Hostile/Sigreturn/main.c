// Returns from forged signal frames, through a system call of its own and through the stub's instruction: bad segments,
// flags, stack and instruction pointers, a broken floating-point area, a frame at the end of memory.

#include "hostile.h"
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

struct variant {
  int kind;
  bool through_stub;
};

static uintptr_t stub_sigreturn;
static uint8_t area[8192] __attribute__((aligned(64)));

static void landed(void) {
  // Still alive with a changed state: do something that needs Apus.
  for (int i = 0; i < 10; i++) syscall(SYS_getppid);
  _exit(0);
}

static void fill_area(uint32_t size, uint64_t features) {
  memset(area, 0, sizeof area);
  const uint32_t magic = 0x46505853, end = 0x46505845;
  memcpy(area + 464, &magic, 4);
  memcpy(area + 468, &size, 4);
  memcpy(area + 472, &features, 8);
  memcpy(area + 480, &size, 4);
  if (size >= 4 && size <= sizeof area) memcpy(area + size - 4, &end, 4);
}

static void forge(const void *argument) {
  const struct variant *variant = argument;
  static struct hostile_frame frame;
  hostile_forge(&frame, landed);
  uintptr_t at = (uintptr_t)&frame;
  switch (variant->kind) {
  case 0: break;
  case 1: frame.registers[frame_rip] = 0x8000000000000000; break;
  case 2: frame.registers[frame_rip] = 0xffffffff80000000; break;
  case 3: frame.registers[frame_rip] = STUB_BASE; break;
  case 4: frame.registers[frame_rsp] = 0xdeadbeefdeadbeef; break;
  case 5: frame.registers[frame_segments] = 0x0018000000000010; break;
  case 6: frame.registers[frame_segments] = 0xffffffffffffffff; break;
  case 7: frame.registers[frame_segments] = 0; break;
  case 8: frame.registers[frame_segments] = 0x002b000000000023; break;  // 32-bit code
  case 9: frame.registers[frame_flags] = ~0ul; break;
  case 10: frame.registers[frame_flags] = 0x302; break;     // single step
  case 11: frame.registers[frame_flags] = 0x3202; break;    // I/O privilege
  case 12: frame.registers[frame_flags] = 0x44202; break;   // nested task, alignment check
  case 13: frame.registers[frame_flags] = 0; break;         // interrupts off
  case 14: frame.fpstate = (void *)8; break;
  case 15: frame.fpstate = (void *)STUB_CONTROL; break;
  case 16: frame.fpstate = (void *)0xffff800000000000; break;
  case 17: frame.fpstate = area + 1; break;
  case 18: fill_area(2696, ~0ull), frame.fpstate = area; break;
  case 19: fill_area(832, 7), memset(area, 0xff, 464), frame.fpstate = area; break;
  case 20: fill_area(832, 7), memset(area + 512, 0xff, 64), frame.fpstate = area; break;
  case 21: fill_area(0xffffffff, 7), frame.fpstate = area; break;
  case 22: fill_area(0, 0), frame.fpstate = area; break;
  case 23: memset(area, 0xff, sizeof area), frame.fpstate = area; break;
  case 24: frame.mask = ~0ull; break;
  case 25: frame.stack = (stack_t){(void *)0xdead, 0x1234, 77}; break;
  case 26: at = STUB_CONTROL; break;
  case 27: at = STUB_USER_END - 64; break;
  case 28: at = 0; break;
  case 29: at = 0xffffffffffffff00; break;
  case 30: at = STUB_CONTEXTS; break;
  case 31: frame.registers[frame_rsp] = STUB_CONTEXTS + 0x7000; break;
  case 32: frame.flags = ~0ul; break;
  default: {
    uint64_t *words = (uint64_t *)&frame;
    for (int i = 0; i < variant->kind; i++) hostile_random();
    for (size_t i = 0; i < sizeof frame / 8; i++)
      if (hostile_random() & 1) words[i] = hostile_random();
  }
  }
  hostile_sigreturn(at, variant->through_stub ? stub_sigreturn : 0);
}

int main(void) {
  stub_sigreturn = hostile_readable(STUB_BASE) ? hostile_find_syscall(SYS_rt_sigreturn) : 0;
  const struct variant plain = {0, false};
  printf("well-formed frame: %d\n", hostile_attempt(forge, &plain, 5000));
  for (int kind = 0; kind < 44; kind++) {
    const struct variant own = {kind, false}, through = {kind, true};
    hostile_start(forge, &own, sizeof own, 100);
    if (stub_sigreturn != 0) hostile_start(forge, &through, sizeof through, 100);
  }
  hostile_finish(0);
  printf("all frames tried\n");
  return 0;
}
