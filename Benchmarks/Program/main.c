// The micro workloads of the benchmark: one static program that is run natively, inside Apus and inside its peers.
//
// Prints one line for each row: its name, a tab, microseconds for one operation. `--scale F` multiplies the number of
// operations. `--curve` runs the workloads of several threads and processes. `--time NAME COMMAND…` runs a command and
// prints how long that took; it comes last.

#include "program.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static const char *own_path;
static double scale = 1;

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

void require(int condition, const char *what) {
  if (condition) return;
  perror(what);
  exit(1);
}

void wait_for(pid_t pid) {
  int status;
  require(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0, "child");
}

static void null_syscall(void) { syscall(SYS_getppid); }

enum { page = 4096, touched_pages = 4096 };

/// One operation is one page: the mapping is made before, and gone after, the time is taken.
static double touch_pages(void) {
  const size_t size = (size_t)touched_pages * page;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "mmap");
  madvise(memory, size, MADV_NOHUGEPAGE);
  const double start = now();
  for (size_t at = 0; at < size; at += page) memory[at] = 1;
  const double end = now();
  munmap(memory, size);
  return (end - start) / touched_pages;
}

static void map_touch_unmap(void) {
  char *memory = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "mmap");
  for (int i = 0; i < 4; i++) memory[i * page] = 1;
  munmap(memory, 4 * page);
}

static char *dirty;
enum { dirty_size = 1 << 20 };

static void copy_on_write(void) {
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    for (int at = 0; at < dirty_size; at += page) dirty[at]++;
    _exit(0);
  }
  wait_for(child);
}

static void fork_exit_wait(void) {
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) _exit(0);
  wait_for(child);
}

static char *nothing[] = {"program", "--nothing", NULL};

static void fork_exec_wait(void) {
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    execv(own_path, nothing);
    _exit(1);
  }
  wait_for(child);
}

static void spawn(void) {
  pid_t child;
  require(posix_spawn(&child, own_path, NULL, NULL, nothing, environ) == 0, "posix_spawn");
  wait_for(child);
}

static void *return_at_once(void *argument) { return argument; }

static void create_and_join(void) {
  pthread_t thread;
  require(pthread_create(&thread, NULL, return_at_once, NULL) == 0, "pthread_create");
  pthread_join(thread, NULL);
}

static volatile sig_atomic_t signals;
static void count_signal(int signal) {
  (void)signal;
  signals++;
}

static void signal_to_self(void) { raise(SIGUSR1); }

static int to_child[2], from_child[2];

static void pipe_round_trip(void) {
  char byte = 1;
  require(write(to_child[1], &byte, 1) == 1 && read(from_child[0], &byte, 1) == 1, "pipe");
}

static void echo(void) {
  char byte;
  while (read(to_child[0], &byte, 1) == 1 && byte != 0) require(write(from_child[1], &byte, 1) == 1, "echo");
  _exit(0);
}

static int data_file;

static void open_and_close(void) {
  const int file = open(own_path, O_RDONLY);
  require(file >= 0, "open");
  close(file);
}

static void status_of_file(void) {
  struct stat status;
  require(stat(own_path, &status) == 0, "stat");
}

static void read_4k(void) {
  static char data[page];
  require(pread(data_file, data, page, 8192) == page, "pread");
}

void report(const char *name, void (*operation)(void), int count) {
  int batch = (int)(count * scale / 5);
  if (batch < 1) batch = 1;
  for (int i = 0; i < batch / 10 + 1; i++) operation();
  double times[5];
  for (int b = 0; b < 5; b++) {
    const double start = now();
    for (int i = 0; i < batch; i++) operation();
    times[b] = (now() - start) / batch;
  }
  for (int i = 1; i < 5; i++)
    for (int j = i; j > 0 && times[j] < times[j - 1]; j--) {
      const double swap = times[j];
      times[j] = times[j - 1];
      times[j - 1] = swap;
    }
  printf("%s\t%.3f\n", name, times[2]);
  fflush(stdout);
}

static void micro(void) {
  report("null syscall", null_syscall, 20000);
  touch_pages();
  double best = touch_pages();
  for (int i = 0; i < 4; i++) {
    const double time = touch_pages();
    if (time < best) best = time;
  }
  printf("page touch\t%.3f\n", best);
  report("mmap+touch+munmap", map_touch_unmap, 3000);
  dirty = mmap(NULL, dirty_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(dirty != MAP_FAILED, "mmap");
  memset(dirty, 1, dirty_size);
  report("fork, child dirties 1 MiB", copy_on_write, 100);
  munmap(dirty, dirty_size);
  report("fork+exit+wait", fork_exit_wait, 300);
  report("fork+exec+wait", fork_exec_wait, 200);
  report("posix_spawn", spawn, 200);
  report("thread create+join", create_and_join, 1000);
  struct sigaction action = {.sa_handler = count_signal};
  sigaction(SIGUSR1, &action, NULL);
  report("signal to self", signal_to_self, 5000);
  require(pipe(to_child) == 0 && pipe(from_child) == 0, "pipe");
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) echo();
  report("pipe round trip", pipe_round_trip, 3000);
  const char stop = 0;
  require(write(to_child[1], &stop, 1) == 1, "write");
  wait_for(child);
  report("open+close", open_and_close, 5000);
  report("stat", status_of_file, 10000);
  data_file = open(own_path, O_RDONLY);
  require(data_file >= 0, "open");
  report("pread 4k", read_4k, 10000);
  network(scale);
}

static void time_command(const char *name, char **command) {
  const double start = now();
  pid_t child;
  require(posix_spawnp(&child, command[0], NULL, NULL, command, environ) == 0, command[0]);
  wait_for(child);
  printf("%s\t%.3f\n", name, now() - start);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--nothing") == 0) return 0;
  own_path = argv[0];
  int index = 1;
  while (index + 1 < argc && strcmp(argv[index], "--scale") == 0) {
    scale = atof(argv[index + 1]);
    index += 2;
  }
  if (index < argc && strcmp(argv[index], "--micro") == 0) {
    micro();
    index++;
  }
  if (index < argc && strcmp(argv[index], "--curve") == 0) {
    curve(scale);
    index++;
  }
  // Commands are separated by a word of their own.
  while (index + 2 < argc && strcmp(argv[index], "--time") == 0) {
    char **command = argv + index + 2;
    int end = index + 2;
    while (end < argc && strcmp(argv[end], "--time") != 0) end++;
    char *next = end < argc ? argv[end] : NULL;
    argv[end] = NULL;
    time_command(argv[index + 1], command);
    argv[end] = next;
    index = end;
  }
  return index == argc ? 0 : 2;
}
