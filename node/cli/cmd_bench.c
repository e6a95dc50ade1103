/* assay bench tx: how fast does a chain make transactions final?
 *
 * Each transaction registers a fresh random device, so that every one of them is valid, writes, and is alone of its
 * kind. Closed loop: every worker has one transaction under way.
 */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "base/clock.h"
#include "contracts/proto/device.pb-c.h"
#include "contracts/transaction.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WORKERS_MAX 256
#define COUNT_MAX 1000000

struct load {
    struct txcmd_options options;
    struct txcmd tx; /* keys and chain; its client is used by nobody while workers run */
    struct class_name class;
    uint8_t gateway[ED25519_KEY_LEN];
    uint64_t count;
    uint64_t next;    /* atomic */
    uint64_t good;    /* atomic */
    uint64_t refused; /* atomic */
    uint64_t failed;  /* atomic */
    uint64_t *latency_us;
};

static enum err build(struct load *load, struct buffer *out) {
    const uint8_t(*secrets[TXCMD_KEYS_MAX])[ED25519_SECRET_LEN];
    uint8_t seed[ED25519_SEED_LEN];
    uint8_t device[ED25519_KEY_LEN];
    uint8_t secret[ED25519_SECRET_LEN];
    uint8_t mac[HASH_LEN] = {0};
    struct buffer args = BUFFER_INIT;
    Assay__DeviceRegister message;
    assay__device_register__init(&message);
    struct transaction_draft draft = {.chain_id = load->tx.chain_id,
                                      .expiry_ms = load->tx.block_time_ms + LIMIT_TX_DEFAULT_LIFETIME_MS,
                                      .contract = "device",
                                      .method = "register"};
    random_fill(seed, sizeof seed);
    random_fill(draft.salt, sizeof draft.salt);
    ed25519_from_seed(seed, device, secret);
    message.key_type = AUTHOR_ED25519;
    message.key = names_binary(device, sizeof device);
    message.class_id = names_binary(load->class.class_id, UUID_LEN);
    message.hardware_revision = 1;
    message.mac_hmac = names_binary(mac, sizeof mac);
    message.gateway = names_binary(load->gateway, sizeof load->gateway);
    for (size_t i = 0; i < load->tx.key_count; i++) {
        secrets[i] = (const uint8_t(*)[ED25519_SECRET_LEN])(uintptr_t)load->tx.keys[i].secret;
    }
    enum err e = names_pack(&message.base, &args);
    draft.args = buffer_bytes(&args);
    if (e == OK) {
        e = transaction_build(&draft, secrets, load->tx.key_count, out);
    }
    buffer_free(&args);
    return e;
}

static void send_one(struct load *load, struct client *client, uint64_t index) {
    struct buffer envelope = BUFFER_INIT;
    json_t *answer = NULL;
    uint64_t *tally = &load->failed;
    enum err e = build(load, &envelope);
    uint64_t start_ns = clock_mono_ns();
    if (e == OK) {
        e = client_post_bytes(client, "/v1/txs?wait=finalized&timeout_ms=30000", "application/octet-stream",
                              buffer_bytes(&envelope), &answer);
    }
    load->latency_us[index] = (clock_mono_ns() - start_ns) / 1000;
    if (e == OK) {
        json_t *code = json_object_get(json_object_get(answer, "result"), "code");
        tally = json_integer_value(code) == 0 ? &load->good : &load->refused;
    }
    (void)__atomic_add_fetch(tally, 1, __ATOMIC_RELAXED);
    json_decref(answer);
    buffer_free(&envelope);
}

static void *work(void *ctx) {
    struct load *load = ctx;
    struct client *client = NULL;
    const struct client_config config = {
        .url = client_url(load->tx.client), .ca_file = load->options.ca_file, .timeout_ms = 40000};
    if (client_new(&config, &client) != OK) {
        return NULL;
    }
    for (;;) {
        uint64_t index = __atomic_fetch_add(&load->next, 1, __ATOMIC_RELAXED);
        if (index >= load->count) {
            break;
        }
        send_one(load, client, index);
    }
    client_free(client);
    return NULL;
}

/* Any gateway of the chain will do. */
static int find_gateway(struct load *load) {
    json_t *answer = NULL;
    size_t i;
    json_t *node;
    bool found = false;
    if (client_get_json(load->tx.client, "/v1/nodes?limit=100", &answer) != OK) {
        return args_fail("%s", client_why(load->tx.client));
    }
    json_array_foreach(json_object_get(answer, "nodes"), i, node) {
        const char *role = json_string_value(json_object_get(node, "role"));
        if (!found && role != NULL && strcmp(role, "gateway") == 0) {
            found = names_member_hex(node, "key", load->gateway, sizeof load->gateway);
        }
    }
    json_decref(answer);
    return found ? ARGS_GO_ON : args_fail("the chain has no gateway to register devices under; lay one out with one");
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static json_t *describe(struct load *load, double seconds, double cpu_seconds) {
    uint64_t n = load->count;
    qsort(load->latency_us, n, sizeof load->latency_us[0], by_value);
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "count", (json_int_t)n, "ok",
                     (json_int_t)load->good, "refused", (json_int_t)load->refused, "failed", (json_int_t)load->failed,
                     "seconds", seconds, "tx_per_s", (double)(load->good + load->refused) / seconds, "median_ms",
                     (double)load->latency_us[n / 2] / 1000.0, "p99_ms",
                     (double)load->latency_us[n * 99 / 100] / 1000.0, "client_cpu_s_per_tx", cpu_seconds / (double)n);
}

static int run_load(struct load *load, size_t workers) {
    pthread_t threads[WORKERS_MAX];
    size_t started = 0;
    load->latency_us = calloc(load->count, sizeof load->latency_us[0]);
    if (load->latency_us == NULL) {
        return args_fail("out of memory");
    }
    uint64_t start_ns = clock_mono_ns();
    clock_t cpu = clock();
    while (started < workers && pthread_create(&threads[started], NULL, work, load) == 0) {
        started++;
    }
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    double seconds = (double)(clock_mono_ns() - start_ns) / 1e9;
    int status = args_print_json(describe(load, seconds, (double)(clock() - cpu) / CLOCKS_PER_SEC));
    free(load->latency_us);
    return status == 0 && load->good == load->count ? 0 : 1;
}

static int bench_tx(int argc, char **argv) {
    struct load load = {.count = 1000};
    const char *class = NULL;
    uint64_t workers = 16;
    const struct args_option options[] = {
        TXCMD_OPTIONS(load.options),
        {"class", ARGS_TEXT, &class, "CLASS", "class of the devices; --key is an admin of its owner", 0, 0},
        {"count", ARGS_NUMBER, &load.count, "N", "transactions (default 1000)", 1, COUNT_MAX},
        {"workers", ARGS_NUMBER, &workers, "N", "under way at once (default 16)", 1, WORKERS_MAX},
        {0},
    };
    const struct args_spec spec = {"bench tx --class CLASS --key ADMIN [options]",
                                   "Registers random devices and prints rates and latencies.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (class == NULL) {
        return args_wrong("bench tx needs --class");
    }
    status = names_class(class, &load.class);
    if (status == ARGS_GO_ON) {
        status = txcmd_open(&load.options, &load.tx);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    status = find_gateway(&load);
    if (status == ARGS_GO_ON) {
        status = run_load(&load, (size_t)workers);
    }
    txcmd_close(&load.tx);
    return status;
}

int cmd_bench(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"tx", "transactions to finality", bench_tx}, {NULL, NULL, NULL}};
    return args_dispatch("bench", verbs, argc, argv);
}
