/* Peers that come and go, each a process of its own: every other time one closes its links, every other time it is
 * killed, with messages under way in both directions. Nothing may be left of them, and nobody else may notice.
 *
 * CLOSES=N says how many times in all (`make check-long`: 10,000). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "base/sha256.h"
#include "base/x25519.h"
#include "node/net/links.h"
#include "tests/lib/listen_port.h"
#include "tests/unit/node/nng_threads.h"
#include "tests/unit/node/net/broadcast.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUB 0u
#define STEADY 1u /* a member that stays, in the hub's process */
#define COMERS                                                                                                         \
    30u /* that come and go: 2, 3, ...; the hub dials all but two of them, whose initiations have a budget             \
         */
#define DIALLING 2u
#define MEMBERS (2u + COMERS)
#define CLOSES 120u
#define PATIENCE_MS 60000u /* without any event that is waited for */
#define SEND_MS 1u
#define TOGETHER 3u /* messages to each at a time */

extern char **environ;

static void key_of(size_t member, struct noise_keys *out) {
    uint8_t seed[SHA256_LEN], name = (uint8_t)member;
    sha256(&name, 1, seed);
    memcpy(out->secret, seed, X25519_LEN);
    x25519_public_key(out->secret, out->public_key);
}

struct place {
    uv_loop_t *loop;
    struct links *links;
    uv_timer_t timer;
    size_t self, ups, messages;
    uint64_t heard_ms, gap_ms; /* the longest silence of the steady member */
    uint8_t large[20000];
};

static void on_message(void *ctx, size_t member, struct bytes message) {
    struct place *p = ctx;
    uint64_t now = clock_mono_ms();
    (void)message;
    p->messages++;
    if (p->self == HUB && member == STEADY) {
        p->gap_ms = now - p->heard_ms > p->gap_ms ? now - p->heard_ms : p->gap_ms;
        p->heard_ms = now;
    }
}

static void on_up(void *ctx, size_t member) {
    (void)member;
    ((struct place *)ctx)->ups++;
}

static void on_down(void *ctx, size_t member) {
    (void)ctx;
    (void)member;
}

/* Messages, small and large, all the time. */
static void on_timer(uv_timer_t *timer) {
    struct place *p = timer->data;
    for (unsigned i = 0; i < TOGETHER; i++) {
        (void)broadcast(p->links, FRAME_CONSENSUS, 0, bytes_of(p->large, 200));
    }
    (void)broadcast(p->links, FRAME_SYNC, 0, bytes_of(p->large, sizeof p->large));
}

/* `address[i]`: of member i; "": it dials. */
static char address[MEMBERS][32];

static void open_place(struct place *p, uv_loop_t *loop, size_t self, const char *listen) {
    struct noise_keys keys;
    *p = (struct place){.loop = loop, .self = self, .heard_ms = clock_mono_ms()};
    struct links_config config = {.self = self, .listen = listen};
    const struct links_ops ops = {.on_message = on_message, .on_up = on_up, .on_down = on_down, .ctx = p};
    uint8_t chain[SHA256_LEN] = {7};
    key_of(self, &keys);
    memcpy(config.link_secret, keys.secret, X25519_LEN);
    links_psk(chain, bytes_str("churn"), config.psk);
    assert_int_equal(links_open(&config, &ops, &p->links), OK);
    for (size_t i = 0; i < MEMBERS; i++) {
        struct links_member member = {.address = address[i]};
        key_of(i, &keys);
        memcpy(member.key, keys.public_key, X25519_LEN);
        if (i != self && (self == HUB || i == HUB)) {
            assert_int_equal(links_set_member(p->links, i, &member), OK);
        }
    }
    assert_int_equal(links_attach(p->links, loop), OK);
    (void)uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    (void)uv_timer_start(&p->timer, on_timer, SEND_MS, SEND_MS);
}

static void close_place(struct place *p) {
    uv_close((uv_handle_t *)&p->timer, NULL);
    links_close(p->links);
    p->links = NULL;
}

/* ---- Who comes and goes ------------------------------------------------------------------------------------------ */

/* Up, some messages in, and away: once in peace, once killed. */
static int come_and_go(size_t member, bool killed) {
    static uv_loop_t loop;
    static struct place p;
    uint64_t begin = clock_mono_ms();
    if (uv_loop_init(&loop) != 0) {
        return 1;
    }
    open_place(&p, &loop, member, address[member][0] != '\0' ? address[member] : "127.0.0.1:0");
    while (p.messages < 5) {
        (void)uv_run(&loop, UV_RUN_ONCE);
        if (clock_mono_ms() > begin + PATIENCE_MS) {
            return 1;
        }
    }
    if (killed) {
        (void)raise(SIGKILL);
    }
    close_place(&p);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

/* ---- The keeper -------------------------------------------------------------------------------------------------- */

static bool is_dialled(size_t member) {
    return member >= 2 && member < MEMBERS - DIALLING;
}

static pid_t spawn(size_t member, bool killed) {
    char number[16], program[] = "/proc/self/exe", name[] = "test_links_churn", fate[] = {killed ? 'k' : 'c', '\0'};
    (void)snprintf(number, sizeof number, "%zu", member);
    char *const arguments[] = {name, number, fate, is_dialled(member) ? name : address[HUB], address[member], NULL};
    pid_t pid = 0;
    return posix_spawn(&pid, program, NULL, NULL, arguments, environ) == 0 ? pid : 0;
}

/* A process of its own, so that the hub's waits for none: keeps a process of each member that comes and goes, and says
 * of each that ended, with one byte, whether it went as it should. */
static int keep(int told, int tell, size_t wanted) {
    pid_t child[COMERS] = {0};
    size_t turns = 0, ended = 0;
    if (read(told, address[HUB], sizeof address[HUB]) != (ssize_t)sizeof address[HUB]) {
        return 1;
    }
    while (ended < wanted) {
        for (size_t i = 0; i < COMERS && turns < wanted; i++) {
            if (child[i] == 0) {
                child[i] = spawn(2 + i, turns++ % 2 == 0);
            }
        }
        int status;
        pid_t gone = wait(&status);
        for (size_t i = 0; i < COMERS; i++) {
            if (child[i] == gone) {
                bool good = WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0;
                child[i] = 0;
                ended++;
                if (write(tell, good ? "+" : "-", 1) != 1) {
                    return 1;
                }
            }
        }
    }
    return 0;
}

/* ---- The hub ----------------------------------------------------------------------------------------------------- */

static size_t descriptors(void) {
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count;
}

static size_t wanted_closes(void) {
    const char *text = getenv("CLOSES");
    return text != NULL ? (size_t)strtoul(text, NULL, 10) : CLOSES;
}

struct keeper {
    pid_t pid;
    int tell, told;
};

static struct keeper start_keeper(size_t wanted) {
    int there[2], back[2];
    assert_int_equal(pipe2(there, O_CLOEXEC), 0);
    assert_int_equal(pipe2(back, O_CLOEXEC | O_NONBLOCK), 0);
    struct keeper k = {.pid = fork(), .tell = there[1], .told = back[0]};
    assert_true(k.pid >= 0);
    if (k.pid == 0) {
        (void)close(there[1]);
        (void)close(back[0]);
        _exit(keep(there[0], back[1], wanted));
    }
    (void)close(there[0]);
    (void)close(back[1]);
    return k;
}

static void turn_until_up(uv_loop_t *loop, const struct place *place) {
    for (uint64_t since = clock_mono_ms(); place->ups == 0;) {
        (void)uv_run(loop, UV_RUN_ONCE);
        assert_true(clock_mono_ms() < since + PATIENCE_MS);
    }
}

static void nothing_is_left_of_peers_that_come_and_go(void **state) {
    static uv_loop_t loop;
    static struct place hub, steady;
    size_t ended = 0, wanted = wanted_closes();
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        if (is_dialled(i)) {
            (void)snprintf(address[i], sizeof address[i], "127.0.0.1:%u", listen_port());
        }
    }
    struct keeper keeper = start_keeper(wanted);
    assert_int_equal(uv_loop_init(&loop), 0);
    open_place(&hub, &loop, HUB, "127.0.0.1:0");
    (void)snprintf(address[HUB], sizeof address[HUB], "127.0.0.1:%u", links_port(hub.links));
    open_place(&steady, &loop, STEADY, "127.0.0.1:0");
    turn_until_up(&loop, &steady);
    turn_until_up(&loop, &hub);
    hub.heard_ms = clock_mono_ms();
    hub.gap_ms = 0;
    size_t before = descriptors();
    assert_int_equal(write(keeper.tell, address[HUB], sizeof address[HUB]), sizeof address[HUB]);
    for (uint64_t since = clock_mono_ms(); ended < wanted;) {
        char how;
        while (read(keeper.told, &how, 1) == 1) {
            assert_int_equal(how, '+');
            ended++;
            since = clock_mono_ms();
        }
        (void)uv_run(&loop, UV_RUN_ONCE);
        assert_true(clock_mono_ms() < since + PATIENCE_MS);
    }
    assert_true(hub.ups > wanted / 2); /* a member may be back before its old link was known to be gone */
    for (uint64_t since = clock_mono_ms(); descriptors() > before;) {
        (void)uv_run(&loop, UV_RUN_ONCE);
        assert_true(clock_mono_ms() < since + PATIENCE_MS);
    }
    assert_true(links_peer_stats(hub.links, STEADY).up);
    print_message("%zu came and went, every other one killed; the longest silence of one that stays: %llu ms\n", wanted,
                  (unsigned long long)hub.gap_ms);
    uint64_t begin = clock_mono_ms();
    close_place(&hub);
    close_place(&steady);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    print_message("closed in %llu ms\n", (unsigned long long)(clock_mono_ms() - begin));
    (void)close(keeper.tell);
    (void)close(keeper.told);
    assert_int_equal(waitpid(keeper.pid, NULL, 0), keeper.pid);
}

int main(int argc, char **argv) {
    if (crypto_start() != OK) {
        return 1;
    }
    if (argc == 5) {
        size_t member = (size_t)strtoul(argv[1], NULL, 10) % MEMBERS;
        (void)snprintf(address[HUB], sizeof address[HUB], "%s", strchr(argv[3], ':') != NULL ? argv[3] : "");
        (void)snprintf(address[member], sizeof address[member], "%s", argv[4]);
        return come_and_go(member, argv[2][0] == 'k');
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_of_peers_that_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
