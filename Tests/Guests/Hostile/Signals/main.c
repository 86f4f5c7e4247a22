// Uses the signals that the platform lives on: sends them to itself and to its threads, forges their information,
// handles, blocks and ignores them. All of it has to behave as it does natively.

#include "guest.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>

static const int platform_signals[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGUSR1, SIGUSR2};
enum { signals = sizeof platform_signals / sizeof *platform_signals };

static volatile sig_atomic_t count;
static volatile int code;

static void note(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  count++;
  code = info->si_code;
}

static void *wait_for_signals(void *argument) {
  const int64_t end = guest_now() + 10000000000;
  while (count < *(int *)argument && guest_now() < end) {}
  return NULL;
}

int main(void) {
  for (int i = 0; i < signals; i++) {
    const int signal_number = platform_signals[i];
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(signal_number, &action, NULL) == 0);
    count = 0;
    raise(signal_number);
    kill(getpid(), signal_number);
    siginfo_t info = {.si_signo = signal_number, .si_code = SI_QUEUE};
    CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal_number, &info) == 0);
    printf("signal %d: %d times", signal_number, (int)count);
    // A forged kernel code is allowed towards oneself.
    info.si_code = 1;
    guest_result(", forged code", syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal_number, &info));
    printf("  arrived with code %d\n", code);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    count = 0;
    raise(signal_number);
    CHECK(count == 0);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    CHECK(count == 1);
    signal(signal_number, SIG_IGN);
    raise(signal_number);
    signal(signal_number, SIG_DFL);
    printf("  default: %d\n", IN_CHILD(raise(signal_number)));
    // A real fault of a blocked or ignored kind kills.
    if (signal_number == SIGSEGV) {
      printf("  blocked fault: %d\n", IN_CHILD({
               sigprocmask(SIG_BLOCK, &set, NULL);
               *(volatile int *)16 = 1;
             }));
      printf("  ignored fault: %d\n", IN_CHILD({
               signal(SIGSEGV, SIG_IGN);
               *(volatile int *)16 = 1;
             }));
    }
    // Many, to a thread that computes.
    CHECK(sigaction(signal_number, &action, NULL) == 0);
    count = 0;
    int wanted = 1;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_for_signals, &wanted) == 0);
    for (int j = 0; j < 200; j++) pthread_kill(thread, signal_number);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(count >= 1 && count <= 200);
  }
  printf("done\n");
  return 0;
}
