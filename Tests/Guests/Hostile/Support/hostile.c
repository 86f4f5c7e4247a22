#include "hostile.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

static sigjmp_buf escape;

static void on_fault(int signal) {
  (void)signal;
  siglongjmp(escape, 1);
}

bool hostile_readable(uintptr_t address) {
  struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK}, old, old_bus;
  CHECK(sigaction(SIGSEGV, &action, &old) == 0 && sigaction(SIGBUS, &action, &old_bus) == 0);
  volatile bool readable = false;
  if (sigsetjmp(escape, 1) == 0) {
    (void)*(volatile const char *)address;
    readable = true;
  }
  CHECK(sigaction(SIGSEGV, &old, NULL) == 0 && sigaction(SIGBUS, &old_bus, NULL) == 0);
  return readable;
}

int hostile_each_syscall(void (*body)(uintptr_t address)) {
  int count = 0;
  for (uintptr_t page = STUB_BASE; page < STUB_CONSTANTS && hostile_readable(page); page += 4096) {
    const uintptr_t end = hostile_readable(page + 4096) ? page + 4096 : page + 4095;
    for (uintptr_t at = page; at < end; at++) {
      const volatile uint8_t *bytes = (const volatile uint8_t *)at;
      if (bytes[0] == 0x0f && bytes[1] == 0x05) {
        count++;
        body(at);
      }
    }
  }
  return count;
}

static uint32_t wanted;
static uintptr_t found;

static void match(uintptr_t address) {
  uint32_t number;
  memcpy(&number, (const void *)(address - 4), 4);
  if (number == wanted && *(const uint8_t *)(address - 5) == 0xb8) found = address;
}

uintptr_t hostile_find_syscall(uint32_t number) {
  wanted = number;
  found = 0;
  hostile_each_syscall(match);
  return found;
}

enum { most_running = 8 };
static struct {
  pid_t pid;
  int64_t deadline;
} running[most_running];
static int running_count;
static int exit_counts[256];
static int last_status;

/// Waits until at most `count` children run.
static void reap_to(int count) {
  while (running_count > count) {
    for (int i = running_count - 1; i >= 0; i--) {
      int status;
      const pid_t pid = waitpid(running[i].pid, &status, WNOHANG);
      CHECK(pid >= 0);
      if (pid == 0) {
        if (guest_now() > running[i].deadline) kill(running[i].pid, SIGKILL);
        continue;
      }
      if (WIFEXITED(status)) exit_counts[WEXITSTATUS(status)]++;
      last_status = WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
      running[i] = running[--running_count];
    }
    if (running_count > count) guest_sleep_ms(1);
  }
}

void hostile_start(void (*body)(const void *argument), const void *argument, size_t length, long milliseconds) {
  static _Alignas(16) char copy[1024];
  CHECK(length <= sizeof copy);
  if (length > 0) memcpy(copy, argument, length);
  reap_to(most_running - 1);
  fflush(stdout);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    body(copy);
    _exit(0);
  }
  running[running_count].pid = pid;
  running[running_count++].deadline = guest_now() + milliseconds * 1000000;
}

int hostile_finish(int status) {
  reap_to(0);
  return exit_counts[status & 255];
}

int hostile_attempt(void (*body)(const void *argument), const void *argument, long milliseconds) {
  reap_to(0);
  fflush(stdout);
  const pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    body(argument);
    _exit(0);
  }
  running[0].pid = pid;
  running[0].deadline = guest_now() + milliseconds * 1000000;
  running_count = 1;
  reap_to(0);
  return last_status;
}

_Noreturn void hostile_jump(uintptr_t target, const struct hostile_registers *registers) {
  static __thread uintptr_t destination;
  destination = target;
  __asm__ volatile(
      "pushq %[target]\n"
      "movq 8(%[r]), %%rdi\n movq 16(%[r]), %%rsi\n movq 24(%[r]), %%rdx\n movq 32(%[r]), %%r10\n"
      "movq 40(%[r]), %%r8\n movq 48(%[r]), %%r9\n movq 56(%[r]), %%rbx\n movq 72(%[r]), %%r12\n"
      "movq 80(%[r]), %%r13\n movq 88(%[r]), %%r14\n movq 96(%[r]), %%r15\n movq 64(%[r]), %%rbp\n"
      "movq 0(%[r]), %%rax\n ret\n"
      :
      : [target] "c"(destination), [r] "a"(registers)
      : "memory");
  __builtin_unreachable();
}

void hostile_forge(struct hostile_frame *frame, void (*function)(void)) {
  static char stack[16384];
  memset(frame, 0, sizeof *frame);
  // As after a call: 8 below a multiple of 16.
  frame->registers[frame_rsp] = (((uintptr_t)stack + sizeof stack - 64) & ~63ul) - 8;
  frame->registers[frame_rip] = (uintptr_t)function;
  frame->registers[frame_flags] = 0x202;
  frame->registers[frame_segments] = 0x002b000000000033;
  frame->stack.ss_flags = SS_DISABLE;
}

_Noreturn void hostile_sigreturn(uintptr_t frame, uintptr_t instruction) {
  if (instruction != 0)
    __asm__ volatile("movq %0, %%rsp\n movl $15, %%eax\n jmp *%1" ::"r"(frame), "r"(instruction) : "rax", "memory");
  __asm__ volatile("movq %0, %%rsp\n movl $15, %%eax\n syscall\n ud2" ::"r"(frame) : "rax", "memory");
  __builtin_unreachable();
}

uint64_t hostile_random(void) {
  static __thread uint64_t state = 88172645463325252;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

void hostile_require_stub(void) {
  if (hostile_readable(STUB_BASE)) return;
  printf("there is no stub here\n");
  exit(0);
}
