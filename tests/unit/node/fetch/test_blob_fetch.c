#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "node/api/ipfs_response.h"
#include "node/fetch/blob_fetch.h"

#include <curl/curl.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

enum manner { HONEST, LYING, ENDLESS, SHORT, DRIPPING, FAILING, MISSING };

/* A node as the fetch may meet it. */
struct server {
    struct MHD_Daemon *daemon;
    struct repo *repo;
    enum manner manner;
    atomic_uint requests;
    char url[64];
};

static char dir[64];
static struct repo *origin;
static struct repo_image large; /* 45 MiB, kubo: 183 blocks */
static struct repo_image small; /* one leaf */
static struct repo_image nothing;

static ssize_t endless(void *arg, uint64_t at, char *out, size_t max) {
    (void)arg;
    (void)at;
    memset(out, 'x', max);
    return (ssize_t)max;
}

static ssize_t drip(void *arg, uint64_t at, char *out, size_t max) {
    (void)arg;
    (void)at;
    (void)max;
    (void)usleep(20000);
    out[0] = 'x';
    return 1;
}

static ssize_t cut(void *arg, uint64_t at, char *out, size_t max) {
    (void)arg;
    if (at > 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    memset(out, 'x', max < 100 ? max : 100);
    return (ssize_t)(max < 100 ? max : 100);
}

static struct MHD_Response *honest_response(struct ipfs_response *answer) {
    if (answer->fd >= 0) {
        int fd = answer->fd;
        answer->fd = -1;
        return MHD_create_response_from_fd_at_offset64(answer->size, fd, answer->offset);
    }
    return MHD_create_response_from_buffer(answer->bytes.len, (void *)(uintptr_t)answer->bytes.data,
                                           MHD_RESPMEM_MUST_COPY);
}

/* The right length, one bit wrong. */
static struct MHD_Response *lying_response(const struct ipfs_response *answer) {
    uint8_t *copy = malloc((size_t)answer->size + 1);
    if (answer->fd >= 0) {
        (void)!pread(answer->fd, copy, (size_t)answer->size, (off_t)answer->offset);
    } else {
        memcpy(copy, answer->bytes.data, answer->bytes.len);
    }
    copy[answer->size / 2] ^= 1;
    return MHD_create_response_from_buffer((size_t)answer->size, copy, MHD_RESPMEM_MUST_FREE);
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *data_size, void **state) {
    struct server *server = arg;
    struct ipfs_request request = {.cid = url + strlen("/ipfs/")};
    struct ipfs_response answer;
    struct MHD_Response *response;
    (void)method;
    (void)version;
    (void)data;
    (void)data_size;
    (void)state;
    atomic_fetch_add(&server->requests, 1);
    request.format = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "format");
    ipfs_respond(server->repo, &request, &answer);
    unsigned status = answer.status;
    switch (server->manner) {
    case LYING:
        response = lying_response(&answer);
        break;
    case ENDLESS:
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, endless, NULL, NULL);
        break;
    case SHORT:
        response = MHD_create_response_from_callback(answer.size, 65536, cut, NULL, NULL);
        break;
    case DRIPPING:
        response = MHD_create_response_from_callback(answer.size, 1024, drip, NULL, NULL);
        break;
    case FAILING:
    case MISSING:
        status = server->manner == FAILING ? 503 : 404;
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        break;
    case HONEST:
    default:
        response = honest_response(&answer);
        break;
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    ipfs_response_close(&answer);
    return result;
}

static void start(struct server *server, enum manner manner) {
    *server = (struct server){.repo = origin, .manner = manner};
    server->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL,
                                      handle, server, MHD_OPTION_END);
    assert_non_null(server->daemon);
    unsigned port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    (void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u/", port);
}

static void stop(struct server *server) {
    MHD_stop_daemon(server->daemon);
}

static struct repo *open_repo(const char *name) {
    char path[128];
    struct repo *repo;
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    struct repo_config config = {.dir = path};
    assert_int_equal(repo_open(&config, &repo), OK);
    return repo;
}

static void import_image(uint64_t size, struct repo_image *out) {
    static uint8_t piece[65536];
    struct repo_import *import;
    uint64_t x = 88172645463325252u;
    assert_int_equal(repo_import_begin(origin, unixfs_profile_named("kubo"), &import), OK);
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < sizeof piece ? (size_t)(size - at) : sizeof piece;
        for (size_t i = 0; i < n; i += 8) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            memcpy(piece + i, &x, 8);
        }
        assert_int_equal(repo_import_write(import, piece, n), OK);
        at += n;
    }
    assert_int_equal(repo_import_end(import, out), OK);
}

static int set_up(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/test-blob-fetch-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), 0);
    origin = open_repo("origin");
    import_image(45 * MIB, &large);
    import_image(100, &small);
    import_image(0, &nothing);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    repo_close(origin);
    curl_global_cleanup();
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static enum err fetch(struct repo *repo, const struct cid *root, const struct server *servers, size_t count,
                      const struct blob_fetch_options *options, struct why *why) {
    const char *urls[4];
    struct repo_image image;
    for (size_t i = 0; i < count; i++) {
        urls[i] = servers[i].url;
    }
    return blob_fetch(repo, root, urls, count, options, &image, why);
}

static void assert_whole(struct repo *repo, uint64_t images) {
    struct repo_stats stats;
    uint64_t damaged = 1;
    repo_stats(repo, &stats);
    assert_int_equal(stats.images, images);
    assert_int_equal(stats.reserved, 0);
    assert_int_equal(repo_verify(repo, NULL, NULL, &damaged), OK);
    assert_int_equal(damaged, 0);
}

static void images_of_all_sizes_arrive_whole(void **state) {
    (void)state;
    struct repo *repo = open_repo("sizes");
    struct server servers[2];
    struct why why = WHY_NONE;
    start(&servers[0], HONEST);
    start(&servers[1], HONEST);
    const struct repo_image *const images[] = {&nothing, &small, &large};
    for (size_t i = 0; i < 3; i++) {
        struct blob_fetch_options options = {.size = images[i]->size, .sha256 = images[i]->sha256};
        uint64_t began = clock_mono_ms();
        assert_int_equal(fetch(repo, &images[i]->root, servers, 2, &options, &why), OK);
        print_message("%llu bytes in %llu ms\n", (unsigned long long)images[i]->size,
                      (unsigned long long)(clock_mono_ms() - began));
        assert_string_equal(&why, "");
    }
    assert_whole(repo, 3);
    assert_int_equal(servers[0].requests + servers[1].requests,
                     184); /* every block once; an empty image has none to ask for */
    assert_true(servers[0].requests > 40 && servers[1].requests > 40);
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    print_message("max RSS, serving and fetching: %ld KiB\n", usage.ru_maxrss);
    stop(&servers[0]);
    stop(&servers[1]);
    repo_close(repo);
}

struct seen {
    char url[64];
    enum err reason;
    unsigned count;
};

static void note_source(void *arg, const char *url, enum err reason, const char *what) {
    struct seen *seen = arg;
    (void)what;
    (void)snprintf(seen->url, sizeof seen->url, "%s", url);
    seen->reason = reason;
    seen->count++;
}

/* One bad source beside a good one: the image arrives, the bad one is named. */
static void with_bad_neighbour(enum manner manner, const char *name, enum err reason) {
    struct repo *repo = open_repo(name);
    struct server servers[2];
    struct seen seen = {.count = 0};
    struct why why = WHY_NONE;
    start(&servers[0], manner);
    start(&servers[1], HONEST);
    struct blob_fetch_options options = {
        .sha256 = large.sha256, .source_left = note_source, .arg = &seen, .deadline_ms = 60000, .http.stall_ms = 1000};
    assert_int_equal(fetch(repo, &large.root, servers, 2, &options, &why), OK);
    assert_whole(repo, 1);
    if (reason != OK) {
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.reason, reason);
        assert_string_equal(seen.url, servers[0].url);
    }
    if (reason == ERR_MISMATCH) {
        assert_true(servers[0].requests <= 4);
    }
    stop(&servers[0]);
    stop(&servers[1]);
    repo_close(repo);
}

static void a_liar_is_banned_and_the_image_comes_from_elsewhere(void **state) {
    (void)state;
    with_bad_neighbour(LYING, "lying", ERR_MISMATCH);
}

static void endless_data_is_cut_off(void **state) {
    (void)state;
    with_bad_neighbour(ENDLESS, "endless", ERR_MISMATCH);
}

static void a_source_without_the_image_is_left(void **state) {
    (void)state;
    with_bad_neighbour(MISSING, "missing", ERR_NOTFOUND);
}

/* Whether a failing source is given up before the good one has delivered everything is a matter of speed. */
static void failing_and_short_sources_do_no_harm(void **state) {
    (void)state;
    with_bad_neighbour(FAILING, "failing", OK);
    with_bad_neighbour(SHORT, "short", OK);
}

static void a_dripping_source_holds_nothing_up(void **state) {
    (void)state;
    uint64_t began = clock_mono_ms();
    with_bad_neighbour(DRIPPING, "dripping", OK);
    assert_true(clock_mono_ms() - began < 45000);
}

static void with_liars_alone_nothing_is_kept(void **state) {
    (void)state;
    struct repo *repo = open_repo("liars");
    struct server server;
    struct why why = WHY_NONE;
    struct blob_fetch_options options = {.deadline_ms = 20000};
    start(&server, LYING);
    assert_int_equal(fetch(repo, &large.root, &server, 1, &options, &why), ERR_NETWORK);
    assert_non_null(strstr(why.text, "does not hash"));
    assert_whole(repo, 0);
    server.manner = MISSING;
    assert_int_equal(fetch(repo, &large.root, &server, 1, &options, &why), ERR_NOTFOUND);
    stop(&server);
    assert_int_equal(fetch(repo, &large.root, &server, 1, &options, &why), ERR_NETWORK);
    repo_close(repo);
}

static void the_deadline_ends_a_fetch(void **state) {
    (void)state;
    struct repo *repo = open_repo("deadline");
    struct server server;
    struct why why = WHY_NONE;
    struct blob_fetch_options options = {.deadline_ms = 500};
    start(&server, DRIPPING);
    uint64_t began = clock_mono_ms();
    assert_int_equal(fetch(repo, &large.root, &server, 1, &options, &why), ERR_TIMEOUT);
    assert_true(clock_mono_ms() - began < 20000);
    stop(&server);
    repo_close(repo);
}

static void an_image_that_is_not_the_release_s_is_refused(void **state) {
    (void)state;
    struct repo *repo = open_repo("other");
    struct server server;
    struct why why = WHY_NONE;
    start(&server, HONEST);
    struct blob_fetch_options size = {.size = large.size - 1};
    assert_int_equal(fetch(repo, &large.root, &server, 1, &size, &why), ERR_MISMATCH);
    assert_int_equal(server.requests, 1);
    struct blob_fetch_options limit = {.max_size = MIB};
    assert_int_equal(fetch(repo, &large.root, &server, 1, &limit, &why), ERR_TOOLARGE);
    struct blob_fetch_options digest = {.sha256 = large.sha256};
    assert_int_equal(fetch(repo, &small.root, &server, 1, &digest, &why), ERR_MISMATCH);
    assert_whole(repo, 0);
    stop(&server);
    repo_close(repo);
}

static bool stop_halfway(void *arg, const struct blob_fetch_progress *progress) {
    *(struct blob_fetch_progress *)arg = *progress;
    return progress->have < 20 * MIB;
}

static bool note_progress(void *arg, const struct blob_fetch_progress *progress) {
    *(struct blob_fetch_progress *)arg = *progress;
    return true;
}

static void a_cancelled_fetch_goes_on_later(void **state) {
    (void)state;
    struct repo *repo = open_repo("cancel");
    struct server server;
    struct blob_fetch_progress progress;
    struct why why = WHY_NONE;
    start(&server, HONEST);
    struct blob_fetch_options options = {.progress = stop_halfway, .arg = &progress};
    assert_int_equal(fetch(repo, &large.root, &server, 1, &options, &why), ERR_CLOSED);
    uint64_t kept = progress.have;
    options.progress = note_progress;
    assert_int_equal(fetch(repo, &large.root, &server, 1, &options, &why), OK);
    assert_int_equal(progress.resumed, kept);
    assert_true(progress.fetched < 26 * MIB);
    assert_whole(repo, 1);
    stop(&server);
    repo_close(repo);
}

static void a_killed_fetch_asks_for_no_verified_block_again(void **state) {
    (void)state;
    struct server server;
    unsigned kills = 0;
    start(&server, HONEST);
    for (unsigned stop_at = 20;; stop_at += 30) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char path[128];
            struct why why = WHY_NONE;
            struct repo *repo;
            struct blob_fetch_options options = {.sha256 = large.sha256};
            (void)snprintf(path, sizeof path, "%s/killed", dir);
            struct repo_config config = {.dir = path};
            if (repo_open(&config, &repo) != OK) {
                _exit(3);
            }
            _exit(fetch(repo, &large.root, &server, 1, &options, &why) == OK ? 0 : 4);
        }
        int status;
        pid_t ended = 0;
        while (server.requests < stop_at && (ended = waitpid(child, &status, WNOHANG)) == 0) {
            (void)usleep(500);
        }
        if (ended == child) {
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            break;
        }
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        kills++;
    }
    print_message("%u kills, %u requests for 183 blocks\n", kills, (unsigned)server.requests);
    assert_true(kills >= 3);
    /* Only what was on its way when the process died may be asked for twice. */
    assert_true(server.requests <= 183 + kills * 8);
    stop(&server);
    struct repo *repo = open_repo("killed");
    assert_whole(repo, 1);
    repo_close(repo);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_all_sizes_arrive_whole),
        cmocka_unit_test(a_liar_is_banned_and_the_image_comes_from_elsewhere),
        cmocka_unit_test(endless_data_is_cut_off),
        cmocka_unit_test(a_source_without_the_image_is_left),
        cmocka_unit_test(failing_and_short_sources_do_no_harm),
        cmocka_unit_test(a_dripping_source_holds_nothing_up),
        cmocka_unit_test(with_liars_alone_nothing_is_kept),
        cmocka_unit_test(the_deadline_ends_a_fetch),
        cmocka_unit_test(an_image_that_is_not_the_release_s_is_refused),
        cmocka_unit_test(a_cancelled_fetch_goes_on_later),
        cmocka_unit_test(a_killed_fetch_asks_for_no_verified_block_again),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
