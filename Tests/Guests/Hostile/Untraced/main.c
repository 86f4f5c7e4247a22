// Lets threads of its own process go that wait in the stub: writes their contexts' state words and a frame to return
// from, while threads come and go. A thread that gets out so runs without a tracer; it makes the control area writable.

#include "hostile.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

enum { contexts = 4 };

static volatile bool is_over;
static char stack[65536];

static void *nothing(void *argument) { return argument; }

static void *sleep_a_little(void *argument) {
  guest_sleep_ms(50);
  return argument;
}

/// The thread that gets out begins with the stub's mprotect.
static void *release(void *argument) {
  static struct hostile_frame frame;
  frame.registers[frame_rip] = *(const uintptr_t *)argument;
  frame.registers[frame_rsp] = (uintptr_t)stack + sizeof stack - 256;
  frame.registers[frame_rax] = SYS_mprotect;
  frame.registers[frame_rdi] = STUB_CONTROL;
  frame.registers[frame_rsi] = STUB_CONTROL_SIZE;
  frame.registers[frame_rdx] = 3;
  frame.registers[frame_flags] = 0x202;
  frame.registers[frame_segments] = 0x002b000000000033;
  frame.stack.ss_flags = SS_DISABLE;
  while (!is_over)
    for (uintptr_t i = 1; i < contexts; i++) {
      const uintptr_t header = STUB_CONTEXTS + (i + 1) * STUB_CONTEXT_SIZE - STUB_CONTEXT_HEADER_SIZE;
      *(volatile uint64_t *)(header + STUB_HEADER_FRAME) = (uintptr_t)&frame;
      *(volatile uint32_t *)header = 0;
    }
  return NULL;
}

/// Ends with a breach where the control area can be written in the end.
static void attack(const void *argument) {
  pthread_t threads[contexts - 1], writer;
  memset(stack, 1, sizeof stack);
  // So many contexts are there from now on.
  for (int i = 0; i < contexts - 1; i++) CHECK(pthread_create(&threads[i], NULL, sleep_a_little, NULL) == 0);
  for (int i = 0; i < contexts - 1; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(pthread_create(&writer, NULL, release, (void *)(uintptr_t)argument) == 0);
  for (int i = 0; i < 50; i++)
    if (pthread_create(&threads[0], NULL, nothing, NULL) == 0) pthread_join(threads[0], NULL);
  is_over = true;
  *(volatile uint32_t *)(STUB_CONTROL + STUB_CONTROL_SIZE - 8) = 1;
  _exit(hostile_breach);
}

int main(void) {
  hostile_require_stub();
  const uintptr_t stub_mprotect = hostile_find_syscall(SYS_mprotect);
  CHECK(stub_mprotect != 0);
  int breaches = 0;
  for (int i = 0; i < 3; i++) breaches += hostile_attempt(attack, &stub_mprotect, 8000) == hostile_breach;
  printf("the control area was written %d times\n", breaches);
  return breaches > 0 ? hostile_breach : 0;
}
