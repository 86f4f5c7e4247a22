#pragma once

// What the hostile guest programs share. Each of them attacks an invariant of the seccomp platform's strict mode (see
// Documentation/architecture.md): it may end in any way, so long as it ends and nothing outside it notices.

#include "StubLayout.h"
#include "guest.h"
#include <signal.h>

/// True if the byte can be read (by an instruction, not by a system call).
bool hostile_readable(uintptr_t address);

/// Calls `body` with the address of each `syscall` instruction in the stub's code; returns how many there are.
int hostile_each_syscall(void (*body)(uintptr_t address));

/// The `syscall` instruction in the stub that follows a load of this number into eax, or 0.
uintptr_t hostile_find_syscall(uint32_t number);

/// Runs `body` in a child that gets `milliseconds` until it is killed. Returns what `guest_wait` returns.
int hostile_attempt(void (*body)(const void *argument), const void *argument, long milliseconds);

/// Starts `body` in a child that gets `milliseconds` until it is killed; up to eight run at once.
void hostile_start(void (*body)(const void *argument), const void *argument, size_t length, long milliseconds);
/// Waits for all of them. Returns how many exited with `status`.
int hostile_finish(int status);

/// Puts chosen values into all registers of a system call and jumps to `target`. Does not come back unless the target
/// returns.
struct hostile_registers {
  uint64_t rax, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15;
};
_Noreturn void hostile_jump(uintptr_t target, const struct hostile_registers *registers);

/// What the stack pointer points to when rt_sigreturn is called (arch/x86 `struct rt_sigframe` without its first word).
struct hostile_frame {
  unsigned long flags;
  void *link;
  stack_t stack;
  uint64_t registers[23];
  void *fpstate;
  uint64_t reserved[8];
  uint64_t mask;
  siginfo_t info;
} __attribute__((aligned(64)));

/// Some of a frame's registers (`struct sigcontext`).
enum { frame_rdi = 8, frame_rsi, frame_rdx = 12, frame_rax, frame_rsp = 15, frame_rip, frame_flags, frame_segments };

/// Makes a well-formed frame that goes on in `function`, on a small stack of its own.
void hostile_forge(struct hostile_frame *frame, void (*function)(void));

/// Calls rt_sigreturn with the stack pointer at `frame`: through the `syscall` instruction at `instruction`, or with one
/// of its own where that is 0.
_Noreturn void hostile_sigreturn(uintptr_t frame, uintptr_t instruction);

/// Pseudo-random numbers, the same on each run.
uint64_t hostile_random(void);

/// Ends the program if there is no stub (natively, and on platforms without one).
void hostile_require_stub(void);

/// The status of a program that saw a limit broken. (None that the stub exits with.)
enum { hostile_breach = 33 };
