// Runs a hostile program beside a well-behaved process of the same sandbox: that process has to make progress, and see
// only its own memory, all the time. Prints the offender's output, then how both fared.

#include "guest.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct shared {
  uint64_t rounds;
  uint64_t longest;
};

/// System calls, page faults, memory contents and a pipe: all checked, for ever.
static void behave(struct shared *shared) {
  int ends[2];
  CHECK(pipe(ends) == 0);
  const pid_t self = getpid();
  const size_t size = 256 << 10;
  uint64_t *own = malloc(size);
  for (size_t i = 0; i < size / 8; i++) own[i] = i * 0x9e3779b97f4a7c15;
  int64_t before = guest_now();
  for (;;) {
    CHECK(syscall(SYS_getpid) == self);
    for (size_t i = 0; i < size / 8; i += 64) CHECK(own[i] == i * 0x9e3779b97f4a7c15);
    uint64_t *fresh = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(fresh != MAP_FAILED);
    for (size_t i = 0; i < 65536 / 8; i += 512) CHECK(fresh[i] == 0);
    for (size_t i = 0; i < 65536 / 8; i += 512) fresh[i] = 0x6f776e;
    CHECK(munmap(fresh, 65536) == 0);
    uint64_t round = shared->rounds;
    CHECK(write(ends[1], &round, 8) == 8);
    round = ~0ull;
    CHECK(read(ends[0], &round, 8) == 8 && round == shared->rounds);
    const int64_t now = guest_now();
    if ((uint64_t)(now - before) > shared->longest) shared->longest = (uint64_t)(now - before);
    before = now;
    shared->rounds++;
    guest_sleep_ms(1);
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  struct shared *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  const pid_t good = fork();
  CHECK(good >= 0);
  if (good == 0) behave(shared);
  while (shared->rounds < 3) guest_sleep_ms(1);
  const pid_t offender = fork();
  CHECK(offender >= 0);
  if (offender == 0) {
    execv(argv[1], argv + 1);
    _exit(98);
  }
  int status = -1;
  const int64_t deadline = guest_now() + 280000000000;
  while (waitpid(offender, &status, WNOHANG) == 0) {
    if (guest_now() > deadline) {
      kill(offender, SIGKILL);
      printf("the offender did not end\n");
      return 1;
    }
    guest_sleep_ms(5);
  }
  if (WIFSIGNALED(status)) printf("offender: killed by %d\n", WTERMSIG(status));
  else printf("offender: exit status %d\n", WEXITSTATUS(status));
  // The good process is alive and goes on.
  const uint64_t rounds = shared->rounds;
  for (int i = 0; i < 5000 && shared->rounds < rounds + 5; i++) guest_sleep_ms(1);
  CHECK(shared->rounds >= rounds + 5);
  CHECK(waitpid(good, &status, WNOHANG) == 0);
  fprintf(stderr, "%lu rounds, longest pause %lu ms\n", (unsigned long)shared->rounds, (unsigned long)(shared->longest / 1000000));
  CHECK(kill(good, SIGKILL) == 0);
  printf("neighbour: %d\n", guest_wait(good));
  return WIFEXITED(status) && WEXITSTATUS(status) == 33 ? 33 : 0;
}
