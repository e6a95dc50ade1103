/* Fills a stopped test network's first validator with update transactions, without a network: the same building,
 * execution, certificates, block log and checkpoints that a node has, one block after the other.
 *
 *   grow DIR RELEASE_ID TRANSACTIONS PER_BLOCK
 *
 * DIR is what `assay testnet` made, with at least one release published; its chain grows from where it stands, block
 * time moving on by PER_BLOCK milliseconds a block. Prints one JSON object.
 */
#include "base/clock.h"
#include "contracts/update/update.pb-c.h"
#include "node/cli/args.h"
#include "node/cli/names.h"
#include "node/home/home_chain.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"
#include "node/ledger/mempool.h"
#include "tests/lib/certificate_encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define CLASS "acme.example/thermostat"
#define WINDOW_MS 60000u

struct growing {
    struct daemon_home home;
    struct home_chain store;
    struct mempool *pool;
    struct keyfile validators[LIMIT_VALIDATORS];
    uint16_t validator_count;
    struct keyfile author;
    struct class_name class;
    uint8_t release_id[HASH_LEN];
    uint64_t view, time_ms;
};

static void check(enum err e, const char *what, const char *detail) {
    if (e != OK) {
        (void)fprintf(stderr, "%s: %s %s\n", what, err_text(e), detail);
        exit(1);
    }
}

static void load_key(const char *dir, const char *file, struct keyfile *out) {
    struct why why = WHY_NONE;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", dir, file);
    check(keyfile_load(path, KEYFILE_ED25519, bytes_of(NULL, 0), out, &why), path, why.text);
}

static void open_home(struct growing *g, const char *dir, const char *release) {
    struct why why = WHY_NONE;
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/validator0", dir);
    check(daemon_home_open(path, &g->home, &why), path, why.text);
    const struct mempool_config config = {.max_count = 4096, .max_bytes = 64u << 20, .max_per_sender = 4096};
    check(mempool_new(&config, &g->pool), "mempool", "");
    check(home_chain_open(&g->home, g->pool, &g->store, &why), path, why.text);
    g->validator_count = chain_epoch(g->store.chain)->count;
    for (uint16_t i = 0; i < g->validator_count; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "validator%u/node.key", (unsigned)i);
        load_key(dir, name, &g->validators[i]);
    }
    load_key(dir, "keys/author-acme-1.key", &g->author);
    if (names_class(CLASS, &g->class) != ARGS_GO_ON || hex_decode(release, g->release_id, HASH_LEN) != OK) {
        (void)fprintf(stderr, "%s: not a release id\n", release);
        exit(2);
    }
    g->view = chain_head(g->store.chain)->header.view;
    g->time_ms = chain_head(g->store.chain)->header.time_ms;
}

static void add_push(struct growing *g) {
    static struct buffer args = BUFFER_INIT, envelope = BUFFER_INIT;
    const uint8_t(*secrets[1])[ED25519_SECRET_LEN] = {
        (const uint8_t(*)[ED25519_SECRET_LEN])(uintptr_t)g->author.secret};
    Assay__UpdatePush message;
    assay__update_push__init(&message);
    message.release_id = names_binary(g->release_id, HASH_LEN);
    message.class_id = names_binary(g->class.class_id, UUID_LEN);
    message.time_sent_ms = g->time_ms;
    buffer_reset(&args);
    buffer_reset(&envelope);
    check(names_pack(&message.base, &args), "arguments", "");
    struct transaction_draft draft = {.chain_id = chain_id(g->store.chain),
                                      .expiry_ms = g->time_ms + 600000,
                                      .contract = "update",
                                      .method = "push",
                                      .args = buffer_bytes(&args)};
    random_fill(draft.salt, sizeof draft.salt);
    struct transaction tx;
    check(transaction_build(&draft, secrets, 1, &envelope), "transaction", "");
    check(transaction_decode(buffer_bytes(&envelope), &tx, NULL), "transaction", "");
    check(mempool_add(g->pool, &tx), "mempool", "");
}

/* A finalization with the signatures of a quorum. */
static void certify(struct growing *g, const uint8_t hash[HASH_LEN], struct buffer *out) {
    struct vote_subject subject = {
        .epoch = chain_epoch(g->store.chain)->number, .view = g->view, .kind = VOTE_FINALIZE};
    memcpy(subject.block, hash, HASH_LEN);
    uint8_t message[VOTE_SIGNED_LEN];
    vote_signed_bytes(chain_id(g->store.chain), &subject, message);
    uint8_t bitmap[(LIMIT_VALIDATORS + 7) / 8] = {0}, encoded[CERTIFICATE_MAX];
    uint8_t signatures[LIMIT_VALIDATORS][SIG_LEN];
    uint16_t quorum = validators_quorum(g->validator_count);
    for (uint16_t i = 0; i < quorum; i++) {
        bitmap[i / 8] |= (uint8_t)(1u << (i % 8));
        ed25519_sign(g->validators[i].secret, message, sizeof message, signatures[i]);
    }
    size_t len =
        certificate_encode(&subject, g->validator_count, bitmap, (const uint8_t(*)[SIG_LEN])signatures, encoded);
    buffer_reset(out);
    buffer_put(out, encoded, len);
    check(buffer_ok(out), "certificate", "");
}

static void checkpoint_if_due(struct growing *g) {
    struct kv_checkpoint *checkpoint;
    if (chain_checkpoint_due(g->store.chain)) {
        check(chain_checkpoint_begin(g->store.chain, &checkpoint), "checkpoint", chain_error(g->store.chain));
        enum err e = kv_checkpoint_write(checkpoint);
        check(chain_checkpoint_end(g->store.chain, checkpoint, e), "checkpoint", chain_error(g->store.chain));
        check(chain_sync(g->store.chain), "block log", chain_error(g->store.chain));
    }
}

static void make_block(struct growing *g, uint64_t step_ms) {
    static struct buffer certificate = BUFFER_INIT;
    struct chain *chain = g->store.chain;
    uint8_t hash[HASH_LEN];
    g->view++;
    g->time_ms += step_ms;
    uint16_t proposer = (uint16_t)(g->view % g->validator_count);
    check(chain_build(chain, chain_head(chain)->hash, g->view, proposer, g->time_ms, hash), "building",
          chain_error(chain));
    certify(g, hash, &certificate);
    check(chain_finalize(chain, hash, buffer_bytes(&certificate), NULL, NULL), "finality", chain_error(chain));
    checkpoint_if_due(g);
}

int main(int argc, char **argv) {
    static struct growing g;
    if (argc != 5 || crypto_start() != OK) {
        (void)fprintf(stderr, "usage: grow DIR RELEASE_ID TRANSACTIONS PER_BLOCK\n");
        return 2;
    }
    unsigned long long count = strtoull(argv[3], NULL, 10), per_block = strtoull(argv[4], NULL, 10);
    if (count == 0 || per_block == 0 || per_block > 2048) {
        (void)fprintf(stderr, "grow: 1 to 2048 transactions a block\n");
        return 2;
    }
    open_home(&g, argv[1], argv[2]);
    uint64_t start_ns = clock_mono_ns(), blocks = 0;
    for (unsigned long long done = 0; done < count; blocks++) {
        for (unsigned long long i = 0; i < per_block && done < count; i++, done++) {
            add_push(&g);
        }
        make_block(&g, per_block);
    }
    double seconds = (double)(clock_mono_ns() - start_ns) / 1e9;
    /* What still waits for its window's end would keep the first minutes of whoever goes on busy. */
    for (uint64_t end_ms = g.time_ms + 2 * WINDOW_MS; g.time_ms < end_ms; blocks++) {
        make_block(&g, chain_has_due(g.store.chain, g.time_ms + 1) ? 1 : 1000);
    }
    check(chain_sync(g.store.chain), "block log", "");
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("{\"transactions\": %llu, \"blocks\": %llu, \"height\": %llu, \"seconds\": %.1f, \"tx_per_s\": %.0f, "
                 "\"peak_rss_kb\": %ld, \"head_time_ms\": %llu}\n",
                 count, (unsigned long long)blocks, (unsigned long long)chain_head(g.store.chain)->header.height,
                 seconds, (double)count / seconds, usage.ru_maxrss,
                 (unsigned long long)chain_head(g.store.chain)->header.time_ms);
    home_chain_close(&g.store);
    mempool_free(g.pool);
    daemon_home_close(&g.home);
    return 0;
}
