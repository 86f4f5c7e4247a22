// Three children that compute for ever, to be killed from outside (their host processes, that is) one after another.
// Their parent sees three ordinary deaths.

#include "guest.h"
#include <signal.h>
#include <sys/wait.h>

int main(void) {
  for (int i = 0; i < 3; i++) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
      for (;;) __asm__ volatile("pause");
  }
  printf("ready\n");
  fflush(stdout);
  int status;
  for (int i = 0; i < 3; i++) {
    CHECK(wait(&status) > 0);
    printf("killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    fflush(stdout);
  }
  printf("still working: %d\n", IN_CHILD(_exit(3)));
  return 0;
}
