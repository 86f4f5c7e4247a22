#define _GNU_SOURCE
#include "CStub.h"


#include <signal.h>
#include <stddef.h>
#include <ucontext.h>

// Access to a page of a file that others may truncate at any time, which then answers with SIGBUS.

// Its one access is at a known address.
__asm__(
    ".text\n"
    ".globl apus_guarded_compare_exchange\n"
    ".type apus_guarded_compare_exchange, @function\n"
    "apus_guarded_compare_exchange:\n"
    "  mov %esi, %eax\n"
    ".globl apus_guarded_access\n"
    ".hidden apus_guarded_access\n"
    "apus_guarded_access:\n"
    "  lock cmpxchg %edx, (%rdi)\n"
    "  ret\n"
    ".globl apus_guarded_failure\n"
    ".hidden apus_guarded_failure\n"
    "apus_guarded_failure:\n"
    "  mov $-1, %rax\n"
    "  ret\n"
    ".size apus_guarded_compare_exchange, . - apus_guarded_compare_exchange\n");

extern const char apus_guarded_access[], apus_guarded_failure[];

// What was there before; a fault of anything else goes to it.
static struct sigaction previous;

static void on_bus_error(int signal, siginfo_t *info, void *context) {
  (void)signal;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (info->si_code > 0 && registers[REG_RIP] == (greg_t)apus_guarded_access) {
    registers[REG_RIP] = (greg_t)apus_guarded_failure;
    return;
  }
  // The instruction runs again and faults again.
  sigaction(SIGBUS, &previous, NULL);
}

void apus_catch_bus_errors(void) {
  struct sigaction now;
  if (sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_bus_error) return;
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGBUS, &action, &previous);
}
