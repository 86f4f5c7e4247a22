// Futex words in a page of a host file that disappears.
//
//   use FILE   changes a word of the file with FUTEX_WAKE_OP, for which Apus has to touch the page itself
//   cut FILE   truncates the file again and again (run on the host)

#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { page = 4096, rounds = 100000 };

static int use(int file) {
  if (ftruncate(file, page) != 0) return 3;
  unsigned *word = mmap(0, page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (word == MAP_FAILED) return 3;
  static unsigned own;
  puts("ready");
  fflush(stdout);
  long changed = 0, failed = 0;
  for (int i = 0; i < rounds; i++) {
    const int add_one = FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0);
    if (syscall(SYS_futex, &own, FUTEX_WAKE_OP, 1, 1, word, add_one) >= 0) changed++; else failed++;
  }
  puts(changed + failed == rounds ? "done" : "lost");
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const int file = open(argv[2], O_RDWR | O_CREAT, 0666);
  if (file < 0) return 3;
  if (strcmp(argv[1], "use") == 0) return use(file);
  for (;;)
    if (ftruncate(file, 0) != 0 || ftruncate(file, page) != 0) return 3;
}
