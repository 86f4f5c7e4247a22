// Never answers a preemption: blocks every signal on the host by returning from a forged frame through the stub's own
// rt_sigreturn, then computes for ever. Several do so at once.

#include "hostile.h"
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void spin(void) {
  for (;;) __asm__ volatile("pause");
}

static uintptr_t instruction;

static void hold_on(void) {
  static struct hostile_frame frame;
  hostile_forge(&frame, spin);
  frame.mask = ~0ull;
  hostile_sigreturn((uintptr_t)&frame, instruction);
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
  int ended = 0, left = 4;
  const int64_t begin = guest_now();
  while (left > 0 && guest_now() - begin < 10000000000) {
    guest_sleep_ms(20);
    for (int i = 0; i < 4; i++)
      if (children[i] > 0 && waitpid(children[i], NULL, WNOHANG) == children[i]) {
        children[i] = 0;
        ended++;
        left--;
      }
  }
  for (int i = 0; i < 4; i++) {
    if (children[i] == 0) continue;
    kill(children[i], SIGKILL);
    const int status = guest_wait(children[i]);
    CHECK(status >= 1000);
  }
  printf("all are gone, %d without being killed by their parent\n", ended);
  return 0;
}
