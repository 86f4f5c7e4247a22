// Plays a host that lacks system calls: `lacking-host NUMBER[,NUMBER…] PROGRAM ARGUMENTS…` runs a program to which they
// answer EPERM. Run natively, with apus as the program.

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { most = 16 };

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  struct sock_filter filter[2 * most + 3];
  unsigned short length = 0;
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  const char *rest = argv[1];
  for (int count = 0; count < most && *rest != 0; count++) {
    char *end;
    const unsigned long number = strtoul(rest, &end, 10);
    if (end == rest) return 2;
    rest = *end == ',' ? end + 1 : end;
    filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  }
  filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {.len = length, .filter = filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 3;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) return 3;
  execv(argv[2], argv + 2);
  perror(argv[2]);
  return 4;
}
