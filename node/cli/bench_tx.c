/* assay bench tx: how fast does a chain make transactions final, and what does one cost?
 *
 * The transaction is P1's: an update push (of the class's latest release, to the class). First one at a time, which
 * gives the finality of an idle chain; then many at once, which gives the rate. Closed loop: every worker has one under
 * way. What a transaction costs is the nodes' own processor time (their /metrics before and after), told beside the
 * cost of one Ed25519 verification measured here.
 */
#include "node/cli/bench.h"

#include "base/clock.h"
#include "contracts/firmware/release.h"
#include "contracts/governance/governance.h"
#include "contracts/kernel/code.h"
#include "contracts/kernel/transaction.h"
#include "contracts/update/update.pb-c.h"
#include "node/answers/block.h"
#include "node/answers/page.h"
#include "node/json/record_json.h"
#include "node/cli/args.h"
#include "node/cli/names.h"
#include "node/cli/publish.h"
#include "node/cli/txcmd.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 1024
#define SECONDS_MAX 3600
#define WATCHED_NODES_MAX 16
#define SAMPLES_MAX 2000000
#define VERIFY_ROUNDS 500
#define REFUSED_PAUSE_US 50000 /* what a polite client waits before it tries again */

/* Samples of one phase, filled by its workers. */
struct phase {
    uint64_t end_ns;
    uint64_t taken;   /* atomic: places in `latency_us` given out */
    uint64_t good;    /* atomic */
    uint64_t refused; /* atomic: by the contract, or for being too many */
    uint64_t failed;  /* atomic: no answer */
    uint32_t *latency_us;
    double seconds;
};

struct bench {
    struct txcmd_options options;
    struct txcmd tx; /* keys and chain; its client is used by nobody while workers run */
    struct class_name class;
    const char *class_text;
    uint8_t release_id[HASH_LEN];
    const char *log_final;
    FILE *log;
    pthread_mutex_t log_lock;
    struct phase *phase;
    char node_url[WATCHED_NODES_MAX][256];
    double cpu_before[WATCHED_NODES_MAX], cpu_after[WATCHED_NODES_MAX];
    size_t node_count;
};

/* ---- One transaction --------------------------------------------------------------------------------------------- */

static enum err build(struct bench *b, struct buffer *out) {
    const uint8_t(*secrets[TXCMD_KEYS_MAX])[ED25519_SECRET_LEN];
    struct buffer args = BUFFER_INIT;
    Assay__UpdatePush message;
    assay__update_push__init(&message);
    message.release_id = names_binary(b->release_id, HASH_LEN);
    message.class_id = names_binary(b->class.class_id, UUID_LEN);
    message.time_sent_ms = clock_wall_ms();
    struct transaction_draft draft = {
        .chain_id = b->tx.chain_id, .expiry_ms = txcmd_expiry(&b->tx), .contract = "update", .method = "push"};
    random_fill(draft.salt, sizeof draft.salt);
    for (size_t i = 0; i < b->tx.key_count; i++) {
        secrets[i] = (const uint8_t(*)[ED25519_SECRET_LEN])(uintptr_t)b->tx.keys[i].secret;
    }
    enum err e = names_pack(&message.base, &args);
    draft.args = buffer_bytes(&args);
    if (e == OK) {
        e = transaction_build(&draft, secrets, b->tx.key_count, out);
    }
    buffer_free(&args);
    return e;
}

static void log_final(struct bench *b, const struct submitted_answer *sent) {
    char id[2 * HASH_LEN + 1];
    if (b->log == NULL) {
        return;
    }
    hex_encode(sent->tx_id, HASH_LEN, id);
    (void)pthread_mutex_lock(&b->log_lock);
    (void)fprintf(b->log, "%s %llu\n", id, (unsigned long long)sent->height);
    (void)fflush(b->log);
    (void)pthread_mutex_unlock(&b->log_lock);
}

/* False when the node does not answer any more. */
static bool send_one(struct bench *b, struct client *client) {
    struct phase *phase = b->phase;
    struct buffer envelope = BUFFER_INIT;
    json_t *answer = NULL;
    enum err e = build(b, &envelope);
    uint64_t start_ns = clock_mono_ns();
    if (e == OK) {
        e = client_post_bytes(client, "/v1/txs?wait=finalized&timeout_ms=30000", "application/octet-stream",
                              buffer_bytes(&envelope), &answer);
    }
    uint64_t took_us = (clock_mono_ns() - start_ns) / 1000;
    struct submitted_answer sent;
    struct why why;
    bool good = e == OK && record_of_json(&submitted_shape, answer, &sent, &why) == OK && sent.is_final &&
                sent.result.code == CODE_OK;
    if (good) {
        uint64_t place = __atomic_fetch_add(&phase->taken, 1, __ATOMIC_RELAXED);
        if (place < SAMPLES_MAX) {
            phase->latency_us[place] = (uint32_t)took_us;
        }
        log_final(b, &sent);
    }
    bool gone = e == ERR_NETWORK;
    uint64_t *missed = gone ? &phase->failed : &phase->refused;
    (void)__atomic_add_fetch(good ? &phase->good : missed, 1, __ATOMIC_RELAXED);
    json_decref(answer);
    buffer_free(&envelope);
    return !gone;
}

static void *work(void *ctx) {
    struct bench *b = ctx;
    struct client *client = NULL;
    const struct client_config config = {
        .url = client_url(b->tx.client), .http.ca_file = b->options.ca_file, .timeout_ms = 40000};
    if (client_new(&config, &client) != OK) {
        return NULL;
    }
    while (clock_mono_ns() < b->phase->end_ns && send_one(b, client)) {
        if (client_status(client) == 503) {
            (void)usleep(REFUSED_PAUSE_US);
        }
    }
    client_free(client);
    return NULL;
}

static int run_phase(struct bench *b, struct phase *phase, size_t workers, double seconds) {
    pthread_t threads[WORKERS_MAX];
    size_t started = 0;
    *phase = (struct phase){.latency_us = calloc(SAMPLES_MAX, sizeof(uint32_t))};
    if (phase->latency_us == NULL) {
        return args_fail("out of memory");
    }
    uint64_t begin_ns = clock_mono_ns();
    phase->end_ns = begin_ns + (uint64_t)(seconds * 1e9);
    b->phase = phase;
    while (started < workers && pthread_create(&threads[started], NULL, work, b) == 0) {
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    b->phase = NULL;
    phase->seconds = (double)(clock_mono_ns() - begin_ns) / 1e9;
    return started > 0 ? ARGS_GO_ON : args_fail("no thread could be started");
}

/* ---- What it costs ----------------------------------------------------------------------------------------------- */

/* Median of single verifications, in microseconds. */
static double verify_cost_us(void) {
    uint8_t seed[ED25519_SEED_LEN] = {1}, key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN], signature[ED25519_SIG_LEN];
    uint8_t message[200] = {0};
    static uint32_t took_ns[VERIFY_ROUNDS];
    ed25519_from_seed(seed, key, secret);
    ed25519_sign(secret, message, sizeof message, signature);
    for (size_t i = 0; i < VERIFY_ROUNDS; i++) {
        uint64_t begin = clock_mono_ns();
        bool good = ed25519_verify(key, message, sizeof message, signature);
        took_ns[i] = good ? (uint32_t)(clock_mono_ns() - begin) : 0;
    }
    return bench_percentile_ms(took_ns, VERIFY_ROUNDS, 50); /* of nanoseconds: microseconds */
}

static void read_cpu(const struct bench *b, double *out) {
    for (size_t i = 0; i < b->node_count; i++) {
        out[i] = bench_cpu_seconds(b->node_url[i], b->options.ca_file);
    }
}

static int find_nodes(struct bench *b) {
    json_t *answer = NULL;
    struct page_answer page;
    struct node_record record;
    struct why why;
    if (client_get_json(b->tx.client, "/v1/validators?limit=100", &answer) != OK) {
        return args_fail("%s", client_why(b->tx.client));
    }
    int status = txcmd_take(b->tx.client, &validators_page, answer, &page);
    for (size_t i = 0; status == ARGS_GO_ON && i < json_array_size(page.items); i++) {
        bool good = record_of_json(&node_shape, json_array_get(page.items, i), &record, &why) == OK;
        if (good && b->node_count < WATCHED_NODES_MAX && strlen(record.node.http) < sizeof b->node_url[0]) {
            memcpy(b->node_url[b->node_count++], record.node.http, strlen(record.node.http) + 1);
        }
    }
    json_decref(answer);
    return status;
}

/* ---- What is pushed ---------------------------------------------------------------------------------------------- */

/* A class without a release gets a small one, so that a fresh network can be measured at once. */
static int publish_something(struct bench *b, json_t **out) {
    char path[] = "/tmp/assay-bench-XXXXXX";
    uint8_t image[1024];
    int fd = mkstemp(path);
    random_fill(image, sizeof image);
    bool written = fd >= 0 && write(fd, image, sizeof image) == (ssize_t)sizeof image;
    if (fd >= 0) {
        (void)close(fd);
    }
    const struct publish_request request = {
        .class = b->class, .class_text = b->class_text, .image = path, .version = "0.0.1-bench"};
    int status = written ? publish(&b->tx, &request, out) : args_fail("%s: cannot be written", path);
    (void)unlink(path);
    return status;
}

static int find_release(struct bench *b) {
    json_t *answer = NULL;
    struct buffer path = BUFFER_INIT;
    buffer_words(&path, "/v1/releases/latest");
    names_class_query(b->class_text, &path);
    enum err e = buffer_text(&path) != NULL ? client_get_json(b->tx.client, buffer_text(&path), &answer) : ERR_NOMEM;
    buffer_free(&path);
    int status = ARGS_GO_ON;
    if (e == ERR_NOTFOUND && strcmp(client_error_code(b->tx.client), "NO_RELEASE") == 0) {
        status = publish_something(b, &answer);
    } else if (e != OK) {
        status = args_fail("%s", client_why(b->tx.client));
    }
    const char *id = json_string_value(record_member(&release_shape, answer, offsetof(struct release_record, id)));
    if (status == ARGS_GO_ON && (id == NULL || hex_decode(id, b->release_id, HASH_LEN) != OK)) {
        status = args_fail("the node's answer holds no release id");
    }
    json_decref(answer);
    return status;
}

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

static double percentile_ms(struct phase *phase, unsigned percent) {
    return bench_percentile_ms(phase->latency_us, phase->taken < SAMPLES_MAX ? phase->taken : SAMPLES_MAX, percent);
}

static json_t *phase_json(struct phase *phase, size_t workers) {
    return json_pack("{s:I, s:f, s:I, s:I, s:I, s:f, s:f, s:f}", "workers", (json_int_t)workers, "seconds",
                     phase->seconds, "final", (json_int_t)phase->good, "refused", (json_int_t)phase->refused, "failed",
                     (json_int_t)phase->failed, "tx_per_s", (double)phase->good / phase->seconds, "p50_ms",
                     percentile_ms(phase, 50), "p99_ms", percentile_ms(phase, 99));
}

static json_t *nodes_json(const struct bench *b, uint64_t final, double verify_us) {
    json_t *out = json_array();
    for (size_t i = 0; i < b->node_count; i++) {
        bool known = b->cpu_before[i] >= 0 && b->cpu_after[i] >= b->cpu_before[i] && final > 0;
        double us = known ? (b->cpu_after[i] - b->cpu_before[i]) * 1e6 / (double) final : 0;
        (void)json_array_append_new(
            out, known ? json_pack("{s:s, s:f, s:f}", "node", b->node_url[i], "cpu_s_per_tx", us / 1e6,
                                   "verifications_per_tx", us / verify_us)
                       : json_pack("{s:s, s:n, s:n}", "node", b->node_url[i], "cpu_s_per_tx", "verifications_per_tx"));
    }
    return out;
}

static void print_text(const json_t *report) {
    const json_t *idle = json_object_get(report, "idle"), *load = json_object_get(report, "load");
    const json_t *node;
    size_t i;
    printf("idle   %6lld final, one at a time:  p50 %7.2f ms   p99 %7.2f ms   (targets 5 and 20)\n",
           (long long)json_integer_value(json_object_get(idle, "final")),
           json_real_value(json_object_get(idle, "p50_ms")), json_real_value(json_object_get(idle, "p99_ms")));
    printf("load   %6lld final, %lld at once:   p50 %7.2f ms   p99 %7.2f ms   %.0f tx/s   %lld refused, %lld failed\n",
           (long long)json_integer_value(json_object_get(load, "final")),
           (long long)json_integer_value(json_object_get(load, "workers")),
           json_real_value(json_object_get(load, "p50_ms")), json_real_value(json_object_get(load, "p99_ms")),
           json_real_value(json_object_get(load, "tx_per_s")),
           (long long)json_integer_value(json_object_get(load, "refused")),
           (long long)json_integer_value(json_object_get(load, "failed")));
    printf("one Ed25519 verification here: %.1f us\n", json_real_value(json_object_get(report, "verify_us")));
    json_array_foreach(json_object_get(report, "nodes"), i, node) {
        printf("%s   %.1f us of processor a transaction = %.2f verifications   (target 2)\n",
               json_string_value(json_object_get(node, "node")),
               1e6 * json_real_value(json_object_get(node, "cpu_s_per_tx")),
               json_real_value(json_object_get(node, "verifications_per_tx")));
    }
}

static int measure(struct bench *b, double seconds, size_t workers) {
    struct phase idle = {0}, load = {0};
    double idle_seconds = seconds / 5 < 4 ? seconds / 5 : 4;
    int status = run_phase(b, &idle, 1, idle_seconds);
    if (status == ARGS_GO_ON) {
        read_cpu(b, b->cpu_before);
        status = run_phase(b, &load, workers, seconds - idle_seconds);
        read_cpu(b, b->cpu_after);
    }
    if (status == ARGS_GO_ON) {
        double verify_us = verify_cost_us();
        json_t *report =
            json_pack("{s:o, s:o, s:f, s:o}", "idle", phase_json(&idle, 1), "load", phase_json(&load, workers),
                      "verify_us", verify_us, "nodes", nodes_json(b, load.good, verify_us));
        status = 0;
        if (b->options.json) {
            status = args_print_json(json_incref(report));
        } else {
            print_text(report);
        }
        json_decref(report);
        if (idle.good + load.good == 0) {
            status = args_fail("nothing became final; see `assay status`");
        }
    }
    free(idle.latency_us);
    free(load.latency_us);
    return status;
}

int bench_tx(int argc, char **argv) {
    struct bench b = {.class_text = "acme.example/thermostat", .log_lock = PTHREAD_MUTEX_INITIALIZER};
    uint64_t seconds = 20, workers = 64;
    const struct args_option options[] = {
        TXCMD_OPTIONS(b.options),
        {"class", ARGS_TEXT, &b.class_text, "CLASS", "class to push to (default acme.example/thermostat)", 0, 0},
        {"seconds", ARGS_NUMBER, &seconds, "N", "how long in all (default 20)", 1, SECONDS_MAX},
        {"workers", ARGS_NUMBER, &workers, "N", "transactions under way at once under load (default 64)", 1,
         WORKERS_MAX},
        {"log-final", ARGS_TEXT, &b.log_final, "FILE", "write every id reported final there, with its height", 0, 0},
        {0},
    };
    const struct args_spec spec = {"bench tx --key AUTHOR [options]",
                                   "Pushes the class's latest release over and over, one at a time and then many at "
                                   "once, and prints rate, finality and what a transaction costs each validator.",
                                   options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_class(b.class_text, &b.class);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    status = txcmd_open(&b.options, &b.tx);
    if (status == ARGS_GO_ON && b.log_final != NULL) {
        b.log = fopen(b.log_final, "we");
        status = b.log != NULL ? ARGS_GO_ON : args_fail("%s: cannot be written", b.log_final);
    }
    if (status == ARGS_GO_ON) {
        status = find_nodes(&b);
    }
    if (status == ARGS_GO_ON) {
        status = find_release(&b);
    }
    if (status == ARGS_GO_ON) {
        status = measure(&b, (double)seconds, workers);
    }
    if (b.log != NULL) {
        (void)fclose(b.log);
    }
    txcmd_close(&b.tx);
    return status;
}
