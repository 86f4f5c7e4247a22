// What a sandbox must bear: many processes, a fork bomb, a program that takes all the memory there is.
// The last two are meant for a sandbox only, so they ask for their own limit natively.

#include "guest.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void two_hundred(void) {
  int go[2], ready[2];
  CHECK(pipe(go) == 0 && pipe(ready) == 0);
  char byte;
  for (int i = 0; i < 200; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      close(go[1]);
      CHECK(write(ready[1], "r", 1) == 1);
      CHECK(read(go[0], &byte, 1) == 0);
      _exit(i & 127);
    }
  }
  for (int i = 0; i < 200; i++) CHECK(read(ready[0], &byte, 1) == 1);
  printf("200 at once\n");
  close(go[1]);
  int sum = 0, status, children = 0;
  while (wait(&status) > 0) sum += WEXITSTATUS(status), children++;
  printf("%d ended, sum %d\n", children, sum);
}

/// Forks until it can't: prints whether that ended in EAGAIN, and that everything still works afterwards.
static void fork_bomb(void) {
  int go[2];
  CHECK(pipe(go) == 0);
  char byte;
  int count = 0;
  for (;;) {
    const pid_t child = fork();
    if (child < 0) break;
    if (child == 0) {
      close(go[1]);
      (void)!read(go[0], &byte, 1);
      _exit(0);
    }
    if (++count > 100000) break;
  }
  const int error = errno;
  CHECK(count >= 200 && count <= 100000);
  printf("fork: %s\n", strerrorname_np(error));
  close(go[1]);
  while (wait(NULL) > 0) {}
  printf("afterwards: %d\n", IN_CHILD(_exit(5)));
}

/// A bomb that does not stop: ended by its parent after a while.
static void wild_bomb(void) {
  fflush(stdout);
  const pid_t group = fork();
  CHECK(group >= 0);
  if (group == 0) {
    setpgid(0, 0);
    for (;;) (void)!fork();
  }
  setpgid(group, group);
  guest_sleep_ms(300);
  for (int i = 0; i < 1000 && kill(-group, SIGKILL) == 0; i++) {
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    guest_sleep_ms(5);
  }
  CHECK(kill(-group, 0) == -1);
  printf("afterwards: %d\n", IN_CHILD(_exit(6)));
}

/// A child that takes memory until it is stopped.
static void memory_hog(void) {
  const int status = IN_CHILD({
    const size_t step = 16 << 20;
    for (;;) {
      char *block = mmap(NULL, step, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (block == MAP_FAILED) _exit(55);
      for (size_t i = 0; i < step; i += 4096) block[i] = 1;
    }
  });
  printf("hog ended: %s\n", status == 55 ? "refused" : status == 1009 ? "killed" : "otherwise");
  printf("afterwards: %d\n", IN_CHILD(_exit(7)));
}

int main(int argc, char **argv) {
  static const struct guest_case cases[] = {{"processes", two_hundred}, {NULL, NULL}};
  static const struct guest_case wild[] = {
      {"bomb", fork_bomb}, {"wild-bomb", wild_bomb}, {"hog", memory_hog}, {NULL, NULL}};
  if (argc == 3 && strcmp(argv[1], "--in-sandbox") == 0) return guest_main(2, (char *[]){argv[0], argv[2], NULL}, wild);
  return guest_main(argc, argv, cases);
}
