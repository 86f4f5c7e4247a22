#include "guest.h"
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static char scratch[64];
static pid_t scratch_owner;

_Noreturn void guest_check_failed(const char *file, int line, const char *condition) {
  const int error = errno;
  printf("%s:%d: check failed: %s (errno: %s)\n", file, line, condition, strerrorname_np(error));
  fflush(stdout);
  _exit(99);
}

void guest_result(const char *what, long result) {
  if (result == -1) {
    printf("%s: %s\n", what, strerrorname_np(errno));
  } else {
    printf("%s: ok\n", what);
  }
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk) {
  (void)status, (void)kind, (void)walk;
  return remove(path);
}

static void remove_scratch(void) {
  if (getpid() != scratch_owner) return;
  if (chdir("/") != 0) return;
  nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void guest_scratch(void) {
  strcpy(scratch, "/tmp/guest.XXXXXX");
  CHECK(mkdtemp(scratch) != NULL);
  CHECK(chdir(scratch) == 0);
  scratch_owner = getpid();
  atexit(remove_scratch);
}

int guest_wait(pid_t pid) {
  int status = 0;
  pid_t waited;
  do waited = waitpid(pid, &status, 0);
  while (waited == -1 && errno == EINTR);
  CHECK(waited == pid);
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

int64_t guest_now(void) {
  struct timespec now;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void guest_sleep_ms(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) == -1 && errno == EINTR) {}
}

static void run_case(const struct guest_case *one) {
  printf("== %s\n", one->name);
  one->run();
  fflush(stdout);
}

int guest_main(int argc, char **argv, const struct guest_case *cases) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  // What else is open at the start, natively, depends on what the tests do at that moment.
  CHECK(syscall(SYS_close_range, 3, ~0U, 0) == 0);
  for (int i = 1; i < argc; i++) {
    const struct guest_case *one = cases;
    while (one->name && strcmp(one->name, argv[i]) != 0) one++;
    if (!one->name) {
      fprintf(stderr, "no case %s\n", argv[i]);
      return 2;
    }
    run_case(one);
  }
  if (argc > 1) return 0;
  int failures = 0;
  for (const struct guest_case *one = cases; one->name; one++) {
    fflush(stdout);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      run_case(one);
      exit(0);
    }
    const int status = guest_wait(child);
    if (status != 0) {
      printf("== %s FAILED: %d\n", one->name, status);
      failures++;
    }
  }
  return failures ? 1 : 0;
}
