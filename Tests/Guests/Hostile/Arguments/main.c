// Calls every system call with boundary and random arguments, from children that share nothing with the rest but the
// kernel: addresses of every kind, lengths from 0 to -1, structures full of them. Nothing that a guest passes may stop
// Apus, hold its kernel up, or make it use memory without bound.
//
//     hostile-arguments [SEED [CHILDREN [CALLS [FIRST CHILD]]]]
//
// The same seed makes the same calls (but for those that two threads of a child make at once).

#include "hostile.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>

/// How to choose arguments: f descriptor, p address, s path, n length, i integer, b flag bits, o offset, t address of
/// times, v address of buffers (struct iovec), g signal, I ioctl, c fcntl command, P prctl, k clock, u futex operation,
/// d process, m open flags, a address to map at, 0 to 9 below that number plus one.
struct call {
  short number;
  /// Could stop a bystander when root makes it.
  bool reaches_others;
  const char *arguments;
};

static const struct call calls[] = {
    {SYS_read, 0, "fpn"}, {SYS_write, 0, "fpn"}, {SYS_readv, 0, "fvn"}, {SYS_writev, 0, "fvn"},
    {SYS_pread64, 0, "fpno"}, {SYS_pwrite64, 0, "fpno"}, {SYS_preadv, 0, "fvno"}, {SYS_pwritev, 0, "fvno"},
    {SYS_preadv2, 0, "fvno0b"}, {SYS_pwritev2, 0, "fvno0b"}, {SYS_lseek, 0, "fo5"}, {SYS_sendfile, 0, "ffpn"},
    {SYS_splice, 0, "fpfpnb"}, {SYS_tee, 0, "ffnb"}, {SYS_vmsplice, 0, "fvnb"}, {SYS_copy_file_range, 0, "fpfpn0"},
    {SYS_truncate, 0, "so"}, {SYS_ftruncate, 0, "fo"}, {SYS_fallocate, 0, "fboo"}, {SYS_fadvise64, 0, "foo9"},
    {SYS_readahead, 0, "fon"}, {SYS_sync_file_range, 0, "foob"}, {SYS_fsync, 0, "f"}, {SYS_flock, 0, "fb"},
    {SYS_open, 0, "smi"}, {SYS_openat, 0, "fsmi"}, {SYS_openat2, 0, "fspn"}, {SYS_creat, 0, "si"},
    {SYS_close, 0, "f"}, {SYS_dup, 0, "f"}, {SYS_dup2, 0, "fi"}, {SYS_dup3, 0, "fim"}, {SYS_fcntl, 0, "fcp"},
    {SYS_fcntl, 0, "fci"}, {SYS_ioctl, 0, "fIp"}, {SYS_pipe2, 0, "pm"}, {SYS_memfd_create, 0, "sb"},
    {SYS_stat, 0, "sp"}, {SYS_lstat, 0, "sp"}, {SYS_fstat, 0, "fp"}, {SYS_newfstatat, 0, "fspb"},
    {SYS_statx, 0, "fsbbp"}, {SYS_access, 0, "si"}, {SYS_faccessat2, 0, "fsib"}, {SYS_readlink, 0, "spn"},
    {SYS_readlinkat, 0, "fspn"}, {SYS_statfs, 0, "sp"}, {SYS_fstatfs, 0, "fp"}, {SYS_getdents64, 0, "fpn"},
    {SYS_getdents, 0, "fpn"}, {SYS_getcwd, 0, "pn"}, {SYS_chdir, 0, "s"}, {SYS_fchdir, 0, "f"}, {SYS_chroot, 0, "s"},
    {SYS_mkdir, 0, "si"}, {SYS_rmdir, 0, "s"}, {SYS_unlink, 0, "s"}, {SYS_unlinkat, 0, "fsb"}, {SYS_rename, 0, "ss"},
    {SYS_renameat2, 0, "fsfsb"}, {SYS_link, 0, "ss"}, {SYS_linkat, 0, "fsfsb"}, {SYS_symlink, 0, "ss"},
    {SYS_mknod, 0, "sii"}, {SYS_chmod, 0, "si"}, {SYS_fchmod, 0, "fi"}, {SYS_fchmodat, 0, "fsi"},
    {SYS_chown, 0, "sii"}, {SYS_fchown, 0, "fii"}, {SYS_fchownat, 0, "fsiib"}, {SYS_utimensat, 0, "fstb"},
    {SYS_utimes, 0, "st"}, {SYS_utime, 0, "st"}, {SYS_futimesat, 0, "fst"}, {SYS_umask, 0, "i"},
    {SYS_getxattr, 0, "sspn"}, {SYS_setxattr, 0, "sspnb"}, {SYS_fgetxattr, 0, "fspn"}, {SYS_fsetxattr, 0, "fspnb"},
    {SYS_listxattr, 0, "spn"}, {SYS_flistxattr, 0, "fpn"}, {SYS_removexattr, 0, "ss"}, {SYS_lgetxattr, 0, "sspn"},
    {SYS_mount, 0, "sssbp"}, {SYS_umount2, 0, "sb"}, {SYS_pivot_root, 0, "ss"}, {SYS_name_to_handle_at, 0, "fsppb"},
    {SYS_open_by_handle_at, 0, "fpm"},
    {SYS_mmap, 0, "an7bfo"}, {SYS_mmap, 0, "an7bfo"}, {SYS_munmap, 0, "an"}, {SYS_mprotect, 0, "an7"},
    {SYS_mremap, 0, "ann7a"}, {SYS_brk, 0, "a"}, {SYS_madvise, 0, "ani"}, {SYS_msync, 0, "an7"},
    {SYS_mincore, 0, "anp"}, {SYS_mlock, 0, "an"}, {SYS_mlock2, 0, "an1"}, {SYS_munlock, 0, "an"},
    {SYS_mlockall, 0, "7"}, {SYS_process_vm_readv, 0, "dvnvn0"}, {SYS_process_vm_writev, 1, "dvnvn0"},
    {SYS_poll, 0, "pnt"}, {SYS_poll, 0, "pi1"}, {SYS_ppoll, 0, "pitpi"}, {SYS_select, 0, "ipppt"},
    {SYS_pselect6, 0, "nppptp"}, {SYS_epoll_create1, 0, "m"}, {SYS_epoll_ctl, 0, "f3fp"},
    {SYS_epoll_wait, 0, "fpni"}, {SYS_epoll_pwait, 0, "fpnipi"}, {SYS_epoll_pwait2, 0, "fpntpi"},
    {SYS_eventfd2, 0, "im"}, {SYS_signalfd4, 0, "fpim"}, {SYS_timerfd_create, 0, "km"},
    {SYS_timerfd_settime, 0, "f3tp"}, {SYS_timerfd_gettime, 0, "fp"}, {SYS_nanosleep, 0, "tp"},
    {SYS_clock_nanosleep, 0, "k1tp"}, {SYS_clock_gettime, 0, "kp"}, {SYS_clock_getres, 0, "kp"},
    {SYS_clock_settime, 0, "kt"}, {SYS_clock_adjtime, 0, "kp"}, {SYS_adjtimex, 0, "p"}, {SYS_gettimeofday, 0, "pp"},
    {SYS_settimeofday, 0, "tp"}, {SYS_setitimer, 0, "2tp"}, {SYS_getitimer, 0, "2p"}, {SYS_timer_create, 0, "kpp"},
    {SYS_timer_settime, 0, "91tp"}, {SYS_timer_gettime, 0, "9p"}, {SYS_timer_getoverrun, 0, "9"},
    {SYS_timer_delete, 0, "9"}, {SYS_times, 0, "p"}, {SYS_time, 0, "p"}, {SYS_getrusage, 0, "ip"},
    {SYS_futex, 0, "puitpi"}, {SYS_futex, 0, "puitpi"}, {SYS_set_robust_list, 0, "pn"},
    {SYS_set_robust_list, 0, "p8"}, {SYS_get_robust_list, 0, "dpp"}, {SYS_set_tid_address, 0, "p"},
    {SYS_rt_sigaction, 0, "gpp8"}, {SYS_rt_sigprocmask, 0, "3pp8"}, {SYS_rt_sigpending, 0, "pn"},
    {SYS_rt_sigtimedwait, 0, "ppt8"}, {SYS_rt_sigsuspend, 0, "p8"}, {SYS_sigaltstack, 0, "pp"},
    {SYS_kill, 1, "dg"}, {SYS_tkill, 1, "dg"}, {SYS_tgkill, 1, "ddg"}, {SYS_rt_sigqueueinfo, 1, "dgp"},
    {SYS_rt_tgsigqueueinfo, 1, "ddgp"}, {SYS_pidfd_open, 0, "db"}, {SYS_pidfd_send_signal, 1, "fgp0"},
    {SYS_prlimit64, 1, "dipp"}, {SYS_setrlimit, 0, "ip"}, {SYS_getrlimit, 0, "ip"}, {SYS_getpriority, 0, "2d"},
    {SYS_setpriority, 1, "2di"}, {SYS_sched_setaffinity, 1, "dnp"}, {SYS_sched_getaffinity, 0, "dnp"},
    {SYS_sched_setscheduler, 1, "dip"}, {SYS_sched_setparam, 1, "dp"}, {SYS_sched_getparam, 0, "dp"},
    {SYS_sched_setattr, 1, "dpb"}, {SYS_sched_getattr, 0, "dpn0"}, {SYS_sched_rr_get_interval, 0, "dp"},
    {SYS_ioprio_set, 1, "idi"}, {SYS_ioprio_get, 0, "id"},
    {SYS_getgroups, 0, "ip"}, {SYS_setgroups, 0, "np"}, {SYS_setuid, 0, "i"}, {SYS_setresuid, 0, "iii"},
    {SYS_setfsuid, 0, "i"}, {SYS_setpgid, 0, "di"}, {SYS_getpgid, 0, "d"}, {SYS_getsid, 0, "d"},
    {SYS_capget, 0, "pp"}, {SYS_capset, 0, "pp"}, {SYS_prctl, 0, "Piiii"}, {SYS_prctl, 0, "Ppppp"},
    {SYS_arch_prctl, 0, "ip"}, {SYS_personality, 0, "i"}, {SYS_unshare, 0, "b"}, {SYS_setns, 0, "fb"},
    {SYS_clone, 0, "bpppp"}, {SYS_clone3, 0, "pn"}, {SYS_fork, 0, ""}, {SYS_wait4, 0, "dpbp"},
    {SYS_waitid, 0, "4dpbp"}, {SYS_execve, 0, "spp"}, {SYS_execveat, 0, "fsppb"},
    {SYS_uname, 0, "p"}, {SYS_sysinfo, 0, "p"}, {SYS_getrandom, 0, "pnb"}, {SYS_getcpu, 0, "ppp"},
    {SYS_sethostname, 0, "pn"}, {SYS_setdomainname, 0, "pn"}, {SYS_syslog, 0, "ipn"},
    {SYS_socket, 0, "bbi"}, {SYS_socketpair, 0, "152p"}, {SYS_sendto, 0, "fpnbpn"}, {SYS_recvfrom, 0, "fpnbpp"},
    {SYS_sendmsg, 0, "fpb"}, {SYS_recvmsg, 0, "fpb"}, {SYS_sendmmsg, 0, "fpnb"}, {SYS_recvmmsg, 0, "fpnbt"},
    {SYS_shutdown, 0, "f3"}, {SYS_getsockname, 0, "fpp"}, {SYS_getsockopt, 0, "f1ipp"},
    {SYS_setsockopt, 0, "f1ipn"}, {SYS_connect, 0, "fpn"}, {SYS_bind, 0, "fpn"}, {SYS_accept4, 0, "fppb"},
    {SYS_close_range, 0, "ffb"}, {SYS_membarrier, 0, "bi"}, {SYS_rseq, 0, "pnbi"},
};
enum { call_count = sizeof calls / sizeof *calls };

static const uint64_t boundaries[] = {
    0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 63, 64, 65, 100, 127, 128, 255, 256, 511, 512, 1000, 1023, 1024, 1025, 4095, 4096,
    4097, 8192, 65535, 65536, 131072, 999999999, 1000000000, 1000001, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff,
    0x100000000, 0x7ffff000, 0x7fffffffff, 0x10000000000, 0x1000000000000, 0x7fffffffffff, 0x7fffffffffffffff,
    0x7ffffffffffff000, 0x8000000000000000, 0x8000000000000001, 0xfffffffffffff000, 0xfffffffffffff001,
    0xffffffff80000000, 0xffffffff00000000, -1ull, -2ull, -3ull, -8ull, -100ull, -4095ull, -4096ull,
    0x1fffffffffffffff, 0x2000000000000000, 0x0fffffffffffffff, 0x225c17d04, 9223372036ull, 0x20c49ba5e353f7,
};

static const uint64_t bad_addresses[] = {
    0, 1, 8, 4095, 4096, 0x7fffbffff000, 0x7fffbffffff8, 0x7fffbfffffff, STUB_BASE, STUB_BASE - 4, STUB_CONSTANTS,
    STUB_CONTROL, STUB_CONTEXTS, STUB_CONTEXTS + 0x7e00, STUB_VDSO, STUB_USER_END, STUB_USER_END - 8, 0x800000000000,
    0x7fffffffffff, 0x8000000000000000, 0xffff800000000000, 0xffffffffffffffff, 0xfffffffffffff000, 0xfffffffffffffff8,
    0xdeadbeefdeadbeef, 0x7ffffffffffffff8,
};

static const char *const paths[] = {
    "/", ".", "..", "", "/tmp", "/tmp/f", "/tmp/d", "/tmp/d/e", "/tmp/d/../f", "f", "d", "l", "/tmp/l", "../../../..",
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/tty", "/dev/ptmx", "/dev", "/proc", "/proc/self",
    "/proc/self/fd", "/proc/self/fd/3", "/proc/self/fd/11", "/proc/self/maps", "/proc/self/mem", "/proc/self/stat",
    "/proc/self/cmdline", "/proc/self/environ", "/proc/self/task", "/proc/self/cwd", "/proc/self/root", "/proc/meminfo",
    "/proc/self/status", "/proc/self/auxv", "/proc/self/oom_score_adj", "/proc/self/comm", "/proc/thread-self",
    "/proc/1/fd", "/proc/4294967296", "/proc/-1", "/proc/sys/kernel/pid_max", "/proc/mounts", "/sys", "/etc/passwd",
    "/etc", "/usr/bin", "/root", "user.name", "trusted.x", "security.capability", "tmpfs", "proc", "/proc/self/ns",
    "/proc/stat", "/proc/cpuinfo", "/proc/self/smaps", "/proc/self/pagemap", "/proc/self/limits", "/proc/self/statm",
};

struct arena {
  _Alignas(4096) uint8_t words[4 * 4096];
  _Alignas(4096) uint8_t hole[4096];
  _Alignas(4096) uint8_t read_only[4096];
};
static struct arena arena;

enum { descriptors = 40 };
static __thread uint64_t state;
static bool unprivileged;

static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state * 0x2545f4914f6cdd1d;
}
static uint64_t below(uint64_t limit) { return next_random() % limit; }
#define ONE_OF(array) ((array)[below(sizeof(array) / sizeof *(array))])

static uint64_t boundary(void) {
  const uint64_t value = ONE_OF(boundaries);
  switch (below(6)) {
  case 0: return value + below(16) - 8;
  case 1: return 1ull << below(64);
  default: return value;
  }
}

static uint64_t address(void) {
  switch (below(12)) {
  case 0: return ONE_OF(bad_addresses);
  case 1: return (uintptr_t)arena.hole - below(64);
  case 2: return (uintptr_t)arena.read_only + below(4096);
  case 3: return 0;
  default: return (uintptr_t)arena.words + (below(3 * 4096) & ~7ull);
  }
}

/// Fills memory with what structures are made of.
static void fill(uint64_t *words, size_t count) {
  const unsigned style = (unsigned)below(5);
  for (size_t i = 0; i < count; i++) switch (style) {
    case 0: words[i] = boundary(); break;
    case 1: words[i] = i & 1 ? boundary() : address(); break;
    case 2: words[i] = below(3) ? below(64) : address(); break;
    case 3: words[i] = below(descriptors) | next_random() << 32; break;
    default: words[i] = below(4) ? 0 : boundary();
    }
}

static uint64_t structure(void) {
  const uint64_t at = address();
  const uintptr_t start = (uintptr_t)arena.words;
  if (at >= start && at <= start + sizeof arena.words - 256) fill((uint64_t *)at, 1 + below(32));
  return at;
}

static uint64_t times(void) {
  static const int64_t parts[] = {0, 0, 1, -1, 999999999, 1000000000, 1000, 999999, 1000000, INT64_MAX, INT64_MIN,
                                  INT64_MAX / 1000000000, INT64_MAX / 1000000000 + 1, 0x3ffffffe, 0x3fffffff, 7};
  if (below(4) == 0) return address();
  int64_t *at = (int64_t *)((uintptr_t)arena.words + (below(3 * 4096) & ~7ull));
  for (int i = 0; i < 4; i++) at[i] = ONE_OF(parts);
  if (below(3) > 0) at[0] = at[2] = 0;  // most end at once
  return (uintptr_t)at;
}

static uint64_t buffers(void) {
  if (below(4) == 0) return structure();
  uint64_t *at = (uint64_t *)((uintptr_t)arena.words + (below(2 * 4096) & ~7ull));
  for (int i = 0; i < 16; i += 2) at[i] = address(), at[i + 1] = below(3) ? below(5000) : boundary();
  return (uintptr_t)at;
}

static uint64_t path(void) {
  if (below(8) == 0) return address();
  char *at = (char *)arena.words + 3 * 4096 - 256 + below(64);
  if (below(16) == 0) {
    at = (char *)arena.words;
    memset(at, below(2) ? '/' : 'a', 5000);
    at[4090 + below(16)] = 0;
    return (uintptr_t)at;
  }
  strcpy(at, ONE_OF(paths));
  return (uintptr_t)at;
}

static uint64_t bits(void) {
  uint64_t value = 0;
  for (uint64_t i = below(4); i > 0; i--) value |= 1ull << below(33);
  return value;
}

static uint64_t argument(char kind) {
  static const uint32_t ioctls[] = {0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x540b, 0x540e, 0x540f, 0x5410, 0x5411,
                                    0x5413, 0x5414, 0x541b, 0x5420, 0x5421, 0x5422, 0x5423, 0x5424, 0x5425, 0x5429,
                                    0x5430, 0x5431, 0x5450, 0x5451, 0x5452, 0x5460, 0x80045430, 0x40045431, 0x1260,
                                    0x40049409, 0x4020940d, 0x80086601, 0x40086602, 0xc020660b, 0x5412, 0x5419};
  static const uint32_t open_bits[] = {1, 2, 0100, 0200, 01000, 02000, 04000, 010000, 040000, 0100000, 0200000, 0400000,
                                       02000000, 010000000, 020200000, 04010000, 020000};
  if (kind != 'd' && below(16) == 0) return below(2) ? boundary() : next_random();
  switch (kind) {
  case 'f': return below(16) ? below(descriptors) : below(2) ? (uint64_t)AT_FDCWD : boundary();
  case 'p': return below(8) ? structure() : address();
  case 's': return path();
  case 'n': return below(2) ? below(9000) : boundary();
  case 'i': return below(2) ? below(64) : boundary();
  case 'b': return bits();
  case 'o': return below(2) ? below(20000) : boundary();
  case 't': return times();
  case 'v': return buffers();
  case 'g': return below(4) ? below(66) : boundary();
  case 'I': return below(8) ? ONE_OF(ioctls) : bits();
  case 'c': return below(3) ? below(40) : 1024 + below(20);
  case 'P': return below(80);
  case 'k': return below(8) ? below(13) : (uint64_t)(-(int64_t)below(40));
  case 'u': return below(14) | (below(2) ? 128 : 0) | (below(4) ? 0 : 256);
  case 'd': return below(3) ? 0 : below(2) ? (uint64_t)getpid() : ONE_OF(((const uint64_t[]){-1ull, 0x80000000, -9999ull, 0x7fffffff, 1ull << 40}));
  case 'm': return below(3) | (below(2) ? ONE_OF(open_bits) : 0) | (below(2) ? ONE_OF(open_bits) : 0);
  case 'a': return below(3) ? address() & ~4095ull : boundary() & ~4095ull;
  default: return below((uint64_t)(kind - '0') + 1);
  }
}

/// Makes a system call. A process or thread that it makes ends at once, whatever stack it has.
static long call_and_end_children(long number, const uint64_t a[6]) {
  long result;
  register uint64_t r10 __asm__("r10") = a[3];
  register uint64_t r8 __asm__("r8") = a[4];
  register uint64_t r9 __asm__("r9") = a[5];
  const bool forks = number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3;
  if (forks)
    __asm__ volatile(
        "syscall\n test %%rax, %%rax\n jnz 1f\n xorl %%edi, %%edi\n movl $60, %%eax\n syscall\n hlt\n 1:"
        : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9)
        : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2])
        : "rcx", "r11", "memory");
  else
    __asm__ volatile("syscall"
                     : "=a"(result), "+r"(r10), "+r"(r8), "+r"(r9)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2])
                     : "rcx", "r11", "memory");
  return result;
}

static bool may_call(long number) {
  switch (number) {
  case SYS_exit:
  case SYS_exit_group:
  case SYS_rt_sigreturn:  // its argument is the stack pointer: see the program of that name
  case SYS_vfork:
  case SYS_reboot: return false;
  default:
    if (unprivileged) return true;
    for (int i = 0; i < call_count; i++)
      if (calls[i].number == number && calls[i].reaches_others) return false;
    return true;
  }
}

static void call_something(void) {
  uint64_t arguments[6];
  long number;
  if (below(12) == 0) {
    number = below(8) ? (long)below(475) : (long)boundary();
    for (int i = 0; i < 6; i++) arguments[i] = argument("fpsnibotvga"[below(11)]);
  } else {
    const struct call *call = &calls[below(call_count)];
    number = call->number;
    const size_t count = strlen(call->arguments);
    for (size_t i = 0; i < 6; i++) arguments[i] = i < count ? argument(call->arguments[i]) : boundary();
  }
  if (may_call(number)) call_and_end_children(number, arguments);
}

struct plan {
  uint64_t seed;
  int calls;
  int index;
};

static void *call_along(void *argument) {
  const struct plan *plan = argument;
  state = plan->seed ^ 0x5555555555555555;
  for (int i = 0; i < plan->calls; i++) call_something();
  return NULL;
}

static void interrupted(int signal) { (void)signal; }

/// One descriptor of each kind, at fixed numbers.
static void open_everything(void) {
  int pair[2];
  for (int i = 3; i < descriptors; i++) close(i);
  CHECK(chdir("/tmp") == 0);
  mkdir("/tmp/d", 0777);
  if (symlink("f", "/tmp/l") != 0 && errno != EEXIST) _exit(97);
  open("/tmp/f", O_RDWR | O_CREAT, 0666);
  open("/tmp/d", O_RDONLY | O_DIRECTORY);
  open("/", O_RDONLY | O_DIRECTORY);
  CHECK(pipe2(pair, O_NONBLOCK) == 0);
  CHECK(pipe2(pair, 0) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  const int polled = epoll_create1(0);
  epoll_create1(0);
  eventfd(3, 0);
  eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
  timerfd_create(CLOCK_MONOTONIC, 0);
  sigset_t set;
  sigfillset(&set);
  sigdelset(&set, SIGALRM);
  signalfd(-1, &set, SFD_NONBLOCK);
  memfd_create("m", 0);
  open("/dev/zero", O_RDWR);
  open("/dev/null", O_RDWR);
  open("/dev/random", O_RDONLY);
  open("/proc/self/mem", O_RDWR);
  open("/proc/self/maps", O_RDONLY);
  open("/proc/self", O_RDONLY | O_DIRECTORY);
  open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
  open("/proc", O_RDONLY | O_DIRECTORY);
  open("/proc/self/comm", O_RDWR);
  open("/etc", O_RDONLY | O_DIRECTORY);
  open("/etc/passwd", O_RDONLY);
  open("/tmp/f", O_RDWR | O_APPEND);
  open("/tmp", O_PATH);
  syscall(SYS_pidfd_open, getpid(), 0);
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = -1ull};
  for (int i = 3; i < descriptors; i++) epoll_ctl(polled, EPOLL_CTL_ADD, i, &event);
}

static void child(const void *argument) {
  struct plan plan = *(const struct plan *)argument;
  setsid();
  const int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; i++) dup2(null, i);
  open_everything();
  // Half of them may send signals, but only to themselves.
  unprivileged = getuid() != 0 || plan.index % 2 == 1;
  if (getuid() == 0 && unprivileged) CHECK(setresuid(5000 + plan.index, 5000 + plan.index, 5000 + plan.index) == 0);
  struct sigaction action = {.sa_handler = interrupted};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval often = {{0, 3000}, {0, 3000}};
  setitimer(ITIMER_REAL, &often, NULL);
  CHECK(mprotect(arena.hole, sizeof arena.hole, PROT_NONE) == 0);
  CHECK(mprotect(arena.read_only, sizeof arena.read_only, PROT_READ) == 0);
  state = plan.seed;
  pthread_t thread;
  if (plan.index % 4 >= 2) pthread_create(&thread, NULL, call_along, &plan);
  for (int i = 0; i < plan.calls; i++) {
    call_something();
    // What a call has undone.
    if (i % 16 == 0) setitimer(ITIMER_REAL, &often, NULL);
    if (i % 64 == 0) open_everything();
  }
  _exit(0);
}

int main(int argc, char **argv) {
  hostile_require_stub();
  // The tests hand a path and a process id to every hostile program.
  if (argc > 1 && argv[1][0] == '/') argc = 1;
  const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
  const int children = argc > 2 ? atoi(argv[2]) : 80;
  const int calls_of_each = argc > 3 ? atoi(argv[3]) : 300;
  const int first = argc > 4 ? atoi(argv[4]) : 0;
  for (int i = first; i < first + children; i++) {
    const struct plan plan = {(seed * 1000003 + (uint64_t)i) * 0x9e3779b97f4a7c15 | 1, calls_of_each, i};
    hostile_start(child, &plan, sizeof plan, 400);
  }
  const int ended = hostile_finish(0);
  fprintf(stderr, "%d of %d children made all their calls\n", ended, children);
  printf("all arguments tried\n");
  return 0;
}
