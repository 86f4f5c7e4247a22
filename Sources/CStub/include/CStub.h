// The target CStub: all that is not Swift. The stub, which lives inside guest processes (stub.S, stub.c,
// StubLayout.h), the checks that need a process of their own (probe.c), and what Swift can't say: system calls and
// atomic accesses.
//
// It uses nothing, not even libc in the stub. What must hold: the two rules at the head of stub.S.

#pragma once
#include <stdint.h>

/// Makes a host system call; returns what the kernel returns (a negated errno on failure).
static inline long apus_syscall(long nr, long a, long b, long c, long d, long e, long f) {
  long ret;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(ret)
                   : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}

/// Atomically replaces `*word` by `desired` where it is `expected`; tells whether it did.
static inline _Bool apus_compare_exchange(uint32_t *word, uint32_t expected, uint32_t desired) {
  return __atomic_compare_exchange_n(word, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/// Atomically replaces a word in a mapped file by `desired` where it is `expected`. Returns the old value, or -1 where the
/// file ends before the page or has no room for it, which in any other access would end the process (SIGBUS).
int64_t apus_guarded_compare_exchange(uint32_t *word, uint32_t expected, uint32_t desired);

/// Makes `apus_guarded_compare_exchange` work, even if the process has set another handler of SIGBUS since the last time.
/// Not to be called by two threads at a time.
void apus_catch_bus_errors(void);

/// getauxval(3) of libc.
unsigned long getauxval(unsigned long type);
