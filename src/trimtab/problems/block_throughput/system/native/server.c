/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads jobs from standard input, forks a confined child for each, writes a result for each to standard output.
 *
 *   harness --window TICKS --accept N --tries N --milliseconds N --cpu N --clock tsc|perf|task|auto
 */
#define _GNU_SOURCE
#include "harness.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOB_MAGIC 0x4254424au   /* "JBTB" */
#define HELLO_MAGIC 0x4254424cu /* "LBTB" */
#define BUFFERED 64
#define WARM_UP 400   /* calibrations at the start */
#define GAUGE_EVERY 64 /* jobs between two calibrations of the server */

static struct settings settings = {CLOCK_TSC, 30000, 4, 64, 250, -1};
static struct gauge gauge;
static struct shared *shared;
static uint8_t *code; /* where CODE_AT is written; children have no such window */
static double least_ticks = INFINITY;
static uint64_t least_sentinel = ~0ull;

static void __attribute__((noreturn)) die(const char *what) {
    fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int read_whole(void *to, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t got = read(0, (uint8_t *)to + done, size - done);
        if (got == 0) return 0;
        if (got < 0 && errno != EINTR) die("reading a job");
        if (got > 0) done += (size_t)got;
    }
    return 1;
}

static void write_whole(const void *from, size_t size) {
    for (size_t done = 0; done < size;) {
        ssize_t put = write(1, (const uint8_t *)from + done, size - done);
        if (put < 0 && errno != EINTR) exit(0); /* nobody listens any more */
        if (put > 0) done += (size_t)put;
    }
}

static void refresh_gauge(void) {
    double ticks = calibrate(CHAIN_ADDS);
    if (ticks < least_ticks) least_ticks = ticks;
    for (int i = 0; i < 8; i++) {
        uint64_t now = sentinel_ticks();
        if (now < least_sentinel) least_sentinel = now;
    }
    gauge.sentinel = (double)least_sentinel / least_ticks;
}

static uint32_t clock_granularity(void) {
    uint64_t least = ~0ull, last = ticks_now();
    for (int i = 0; i < 1000; i++) {
        uint64_t now = ticks_now();
        if (now > last && now - last < least) least = now - last;
        last = now;
    }
    return (uint32_t)least;
}

/* One memory, two mappings: the server writes it, a child can only read and run it. */
static void map_code(void) {
    size_t size = 2 * CODE_SIZE;
    int file = memfd_create("block", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)size)) die("memory for code");
    code = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (code == MAP_FAILED || madvise(code, size, MADV_DONTFORK)) die("memory for code");
    int fixed = MAP_FIXED_NOREPLACE;
    void *run = mmap((void *)CODE_AT, size, PROT_READ | PROT_EXEC, MAP_SHARED | fixed, file, 0);
    void *data = mmap((void *)(CODE_AT - PAGE), PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed, -1, 0);
    if (run != (void *)CODE_AT || data != (void *)(CODE_AT - PAGE)) die("memory at a fixed address");
    for (int i = 0; i < 8; i++) ((double *)data)[i] = 1.0;
    close(file);
}

static void __attribute__((noreturn)) child(const struct kernels *kernels) {
    int descriptor = -1;
    if (settings.clock != CLOCK_TSC && (descriptor = clock_open(settings.clock)) < 0) finish();
    confine(&settings, shared, descriptor);
    clock_use(settings.clock, descriptor < 0 ? -1 : 3);
    __builtin_ia32_ldmxcsr(0x9fc0); /* denormals are zero, nothing is signalled */
    measure(kernels, &settings, &gauge, shared);
    shared->result.pages = (uint16_t)shared->pages;
    shared->finished = 1;
    finish();
}

/* Waits for a child, at most a little longer than its own alarm; returns how it ended. */
static int await(pid_t pid) {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    struct timespec patience = {settings.milliseconds / 1000 + 1, settings.milliseconds % 1000 * 1000000l};
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid) return status;
        if (ended < 0 && errno != EINTR) die("waiting for a child");
        if (sigtimedwait(&children, NULL, &patience) < 0 && errno == EAGAIN) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return SIGALRM;
        }
    }
}

/* A block may have written anything into the shared page: believe only what can be so. */
static struct result judge(uint32_t id, int ended) {
    struct result result = shared->result;
    result.id = id;
    int sane = shared->finished == 1 && result.status <= TOO_FAST;
    if (WIFSIGNALED(ended)) {
        int signal = WTERMSIG(ended);
        result.status = signal == SIGSYS ? SYSTEM_CALL : signal == SIGALRM || signal == SIGXCPU ? TIMEOUT : SIGNALLED;
        result.signal = (uint8_t)signal;
    } else if (!sane) {
        result.status = ENDED;
    } else if (result.status == OK) {
        int plausible = isfinite(result.cycles) && result.cycles > 0 && result.cycles < 1e7 &&
                        result.ticks > least_ticks / 4 && result.ticks < least_ticks * 16 && result.pages <= MAX_PAGES;
        if (!plausible) result.status = ENDED;
    }
    if (result.status != OK) result.cycles = NAN;
    return result;
}

static struct result run(const struct job *job, const uint8_t *block, const struct fixup *fixups) {
    struct kernels kernels = emit(code, job, block, fixups);
    memset(shared, 0, sizeof *shared);
    pid_t pid = fork();
    if (pid < 0) die("forking");
    if (pid == 0) child(&kernels);
    return judge(job->id, await(pid));
}

static int read_job(struct job *job, uint8_t *block, struct fixup *fixups) {
    if (!read_whole(job, sizeof *job)) return 0;
    errno = EINVAL;
    if (job->magic != JOB_MAGIC || job->size == 0 || job->size > MAX_BLOCK || job->fixups > MAX_FIXUPS) die("a job");
    if (job->notion > LOOPED || job->counter > 15) die("a job");
    if (!read_whole(block, job->size) || !read_whole(fixups, job->fixups * sizeof *fixups)) return 0;
    for (unsigned i = 0; i < job->fixups; i++)
        if (fixups[i].field + 4u > job->size || fixups[i].next > job->size) die("a job's operand");
    return 1;
}

static int more_waits(void) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

static void serve(void) {
    static struct job job;
    static uint8_t block[MAX_BLOCK];
    static struct fixup fixups[MAX_FIXUPS];
    static struct result results[BUFFERED];
    unsigned waiting = 0;
    for (uint64_t count = 0; read_job(&job, block, fixups); count++) {
        if (count % GAUGE_EVERY == 0) refresh_gauge();
        results[waiting++] = run(&job, block, fixups);
        if (waiting == BUFFERED || !more_waits()) {
            write_whole(results, waiting * sizeof *results);
            waiting = 0;
        }
    }
    write_whole(results, waiting * sizeof *results);
}

static void parse(int count, char **words) {
    errno = EINVAL;
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = words[i], *value = words[i + 1];
        if (!strcmp(name, "--window")) settings.window = (uint32_t)atoi(value);
        else if (!strcmp(name, "--accept")) settings.accept = (uint32_t)atoi(value);
        else if (!strcmp(name, "--tries")) settings.tries = (uint32_t)atoi(value);
        else if (!strcmp(name, "--milliseconds")) settings.milliseconds = (uint32_t)atoi(value);
        else if (!strcmp(name, "--cpu")) settings.cpu = atoi(value);
        else if (!strcmp(name, "--clock")) {
            if (!strcmp(value, "perf")) settings.clock = CLOCK_PERF;
            else if (!strcmp(value, "task")) settings.clock = CLOCK_TASK;
            else settings.clock = CLOCK_TSC;
        } else die(name);
    }
    if (settings.accept == 0 || settings.tries < settings.accept || settings.milliseconds == 0) die("settings");
}

static void pin(void) {
    if (settings.cpu < 0) return;
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((unsigned)settings.cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus)) die("pinning to a core");
}

int main(int count, char **words) {
    parse(count, words);
    pin();
    int counter = clock_open(CLOCK_PERF);
    struct hello hello = {HELLO_MAGIC, PROTOCOL, 0, 0, 0, (uint8_t)vector_level(), counter < 0 ? -counter : 0,
                          0, 0, 0, 0};
    if (counter >= 0) close(counter);
    if (settings.clock == CLOCK_PERF && counter < 0) { errno = -counter; die("the cycle counter"); }

    map_code();
    shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) die("shared memory");
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    hello.unprivileged = drop_privileges() == 0;
    hello.filter = (uint8_t)filter_works();
    hello.uid = (uint32_t)getuid();

    int descriptor = settings.clock == CLOCK_TSC ? -1 : clock_open(settings.clock);
    if (settings.clock != CLOCK_TSC && descriptor < 0) { errno = -descriptor; die("the clock"); }
    clock_use(settings.clock, descriptor);
    gauge.granularity = clock_granularity();
    for (int i = 0; i < WARM_UP; i++) refresh_gauge();
    hello.clock = (uint8_t)settings.clock;
    hello.granularity = gauge.granularity;
    hello.ticks = least_ticks;
    hello.sentinel = gauge.sentinel;
    write_whole(&hello, sizeof hello);
    if (hello.filter && hello.unprivileged) serve();
    return 0;
}
