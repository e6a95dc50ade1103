/* Runs in child processes: an ASSERT, a sanitizer's finding or an endless loop ends the run and not the program. */
#include "tests/sim/sim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* Processor time: a busy machine makes no run endless. */
void sim_limit_time(unsigned seconds) {
    const struct itimerval limit = {.it_value = {.tv_sec = (time_t)seconds}};
    (void)setitimer(ITIMER_PROF, &limit, NULL);
}

/* How runs break off: the signal that ended the process, the kind of failure, and what happened. */
static const struct end {
    int signal;
    const char *kind, *text; /* NULL: the signal's own */
} ends[] = {
    {SIGPROF, "endless", "it did not end in time"},
    {SIGABRT, "assertion", "an assertion failed (see above)"},
    {0, "crash", "it ended by itself (see above)"},
};

static struct end end_of(int status) {
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends[i].signal == number) {
            return ends[i];
        }
    }
    return (struct end){number, "crash", strsignal(number)};
}

const char *sim_end_kind(int status) {
    return end_of(status).kind;
}

static void note_end(int status, struct sim_result *out) {
    struct end end = end_of(status);
    *out = (struct sim_result){.failed = true};
    (void)snprintf(out->kind, sizeof out->kind, "%s", end.kind);
    (void)snprintf(out->failure, sizeof out->failure, "the run broke off: %s", end.text);
}

void sim_run_apart(const struct sim_case *played, bool show, unsigned seconds, struct sim_result *out) {
    struct sim_result *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)fflush(stdout);
    pid_t child = shared != MAP_FAILED ? fork() : -1;
    if (child < 0) {
        perror("sim: no process for a run");
        _exit(1);
    }
    if (child == 0) {
        sim_limit_time(seconds);
        if (!show && freopen("/dev/null", "w", stderr) == NULL) {
            _exit(1);
        }
        sim_run(played, show, NULL, shared);
        (void)fflush(stdout);
        _exit(0);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    *out = *shared;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        note_end(status, out);
    }
    (void)munmap(shared, sizeof *shared);
}
