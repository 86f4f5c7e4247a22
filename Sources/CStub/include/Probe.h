#pragma once
#include <stdint.h>

/// Questions about the host that only a process of its own can answer, because they change it or may end it.
typedef enum {
  /// A seccomp filter can be installed without privileges.
  APUS_PROBE_SECCOMP_FILTER,
  /// A trapped call arrives as SIGSYS, with all registers and the extended state, which the handler may change.
  APUS_PROBE_SIGSYS_STATE,
  /// futex(2) waits on a page that is mapped shared and read-only.
  APUS_PROBE_READ_ONLY_FUTEX,
  /// Memory of a memfd can be mapped shared and executable.
  APUS_PROBE_EXECUTABLE_MEMFD,
  /// mseal(2).
  APUS_PROBE_MSEAL,
  /// A child's system calls can be taken with PTRACE_SYSEMU.
  APUS_PROBE_PTRACE_SYSEMU,
} apus_probe_kind;

/// Asks one question in a child process, which has five seconds for it.
///
/// Returns 0 for yes, a positive errno for a call that failed, -1 where the answer was wrong, -2 where the child died.
int apus_probe(apus_probe_kind kind);
