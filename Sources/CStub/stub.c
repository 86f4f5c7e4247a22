#include "CStub.h"
#include "Stub.h"

// The first part of the zygote's life: from fork(2) of Apus to the jump into the stub. Apus may have many threads, of
// which the child has only the caller's, so nothing here may call libc or take a lock.

extern const char apus_stub_start[], apus_stub_end[], apus_stub_relocate[], apus_stub_handler[], apus_stub_restorer[],
    apus_stub_park[], apus_stub_park_site[], apus_stub_rest[], apus_stub_call[], apus_stub_call_stored[],
    apus_stub_call_reported[], apus_stub_call_end[];

// Where libc put this thread's rseq area (rseq(2)); absent before glibc 2.35.
extern const long __rseq_offset __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

enum {
  nr_mmap = 9,
  nr_mprotect = 10,
  nr_rt_sigprocmask = 14,
  nr_rt_sigaction = 13,
  nr_dup2 = 33,
  nr_getpid = 39,
  nr_clone = 56,
  nr_fcntl = 72,
  nr_getppid = 110,
  nr_setsid = 112,
  nr_prctl = 157,
  nr_exit_group = 231,
  nr_prlimit64 = 302,
  nr_rseq = 334,
  nr_clone3 = 435,
  nr_close_range = 436,
};

const uint8_t *apus_stub_code(void) { return (const uint8_t *)apus_stub_start; }

uint64_t apus_stub_length(void) { return (uint64_t)(apus_stub_end - apus_stub_start); }
uint64_t apus_stub_handler_offset(void) { return (uint64_t)(apus_stub_handler - apus_stub_start); }
uint64_t apus_stub_restorer_offset(void) { return (uint64_t)(apus_stub_restorer - apus_stub_start); }
uint64_t apus_stub_park_offset(void) { return (uint64_t)(apus_stub_park - apus_stub_start); }
uint64_t apus_stub_park_site_offset(void) { return (uint64_t)(apus_stub_park_site - apus_stub_start); }

uint64_t apus_stub_call_offset(void) { return (uint64_t)(apus_stub_call - apus_stub_start); }
uint64_t apus_stub_call_stored_offset(void) { return (uint64_t)(apus_stub_call_stored - apus_stub_start); }
uint64_t apus_stub_call_reported_offset(void) { return (uint64_t)(apus_stub_call_reported - apus_stub_start); }
uint64_t apus_stub_call_end_offset(void) { return (uint64_t)(apus_stub_call_end - apus_stub_start); }

uint64_t apus_stub_rest_offset(void) { return (uint64_t)(apus_stub_rest - apus_stub_start); }

#define BARE __attribute__((no_stack_protector, noinline))

static BARE _Noreturn void leave(int status) {
  for (;;) apus_syscall(nr_exit_group, status, 0, 0, 0, 0, 0);
}

static BARE void copy(void *to, const void *from, uint64_t length) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

// The kernel writes to the rseq area whenever the thread migrates; ours is about to be unmapped.
static BARE void forget_rseq(void) {
  if (&__rseq_offset == 0 || &__rseq_size == 0 || __rseq_size == 0) return;
  char *thread;
  __asm__("mov %%fs:0, %0" : "=r"(thread));
  for (long length = 32; length <= 512; length += 32)
    if (apus_syscall(nr_rseq, (long)(thread + __rseq_offset), length, 1, 0x53053053, 0, 0) == 0) return;
}

static BARE _Noreturn void become_zygote(const struct apus_zygote_parameters *parameters, long parent) {
  // PR_SET_PDEATHSIG, SIGKILL
  if (apus_syscall(nr_prctl, 1, 9, 0, 0, 0, 0) < 0) leave(STUB_EXIT_ZYGOTE + 20);
  if (apus_syscall(nr_getppid, 0, 0, 0, 0, 0, 0) != parent) leave(STUB_EXIT_ORPHAN);
  apus_syscall(nr_setsid, 0, 0, 0, 0, 0, 0);
  // PR_SET_NO_NEW_PRIVS
  if (apus_syscall(nr_prctl, 38, 1, 0, 0, 0, 0) < 0) leave(STUB_EXIT_ZYGOTE + 21);
  // PR_SET_NAME
  char name[16] = {'a', 'p', 'u', 's', '-', 'g', 'u', 'e', 's', 't'};
  apus_syscall(nr_prctl, 15, (long)name, 0, 0, 0, 0);
  forget_rseq();

  // RLIMIT_CORE none, RLIMIT_NOFILE as high as allowed.
  uint64_t limit[2] = {0, 0};
  apus_syscall(nr_prlimit64, 0, 4, (long)limit, 0, 0, 0);
  if (apus_syscall(nr_prlimit64, 0, 7, 0, (long)limit, 0, 0) == 0) {
    limit[0] = limit[1];
    apus_syscall(nr_prlimit64, 0, 7, (long)limit, 0, 0, 0);
  }

  int descriptors[STUB_FD_COUNT];
  for (int i = 0; i < STUB_FD_COUNT; i++) {
    // F_DUPFD: out of the way of the numbers we are about to use.
    long fd = apus_syscall(nr_fcntl, parameters->descriptors[i], 0, STUB_FD_FIRST_FILE, 0, 0, 0);
    if (fd < 0) leave(STUB_EXIT_ZYGOTE + 22);
    descriptors[i] = (int)fd;
  }
  for (int i = 0; i < STUB_FD_COUNT; i++)
    if (apus_syscall(nr_dup2, descriptors[i], i, 0, 0, 0, 0) < 0) leave(STUB_EXIT_ZYGOTE + 23);
  if (apus_syscall(nr_close_range, STUB_FD_COUNT, 0xffffffffL, 0, 0, 0, 0) < 0) leave(STUB_EXIT_ZYGOTE + 24);

  uint64_t length = apus_stub_length();
  for (uint64_t attempt = 0; attempt < 64; attempt++) {
    uint64_t base = 0x100000000000 + attempt * 0x10040000000;
    // MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE
    long mapped = apus_syscall(nr_mmap, (long)base, STUB_TEMPORARY_SIZE, 3, 0x100022, -1, 0);
    if (mapped != (long)base) continue;
    copy((void *)base, apus_stub_start, length);
    uint64_t *words = (uint64_t *)(base + STUB_TEMPORARY_PARAMETERS);
    words[0] = parameters->vdso_count;
    words[1] = base;
    words[2] = length;
    uint64_t first = parameters->vdso_count > 0 ? parameters->vdso[0].final : 0;
    for (uint32_t i = 0; i < parameters->vdso_count; i++) {
      words[4 + i * 4] = parameters->vdso[i].from;
      words[5 + i * 4] = parameters->vdso[i].length;
      words[6 + i * 4] = base + STUB_TEMPORARY_VDSO + (parameters->vdso[i].final - first);
      words[7 + i * 4] = parameters->vdso[i].final;
    }
    if (apus_syscall(nr_mprotect, (long)base, (long)length, 5, 0, 0, 0) < 0) leave(STUB_EXIT_ZYGOTE + 25);
    void (*relocate)(uint64_t *) = (void (*)(uint64_t *))(base + (uint64_t)(apus_stub_relocate - apus_stub_start));
    relocate(words);
  }
  leave(STUB_EXIT_ZYGOTE + 26);
}

// CLONE_CLEAR_SIGHAND makes every handler the default; older hosts need a loop in the child.
BARE long apus_zygote_start(const struct apus_zygote_parameters *parameters) {
  uint64_t all = ~0UL, old = 0;
  uint64_t arguments[11] = {0x100000000};
  long parent = apus_syscall(nr_getpid, 0, 0, 0, 0, 0, 0);
  apus_syscall(nr_rt_sigprocmask, 0, (long)&all, (long)&old, 8, 0, 0);
  long pid = apus_syscall(nr_clone3, (long)arguments, 64, 0, 0, 0, 0);
  if (pid < 0) {
    pid = apus_syscall(nr_clone, 0, 0, 0, 0, 0, 0);
    if (pid == 0) {
      uint64_t action[4] = {0, 0, 0, 0};
      for (int signal = 1; signal <= 64; signal++)
        apus_syscall(nr_rt_sigaction, signal, (long)action, 0, 8, 0, 0);
    }
  }
  if (pid == 0) become_zygote(parameters, parent);
  apus_syscall(nr_rt_sigprocmask, 2, (long)&old, 0, 8, 0, 0);
  return pid;
}
