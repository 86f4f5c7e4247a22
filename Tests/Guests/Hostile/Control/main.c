// Touches what only Apus may write: the stub's code, its constants, the control area, the vDSO; by instructions, and by
// system calls that are given addresses there.

#include "hostile.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static void write_there(const void *argument) {
  **(volatile char *const *)argument = 1;
  _exit(hostile_breach);
}

static const uintptr_t areas[] = {STUB_BASE,           STUB_CONSTANTS, STUB_CONTROL,  STUB_CONTROL + 4096,
                                  STUB_CONTROL + 0x5000, STUB_VDSO,      STUB_ZYGOTE,   STUB_ZYGOTE_STACK,
                                  STUB_USER_END - 4096};

static int breaches;

static void refused(const char *what, uintptr_t area, long result) {
  if (result != -1) {
    printf("%s at %#lx was allowed\n", what, (unsigned long)area);
    breaches++;
  }
}

int main(void) {
  hostile_require_stub();
  const int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
  int ends[2];
  CHECK(zero >= 0 && null >= 0 && pipe(ends) == 0);
  for (size_t i = 0; i < sizeof areas / sizeof *areas; i++) {
    const uintptr_t area = areas[i];
    void *const pointer = (void *)area;
    const int status = hostile_attempt(write_there, &pointer, 5000);
    if (status != 1011 && status != 1007) {
      printf("writing at %#lx: %d\n", (unsigned long)area, status);
      breaches++;
    }
    refused("read(2)", area, syscall(SYS_read, zero, pointer, 8));
    if (area != STUB_VDSO) refused("write(2)", area, syscall(SYS_write, ends[1], pointer, 8));
    refused("mprotect(2)", area, mprotect(pointer, 4096, PROT_READ | PROT_WRITE));
    refused("mremap(2)", area, (long)mremap(pointer, 4096, 8192, MREMAP_MAYMOVE));
    refused("mmap(2)", area, (long)mmap(pointer, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    refused("madvise(2)", area, madvise(pointer, 4096, MADV_DONTNEED));
    // munmap of a range without mappings succeeds by definition: the area has to be there afterwards.
    const bool there = hostile_readable(area);
    (void)munmap(pointer, 4096);
    if (hostile_readable(area) != there) {
      printf("munmap(2) at %#lx removed it\n", (unsigned long)area);
      breaches++;
    }
  }
  refused("mremap(2) onto", STUB_CONTROL,
          (long)mremap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096, 4096,
                       MREMAP_MAYMOVE | MREMAP_FIXED, (void *)STUB_CONTROL));
  refused("mmap(2) across", STUB_BASE,
          (long)mmap((void *)(STUB_BASE - 4096), 16384, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  CHECK(syscall(SYS_getppid) > 0);
  printf("%d breaches\n", breaches);
  return breaches ? hostile_breach : 0;
}
