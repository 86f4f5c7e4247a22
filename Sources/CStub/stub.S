// The code inside guest processes: the zygote, the agent thread, and the trap handler of guest threads.
//
// Position independent, no relocations, no stack. Guest code can jump anywhere in here with any registers and can
// write every context, so two rules hold:
//  - The agent and the zygote decide only on registers and on memory that guests cannot write.
//  - What guest threads execute here is bounded by their seccomp filter, not by this code.

#include "StubLayout.h"

#define SYS_mmap 9
#define SYS_mprotect 10
#define SYS_munmap 11
#define SYS_rt_sigaction 13
#define SYS_rt_sigreturn 15
#define SYS_mremap 25
#define SYS_close 3
#define SYS_recvmsg 47
#define SYS_clone 56
#define SYS_getppid 110
#define SYS_sigaltstack 131
#define SYS_prctl 157
#define SYS_arch_prctl 158
#define SYS_gettid 186
#define SYS_futex 202
#define SYS_exit_group 231
#define SYS_dup3 292
#define SYS_seccomp 317
#define SYS_close_range 436
#define SYS_mseal 462

#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define FUTEX_WAIT_BITSET 9
#define FUTEX_WAKE_BITSET 10
#define PROT_READ 1
#define PROT_READ_WRITE 3
#define PROT_READ_EXEC 5
#define MAP_SHARED_FIXED 0x11
#define MAP_PRIVATE_ANONYMOUS_FIXED 0x32
#define MREMAP_MAYMOVE_FIXED 3
#define CLONE_OF_PROCESS 0x8400  // CLONE_PARENT | CLONE_FILES, no exit signal
#define CLONE_OF_THREAD 0x50f00  // CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM
#define CLOSE_RANGE_UNSHARE 2
#define PR_SET_PDEATHSIG 1
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define SIGKILL 9
#define EBADF 9

  .intel_syntax noprefix
  .text
  .balign 4096
  .globl apus_stub_start, apus_stub_end, apus_stub_relocate, apus_stub_handler, apus_stub_restorer
  .globl apus_stub_park, apus_stub_park_site, apus_stub_rest
  .globl apus_stub_call, apus_stub_call_stored, apus_stub_call_reported, apus_stub_call_end
apus_stub_start:
stub_start:

.macro host number
  mov eax, \number
  syscall
.endm

// Ends the process with a status if the last host call failed.
.macro or_exit status
  cmp rax, -4095
  jb 9f
  mov edi, \status
  jmp stub_exit
9:
.endm

stub_exit:
  host SYS_exit_group
  hlt

// ---------------------------------------------------------------------------------------------------------------
// Zygote: clearing the inherited address space.
//
// Runs at the temporary address. rdi: parameters { count, temporary base, length of the code, 0,
// count * { from, length, temporary, final } } (the vDSO's mappings).

apus_stub_relocate:
  mov rbp, rdi
  // Set the vDSO aside.
  mov r12, [rbp]
  lea rbx, [rbp + 32]
1:
  test r12, r12
  jz 2f
  mov rdi, [rbx]
  mov rsi, [rbx + 8]
  mov rdx, rsi
  mov r10d, MREMAP_MAYMOVE_FIXED
  mov r8, [rbx + 16]
  host SYS_mremap
  or_exit STUB_EXIT_ZYGOTE + 1
  add rbx, 32
  dec r12
  jmp 1b
2:
  // Unmap everything else.
  xor edi, edi
  mov rsi, [rbp + 8]
  host SYS_munmap
  or_exit STUB_EXIT_ZYGOTE + 2
  mov rdi, [rbp + 8]
  add rdi, STUB_TEMPORARY_SIZE
  movabs rsi, STUB_USER_END
  sub rsi, rdi
  host SYS_munmap
  or_exit STUB_EXIT_ZYGOTE + 3
  // The code at its final place.
  movabs rdi, STUB_BASE
  mov rsi, [rbp + 16]
  mov edx, PROT_READ_WRITE
  mov r10d, MAP_PRIVATE_ANONYMOUS_FIXED
  mov r8, -1
  xor r9d, r9d
  host SYS_mmap
  or_exit STUB_EXIT_ZYGOTE + 4
  mov rdi, rax
  lea rsi, [rip + stub_start]
  mov rcx, [rbp + 16]
  cld
  rep movsb
  movabs rdi, STUB_BASE
  mov rsi, [rbp + 16]
  mov edx, PROT_READ_EXEC
  host SYS_mprotect
  or_exit STUB_EXIT_ZYGOTE + 5
  // The vDSO at its final place.
  mov r12, [rbp]
  lea rbx, [rbp + 32]
3:
  test r12, r12
  jz 4f
  mov rdi, [rbx + 16]
  mov rsi, [rbx + 8]
  mov rdx, rsi
  mov r10d, MREMAP_MAYMOVE_FIXED
  mov r8, [rbx + 24]
  host SYS_mremap
  or_exit STUB_EXIT_ZYGOTE + 6
  add rbx, 32
  dec r12
  jmp 3b
4:
  movabs rdi, STUB_CONSTANTS
  mov esi, 4096
  mov edx, PROT_READ
  mov r10d, MAP_SHARED_FIXED
  mov r8d, STUB_FD_CONTROL
  mov r9d, 4096
  host SYS_mmap
  or_exit STUB_EXIT_ZYGOTE + 7
  movabs rdi, STUB_ZYGOTE
  mov esi, 4096
  mov edx, PROT_READ_WRITE
  mov r10d, MAP_SHARED_FIXED
  mov r8d, STUB_FD_CONTROL
  xor r9d, r9d
  host SYS_mmap
  or_exit STUB_EXIT_ZYGOTE + 8
  movabs rdi, STUB_ZYGOTE_STACK
  mov esi, 4096
  mov edx, PROT_READ_WRITE
  mov r10d, MAP_PRIVATE_ANONYMOUS_FIXED
  mov r8, -1
  xor r9d, r9d
  host SYS_mmap
  or_exit STUB_EXIT_ZYGOTE + 9
  mov rdi, [rbp + 8]
  mov rbp, [rbp + 16]
  movabs rax, STUB_BASE
  lea rcx, [rip + zygote_main]
  lea rdx, [rip + stub_start]
  sub rcx, rdx
  add rax, rcx
  jmp rax

// At the final address. rdi: temporary base, rbp: length of the code.
zygote_main:
  mov esi, STUB_TEMPORARY_SIZE
  host SYS_munmap
  or_exit STUB_EXIT_ZYGOTE + 10
  // Seals are inherited by fork(2); hosts before 6.10 have none.
  movabs rdi, STUB_BASE
  mov rsi, rbp
  xor edx, edx
  host SYS_mseal

  // SIGILL 4, SIGTRAP 5, SIGBUS 7, SIGFPE 8, SIGUSR1 10, SIGSEGV 11, SIGSYS 31
  movabs r12, (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 10) | (1 << 11) | (1 << 31)
5:
  bsf rdi, r12
  jz 6f
  btr r12, rdi
  movabs rsi, STUB_CONSTANTS + STUB_CONSTANTS_SIGACTION
  xor edx, edx
  mov r10d, 8
  host SYS_rt_sigaction
  or_exit STUB_EXIT_ZYGOTE + 11
  jmp 5b
6:
  movabs rdx, STUB_CONSTANTS + STUB_CONSTANTS_ZYGOTE_PROGRAM
  cmp word ptr [rdx], 0
  je 7f
  mov edi, 1
  xor esi, esi
  host SYS_seccomp
  or_exit STUB_EXIT_ZYGOTE + 12
7:
  xor r13d, r13d
  xor eax, eax
  movabs rbp, STUB_ZYGOTE
  movabs rbx, STUB_ZYGOTE_STACK

// Replies rax to command number r13, then waits for the next command.
zygote_reply:
  mov ecx, r13d
  and ecx, STUB_ZYGOTE_REPLY_COUNT - 1
  mov [rbp + STUB_ZYGOTE_REPLIES + rcx * 8], rax
  inc r13d
  mov [rbp + STUB_ZYGOTE_ACKS], r13d
  mov rdi, rbp
  mov esi, FUTEX_WAKE
  mov edx, 0x7fffffff
  host SYS_futex

// Scratch page: msghdr at 0, iovec at 64, command { kind, argument } at 128, control message at 192.
zygote_receive:
  xor eax, eax
  mov [rbx], rax
  mov [rbx + 8], rax
  lea rcx, [rbx + 64]
  mov [rbx + 16], rcx
  mov qword ptr [rbx + 24], 1
  lea rcx, [rbx + 192]
  mov [rbx + 32], rcx
  mov qword ptr [rbx + 40], 24
  mov [rbx + 48], rax
  lea rcx, [rbx + 128]
  mov [rbx + 64], rcx
  mov qword ptr [rbx + 72], 16
  mov edi, STUB_FD_COMMAND
  mov rsi, rbx
  xor edx, edx
  host SYS_recvmsg
  cmp rax, -4
  je zygote_receive
  cmp rax, 8
  jae 1f
  // Apus is gone.
  xor edi, edi
  jmp stub_exit
1:
  mov eax, [rbx + 128]
  mov r12d, [rbx + 132]
  cmp eax, STUB_COMMAND_FORK
  je zygote_fork
  cmp eax, STUB_COMMAND_RECEIVE
  je 2f
  mov edi, r12d
  host SYS_close
  jmp zygote_reply
2:
  mov rax, -EBADF
  cmp qword ptr [rbx + 40], 20
  jb zygote_reply
  mov r14d, [rbx + 192 + 16]
  mov edi, r14d
  mov esi, r12d
  xor edx, edx
  host SYS_dup3
  mov r15, rax
  mov edi, r14d
  host SYS_close
  mov rax, r15
  jmp zygote_reply

zygote_fork:
  mov edi, CLONE_OF_PROCESS
  xor esi, esi
  xor edx, edx
  xor r10d, r10d
  xor r8d, r8d
  host SYS_clone
  test rax, rax
  jnz zygote_reply

// ---------------------------------------------------------------------------------------------------------------
// Agent: the first thread of a guest process. Executes the ring of the control area.
// r12: slot, then scratch; r13: entries executed so far; rbp: control area; rbx: current entry.

  mov edi, PR_SET_PDEATHSIG
  mov esi, SIGKILL
  host SYS_prctl
  or_exit STUB_EXIT_SETUP
  host SYS_getppid
  cmp eax, [rbp + STUB_ZYGOTE_PARENT]
  mov edi, STUB_EXIT_ORPHAN
  jne stub_exit
  movabs rdi, STUB_ZYGOTE
  mov esi, STUB_ZYGOTE_SIZE
  host SYS_munmap
  or_exit STUB_EXIT_SETUP
  movabs rdi, STUB_CONTROL
  mov esi, STUB_CONTROL_SIZE
  mov edx, PROT_READ
  mov r10d, MAP_SHARED_FIXED
  mov r8d, STUB_FD_CONTROL
  mov r9d, r12d
  imul r9, r9, STUB_CONTROL_STRIDE
  host SYS_mmap
  or_exit STUB_EXIT_SETUP
  movabs rbp, STUB_CONTROL
  xor r13d, r13d

agent_loop:
  cmp r13d, [rbp + STUB_CONTROL_TAIL]
  jne 1f
  mov rdi, rbp
  mov esi, FUTEX_WAIT
  mov edx, r13d
  xor r10d, r10d
  host SYS_futex
  jmp agent_loop
1:
  movzx ebx, r13b
  .if STUB_RING_COUNT != 256
  .error "the ring index is a byte"
  .endif
  shl ebx, 6
  lea rbx, [rbp + rbx + STUB_CONTROL_RING]
  inc r13d
  mov ecx, [rbx + STUB_ENTRY_KIND]
  mov eax, [rbx + STUB_ENTRY_NUMBER]
  mov rdi, [rbx + STUB_ENTRY_ARGUMENTS]
  test ecx, ecx
  jnz 2f
  mov rsi, [rbx + STUB_ENTRY_ARGUMENTS + 8]
  mov rdx, [rbx + STUB_ENTRY_ARGUMENTS + 16]
  mov r10, [rbx + STUB_ENTRY_ARGUMENTS + 24]
  mov r8, [rbx + STUB_ENTRY_ARGUMENTS + 32]
  mov r9, [rbx + STUB_ENTRY_ARGUMENTS + 40]
  syscall
  or_exit STUB_EXIT_OPERATION
  jmp agent_loop
2:
  cmp ecx, STUB_KIND_CLONE
  je 3f
  // RESUME: let the thread go. HELD goes first: a thread that finds it set may go to sleep.
  lock and dword ptr [rdi], ~STUB_STATE_HELD
  lock btr dword ptr [rdi], STUB_SLEEPS_BIT
  jnc agent_loop
  mov esi, FUTEX_WAKE_BITSET
  mov edx, 1
  mov r9d, STUB_WAKE_GUEST
  host SYS_futex
  jmp agent_loop
3:
  mov r14, rdi
  mov rsi, rdi
  mov edi, CLONE_OF_THREAD
  xor edx, edx
  xor r10d, r10d
  xor r8d, r8d
  host SYS_clone
  test rax, rax
  jz thread_start
  or_exit STUB_EXIT_CLONE
  jmp agent_loop

// ---------------------------------------------------------------------------------------------------------------
// Guest thread. r14: header of its context. All signals are blocked. Until its filter is installed it has the
// agent's rights, so nothing here may depend on memory.

thread_start:
  movabs rbp, STUB_CONSTANTS
  test dword ptr [rbp + STUB_CONSTANTS_FLAGS], STUB_FLAG_SHARE_FILES
  jnz 1f
  xor edi, edi
  mov esi, -1
  mov edx, CLOSE_RANGE_UNSHARE
  host SYS_close_range
  or_exit STUB_EXIT_SETUP
1:
  host SYS_gettid
  mov [r14 + STUB_HEADER_TID], eax
  lea rdi, [r14 + STUB_HEADER_STACK]
  xor esi, esi
  host SYS_sigaltstack
  or_exit STUB_EXIT_SETUP
  lea rdx, [rbp + STUB_CONSTANTS_GUEST_PROGRAM]
  cmp word ptr [rdx], 0
  je 2f
  mov edi, 1
  xor esi, esi
  host SYS_seccomp
  or_exit STUB_EXIT_SETUP
2:
  test dword ptr [rbp + STUB_CONSTANTS_FLAGS], STUB_FLAG_TRACED
  jnz apus_stub_rest
  mov rdi, r14
  jmp park

// Where threads without a filter sleep until a tracer takes them: other threads of the process run guest code, so this
// depends on nothing that guests can write.
apus_stub_rest:
  movabs rdi, STUB_CONSTANTS + STUB_CONSTANTS_FLAGS
  mov edx, [rdi]
  mov esi, FUTEX_WAIT
  xor r10d, r10d
  host SYS_futex
  jmp apus_stub_rest

// The signal handler. edi: signal, rsi: siginfo_t, rdx: ucontext_t, rsp: in the context's stack. Signals are blocked.
  .balign 64
apus_stub_handler:
  mov rbx, rsp
  or rbx, STUB_CONTEXT_SIZE - 1
  sub rbx, STUB_CONTEXT_HEADER_SIZE - 1
  mov [rbx + STUB_HEADER_SIGNAL], edi
  mov [rbx + STUB_HEADER_FRAME], rdx
  movabs rbp, STUB_CONSTANTS
  test dword ptr [rbp + STUB_CONSTANTS_FLAGS], STUB_FLAG_FSGSBASE
  jz 2f
  rdfsbase rax
  mov [rbx + STUB_HEADER_FS_BASE], rax
  rdgsbase rax
  mov [rbx + STUB_HEADER_GS_BASE], rax
1:
  mov rdi, rbx
  mov eax, STUB_STATE_TRAPPED
  xchg [rdi], eax
  test eax, STUB_STATE_WAITS
  jz park
  mov esi, FUTEX_WAKE_BITSET
  mov edx, 1
  mov r9d, STUB_WAKE_APUS
  host SYS_futex
  jmp park
2:
  mov edi, ARCH_GET_FS
  lea rsi, [rbx + STUB_HEADER_FS_BASE]
  host SYS_arch_prctl
  mov edi, ARCH_GET_GS
  lea rsi, [rbx + STUB_HEADER_GS_BASE]
  host SYS_arch_prctl
  jmp 1b

// Waits until Apus lets the thread go, then returns from the frame that Apus prepared. Depends on rdi (the header)
// and on the memory it points to, on nothing else: a parked process is reused if rdi and rip are as expected.
  .balign 64
apus_stub_park:
park:
  xor ecx, ecx
1:
  mov eax, [rdi]
  test eax, STUB_STATE_HELD | STUB_STATE_TRAPPED
  jz 3f
  cmp ecx, [rdi + STUB_HEADER_SPIN]
  jae 2f
  inc ecx
  pause
  jmp 1b
2:
  mov edx, eax
  or edx, STUB_STATE_SLEEPS
  lock cmpxchg [rdi], edx
  jne 1b
  mov esi, FUTEX_WAIT_BITSET
  xor r10d, r10d
  xor r8d, r8d
  mov r9d, STUB_WAKE_GUEST
  host SYS_futex
apus_stub_park_site:
  xor ecx, ecx
  jmp 1b
3:
  cmp dword ptr [rdi + STUB_HEADER_FRESH], 0
  jne park_set_stack
park_set_bases:
  movabs rbp, STUB_CONSTANTS
  test dword ptr [rbp + STUB_CONSTANTS_FLAGS], STUB_FLAG_FSGSBASE
  jz 6f
  mov rax, [rdi + STUB_HEADER_FS_BASE]
  wrfsbase rax
  mov rax, [rdi + STUB_HEADER_GS_BASE]
  wrgsbase rax
4:
  // Trusted mode: memory operations for this thread to run. Always none in strict mode.
  movabs rbx, STUB_CONTROL
  mov r12d, [rbx + STUB_CONTROL_BATCH_COUNT]
  test r12d, r12d
  jnz 7f
5:
  mov rsp, [rdi + STUB_HEADER_FRAME]
apus_stub_restorer:
  host SYS_rt_sigreturn
  hlt
6:
  mov r15, rdi
  mov rsi, [r15 + STUB_HEADER_FS_BASE]
  mov edi, ARCH_SET_FS
  host SYS_arch_prctl
  mov rsi, [r15 + STUB_HEADER_GS_BASE]
  mov edi, ARCH_SET_GS
  host SYS_arch_prctl
  mov rdi, r15
  jmp 4b
7:
  mov r15, rdi
  add rbx, STUB_CONTROL_BATCH
8:
  mov eax, [rbx + STUB_ENTRY_NUMBER]
  mov rdi, [rbx + STUB_ENTRY_ARGUMENTS]
  mov rsi, [rbx + STUB_ENTRY_ARGUMENTS + 8]
  mov rdx, [rbx + STUB_ENTRY_ARGUMENTS + 16]
  mov r10, [rbx + STUB_ENTRY_ARGUMENTS + 24]
  mov r8, [rbx + STUB_ENTRY_ARGUMENTS + 32]
  mov r9, [rbx + STUB_ENTRY_ARGUMENTS + 40]
  syscall
  or_exit STUB_EXIT_OPERATION
  add rbx, STUB_ENTRY_SIZE
  dec r12d
  jnz 8b
  mov rdi, r15
  jmp 5b
park_set_stack:
  // rt_sigreturn leaves the signal stack as it is where the new stack pointer seems to be on it, so a guest could keep
  // the next one from having its own. No stack holds address 0.
  mov r15, rdi
  xor esp, esp
  lea rdi, [r15 + STUB_HEADER_STACK]
  xor esi, esi
  host SYS_sigaltstack
  mov rdi, r15
  mov dword ptr [rdi + STUB_HEADER_FRESH], 0
  jmp park_set_bases

// A system call without a signal, from a place in the guest's text that Apus has rewritten. rcx: where the guest goes on;
// the other registers as for `syscall`. The GS base is the context's header. Guest code can come here with any registers
// and any GS base: then it overwrites its own memory, or faults.
//
// No signal is blocked. What Apus makes of one that comes here depends on the labels: before `call_stored` the registers
// but rsp and r11 are the guest's own, from there on those in the header are; from `call_reported` on the call has been
// reported.
  .balign 64
apus_stub_call:
  mov gs:[STUB_CALL_RSP], rsp
  mov gs:[STUB_CALL_RCX], rcx
  mov gs:[STUB_CALL_RIP], rcx
  mov gs:[STUB_CALL_RAX], rax
  mov gs:[STUB_CALL_RDI], rdi
  mov gs:[STUB_CALL_RSI], rsi
  mov gs:[STUB_CALL_RDX], rdx
  mov gs:[STUB_CALL_R10], r10
  mov gs:[STUB_CALL_R8], r8
  mov gs:[STUB_CALL_R9], r9
  mov gs:[STUB_CALL_RBX], rbx
  mov gs:[STUB_CALL_RBP], rbp
  mov gs:[STUB_CALL_R12], r12
  mov gs:[STUB_CALL_R13], r13
  mov gs:[STUB_CALL_R14], r14
  mov gs:[STUB_CALL_R15], r15
apus_stub_call_stored:
  mov rdi, gs:[STUB_HEADER_SELF]
  lea rsp, [rdi + STUB_CONTEXT_HEADER_SIZE]
  pushfq
  pop r11
  mov [rdi + STUB_CALL_R11], r11
  mov [rdi + STUB_CALL_FLAGS], r11
  cld
  inc dword ptr [rdi + STUB_HEADER_CALLS]
  mov eax, STUB_STATE_TRAPPED | STUB_STATE_CALLS
  xchg [rdi], eax
apus_stub_call_reported:
  test eax, STUB_STATE_WAITS
  jz 1f
  mov esi, FUTEX_WAKE_BITSET
  mov edx, 1
  mov r9d, STUB_WAKE_APUS
  host SYS_futex
1:
  xor ecx, ecx
2:
  mov eax, [rdi]
  test eax, STUB_STATE_HELD | STUB_STATE_TRAPPED
  jz 4f
  cmp ecx, [rdi + STUB_HEADER_SPIN]
  jae 3f
  inc ecx
  pause
  jmp 2b
3:
  mov edx, eax
  or edx, STUB_STATE_SLEEPS
  lock cmpxchg [rdi], edx
  jne 2b
  mov esi, FUTEX_WAIT_BITSET
  xor r10d, r10d
  xor r8d, r8d
  mov r9d, STUB_WAKE_GUEST
  host SYS_futex
  jmp 1b
4:
  push qword ptr [rdi + STUB_CALL_FLAGS]
  popfq
  mov r8, [rdi + STUB_CALL_R8]
  mov r9, [rdi + STUB_CALL_R9]
  mov r10, [rdi + STUB_CALL_R10]
  mov r11, [rdi + STUB_CALL_R11]
  mov r12, [rdi + STUB_CALL_R12]
  mov r13, [rdi + STUB_CALL_R13]
  mov r14, [rdi + STUB_CALL_R14]
  mov r15, [rdi + STUB_CALL_R15]
  mov rsi, [rdi + STUB_CALL_RSI]
  mov rbp, [rdi + STUB_CALL_RBP]
  mov rbx, [rdi + STUB_CALL_RBX]
  mov rdx, [rdi + STUB_CALL_RDX]
  mov rax, [rdi + STUB_CALL_RAX]
  mov rsp, [rdi + STUB_CALL_RSP]
  mov rcx, [rdi + STUB_CALL_RIP]
  mov rdi, [rdi + STUB_CALL_RDI]
  jmp rcx
apus_stub_call_end:

  .balign 4096
apus_stub_end:

  .section .note.GNU-stack, "", @progbits
