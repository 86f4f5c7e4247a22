// Who may wait for whom, and what is left of a process that was waited for.

#include "processes.h"
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t made;

static void *make_child(void *argument) {
  (void)argument;
  made = fork();
  if (made == 0) _exit(7);
  return NULL;
}

static void *wait_for_made(void *argument) {
  (void)argument;
  int status;
  guest_result("another thread's, by a thread", waitpid(made, &status, __WNOTHREAD) < 0 ? -1 : 0);
  return NULL;
}

void waiting_threads(void) {
  pthread_t thread;
  int status;
  // A child belongs to the thread that made it, while that is there.
  made = fork();
  CHECK(made >= 0);
  if (made == 0) _exit(3);
  CHECK(pthread_create(&thread, NULL, wait_for_made, NULL) == 0 && pthread_join(thread, NULL) == 0);
  CHECK(waitpid(made, &status, __WNOTHREAD) == made);
  printf("the own child: %d\n", WEXITSTATUS(status));
  CHECK(pthread_create(&thread, NULL, make_child, NULL) == 0 && pthread_join(thread, NULL) == 0);
  CHECK(waitpid(made, &status, __WNOTHREAD) == made);
  printf("of a thread that ended: %d\n", WEXITSTATUS(status));

  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) _exit(0);
  struct pollfd polled = {.fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN};
  CHECK(polled.fd >= 0 && poll(&polled, 1, -1) == 1);
  printf("ended: %x\n", polled.revents);
  CHECK(waitpid(child, NULL, 0) == child);
  CHECK(poll(&polled, 1, 0) == 1);
  printf("waited for: %x\n", polled.revents);
  char path[64], text[256] = "";
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", polled.fd);
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  while (fgets(text, sizeof text, file)) {
    if (strncmp(text, "Pid:", 4) == 0) printf("%s", text);
  }
  fclose(file);
  // The upper half of a call's number does not count.
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(0x500000000L | SYS_getppid) : "rcx", "r11", "memory");
  printf("with high bits: %d\n", result == getppid());
}

/// A program with very many arguments, and one with too many.
void many_arguments(void) {
  const int count = 100000;
  char **arguments = calloc((size_t)count + 1, sizeof *arguments);
  CHECK(arguments != NULL);
  arguments[0] = "processes";
  arguments[1] = "--count";
  for (int i = 2; i < count; i++) arguments[i] = i % 2 ? "x" : "";
  printf("status: %d\n", IN_CHILD({
           execv("/proc/self/exe", arguments);
           guest_result("exec", -1);
         }));
  const size_t length = 131072;
  char *text = malloc(length + 1);
  memset(text, 'a', length);
  text[length] = 0;
  arguments[2] = text;
  guest_result("a string of 128 KiB", execv("/proc/self/exe", arguments));
  text[length - 1] = 0;
  for (int i = 2; i < count; i++) arguments[i] = text;
  guest_result("too much", execv("/proc/self/exe", arguments));
  arguments[2] = (char *)1;
  arguments[3] = NULL;
  guest_result("a bad pointer", execv("/proc/self/exe", arguments));
}
