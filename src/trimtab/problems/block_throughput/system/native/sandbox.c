/* SPDX-License-Identifier: Apache-2.0
 *
 * What a child may do. It runs machine code that nobody vouches for, so: no privileges, no files, no system calls
 * but three (map one page, return from a signal, end), little memory, little time. A page that the block touches
 * and that is not there is mapped to a frame of its own; everything else ends the child and is recorded.
 */
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define NOBODY 65534
#define CLOCK_DESCRIPTOR 3
#define STACK_SIZE (64 * 1024) /* of the fault handler; a frame with AVX-512 state takes 3 KiB */
#define MEMORY_LIMIT (64ul << 20)
#define FRAME_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE)
#define FRAME_PROTECTION (PROT_READ | PROT_WRITE)

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000u
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static struct shared *mine;
static uint8_t handler_stack[STACK_SIZE] __attribute__((aligned(64)));

void finish(void) {
    for (;;) syscall(SYS_exit_group, 0);
}

static void __attribute__((noreturn)) fail(enum status status, int signal, uint64_t address) {
    mine->result.status = (uint8_t)status;
    mine->result.signal = (uint8_t)signal;
    mine->result.address = address;
    mine->finished = 1;
    finish();
}

/* A frame of its own: on AMD, a frame under several addresses is slow (the way predictor is tagged by address). */
static void map_page(uint64_t address) {
    uint64_t page = address & ~(uint64_t)(PAGE - 1);
    mine->faults++;
    if (++mine->pages > MAX_PAGES) fail(MANY_PAGES, 0, address);
    long got = syscall(SYS_mmap, page, (uint64_t)PAGE, FRAME_PROTECTION, FRAME_FLAGS, -1, 0);
    if ((uint64_t)got != page) fail(BAD_ADDRESS, SIGSEGV, address);
    volatile uint64_t *words = (volatile uint64_t *)page;
    for (unsigned i = 0; i < PAGE / sizeof *words; i++) words[i] = POINTER;
}

static void on_signal(int signal, siginfo_t *info, void *context) {
    uint64_t at = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    uint64_t address = (uint64_t)info->si_addr;
    if (at < CODE_AT || at >= CODE_AT + 2 * CODE_SIZE) fail(LEFT, signal, at);
    if (signal != SIGSEGV) fail(signal == SIGBUS ? BAD_ADDRESS : SIGNALLED, signal, at);
    if (info->si_code != SEGV_MAPERR) fail(BAD_ADDRESS, signal, address); /* not canonical, misaligned, protected */
    map_page(address);
}

static int catch_signals(void) {
    static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaltstack(&stack, NULL)) return -1;
    for (unsigned i = 0; i < sizeof caught / sizeof *caught; i++)
        if (sigaction(caught[i], &action, NULL)) return -1;
    return 0;
}

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, field))
#define LOW(i) LOAD(args[i])
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
#define EQUAL_OR(value, otherwise) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, otherwise)
#define KILL RETURN(SECCOMP_RET_KILL_PROCESS)
#define ALLOW RETURN(SECCOMP_RET_ALLOW)

/* The 32-bit and x32 entries are other "architectures" or numbers, and so are killed, too. */
static int install_filter(void) {
    struct sock_filter program[] = {
        LOAD(arch), EQUAL_OR(AUDIT_ARCH_X86_64, 17),
        LOAD(nr),
        EQUAL_OR(SYS_rt_sigreturn, 1), ALLOW,
        EQUAL_OR(SYS_exit_group, 1), ALLOW,
        EQUAL_OR(SYS_read, 3), LOW(0), EQUAL_OR(CLOCK_DESCRIPTOR, 9), ALLOW,
        EQUAL_OR(SYS_mmap, 7),
        LOW(1), EQUAL_OR(PAGE, 5), LOW(2), EQUAL_OR(FRAME_PROTECTION, 3), LOW(3), EQUAL_OR(FRAME_FLAGS, 1), ALLOW,
        KILL,
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

static int limit(int what, rlim_t value) {
    struct rlimit bound = {value, value};
    return setrlimit(what, &bound);
}

static int close_files(int clock_descriptor) {
    unsigned first = 0;
    if (clock_descriptor >= 0) {
        if (clock_descriptor != CLOCK_DESCRIPTOR && dup2(clock_descriptor, CLOCK_DESCRIPTOR) < 0) return -1;
        if (syscall(SYS_close_range, 0u, CLOCK_DESCRIPTOR - 1u, 0u)) return -1;
        first = CLOCK_DESCRIPTOR + 1;
    }
    return (int)syscall(SYS_close_range, first, ~0u, 0u);
}

void confine(const struct settings *settings, struct shared *shared, int clock_descriptor) {
    mine = shared;
    struct itimerval patience = {.it_value = {settings->milliseconds / 1000, settings->milliseconds % 1000 * 1000}};
    int failed = prctl(PR_SET_PDEATHSIG, SIGKILL) || close_files(clock_descriptor) || limit(RLIMIT_NOFILE, 0) ||
                 limit(RLIMIT_NPROC, 0) || limit(RLIMIT_CPU, 2) || setitimer(ITIMER_REAL, &patience, NULL) ||
                 catch_signals() || install_filter();
    if (failed) fail(ENDED, 0, (uint64_t)errno);
}

/* What holds for the server and all its children. */
int drop_privileges(void) {
    if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)))
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
    if (limit(RLIMIT_AS, MEMORY_LIMIT) || limit(RLIMIT_CORE, 0) || limit(RLIMIT_FSIZE, 0) ||
        limit(RLIMIT_MEMLOCK, 0) || limit(RLIMIT_MSGQUEUE, 0))
        return -1;
    return geteuid() == 0 || getuid() == 0 ? -1 : 0;
}

/* Whether a confined child that makes a system call is really killed for it. */
int filter_works(void) {
    struct settings settings = {.milliseconds = 1000};
    struct shared *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return 0;
    pid_t child = fork();
    if (child == 0) {
        confine(&settings, shared, -1);
        syscall(SYS_getppid);
        finish();
    }
    int status = 0, works = child > 0 && waitpid(child, &status, 0) == child;
    works = works && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
    munmap(shared, PAGE);
    return works;
}

int clock_open(enum clock which) {
    struct perf_event_attr event = {
        .size = sizeof event,
        .type = which == CLOCK_PERF ? PERF_TYPE_HARDWARE : PERF_TYPE_SOFTWARE,
        .config = which == CLOCK_PERF ? PERF_COUNT_HW_CPU_CYCLES : PERF_COUNT_SW_TASK_CLOCK,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    int descriptor = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0ul);
    return descriptor < 0 ? -errno : descriptor;
}
