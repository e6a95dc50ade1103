#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/chain_fixture.h"

#include <sys/stat.h>
#include <time.h>

/* ---- Helpers ---------------------------------------------------------------------------------------------------- */

/* Adds a block as a peer would send it and executes it. */
static enum chain_status judged(struct chain_fixture *f, const struct buffer *body, uint8_t out_hash[HASH_LEN]) {
    enum chain_status status = CHAIN_UNKNOWN;
    assert_int_equal(chain_add(f->chain, buffer_bytes(body), NULL, out_hash), OK);
    assert_int_equal(chain_status(f->chain, out_hash), CHAIN_HELD);
    assert_int_equal(chain_execute(f->chain, out_hash, &status), OK);
    assert_int_equal(chain_status(f->chain, out_hash), status);
    return status;
}

/* The block must be refused, and for this very reason. */
static void refused_for(struct chain_fixture *f, const struct buffer *body, const char *reason) {
    uint8_t hash[HASH_LEN];
    assert_int_equal(judged(f, body, hash), CHAIN_INVALID);
    if (strstr(chain_error(f->chain), reason) == NULL) {
        fail_msg("refused for \"%s\", not for \"%s\"", chain_error(f->chain), reason);
    }
    assert_int_equal(fixture_finalize(f, hash), ERR_INVALID);
}

static void crafted_is_refused(struct chain_fixture *f, const struct bytes *envelopes, size_t count,
                               void (*spoil)(struct block_header *h), const char *reason) {
    struct buffer body = BUFFER_INIT;
    fixture_craft(f, envelopes, count, spoil, &body);
    refused_for(f, &body, reason);
    buffer_free(&body);
}

/* An envelope that registers a device, with this much lifetime left. */
static struct bytes device_tx(struct chain_fixture *f, uint64_t lifetime_ms, struct buffer *b) {
    buffer_reset(b);
    fixture_register(f, f->time_ms + lifetime_ms, b);
    return buffer_bytes(b);
}

static bool has_tx(struct chain_fixture *f, struct bytes envelope) {
    struct transaction tx;
    struct chain_view view;
    struct bytes value;
    assert_int_equal(transaction_decode(envelope, &tx, NULL), OK);
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    enum err e = kv_get(view.kv, KV_TXS, bytes_of(tx.id, HASH_LEN), &value);
    chain_view_close(&view);
    return e == OK;
}

static enum verdict proof_at(struct chain_fixture *f, uint64_t height, struct bytes user_key,
                             struct fixture_proof *out) {
    struct chain_view view;
    struct buffer bundle = BUFFER_INIT;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    assert_int_equal(chain_view_prove(&view, bytes_str("device"), user_key, height, 0, &bundle), OK);
    enum verdict v = fixture_judge(f, buffer_bytes(&bundle), out);
    chain_view_close(&view);
    buffer_free(&bundle);
    return v;
}

/* ---- What makes a block good ------------------------------------------------------------------------------------ */

static void a_block_is_built_executed_and_final(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t hash[HASH_LEN];
    struct buffer b = BUFFER_INIT;
    fixture_open(&f);
    struct bytes envelope = device_tx(&f, 60000, &b);
    fixture_pool(&f, envelope, NULL);
    uint8_t genesis[HASH_LEN];
    memcpy(genesis, chain_head(f.chain)->hash, HASH_LEN);
    fixture_build(&f, genesis, hash);
    assert_int_equal(chain_status(f.chain, hash), CHAIN_VALID);
    assert_int_equal(chain_head(f.chain)->header.height, 0);
    assert_false(has_tx(&f, envelope));
    assert_int_equal(fixture_finalize(&f, hash), OK);
    assert_int_equal(chain_status(f.chain, hash), CHAIN_FINAL);
    assert_int_equal(chain_head(f.chain)->header.height, 1);
    assert_memory_equal(chain_head(f.chain)->header.parent, genesis, HASH_LEN);
    assert_true(has_tx(&f, envelope));
    assert_int_equal(mempool_count(f.pool), 0);
    assert_int_equal(chain_synced_height(f.chain), 0);
    assert_int_equal(chain_sync(f.chain), OK);
    assert_int_equal(chain_synced_height(f.chain), 1);
    buffer_free(&b);
    fixture_close(&f);
}

static void a_crafted_block_without_a_fault_is_valid(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t hash[HASH_LEN];
    struct buffer a = BUFFER_INIT, body = BUFFER_INIT;
    fixture_open(&f);
    const struct bytes envelopes[] = {device_tx(&f, 60000, &a)};
    fixture_craft(&f, envelopes, 1, NULL, &body);
    assert_int_equal(judged(&f, &body, hash), CHAIN_VALID);
    assert_int_equal(chain_add(f.chain, buffer_bytes(&body), NULL, hash), ERR_DUPLICATE);
    assert_int_equal(fixture_finalize(&f, hash), OK);
    assert_int_equal(chain_add(f.chain, buffer_bytes(&body), NULL, hash), ERR_DUPLICATE);
    buffer_free(&a);
    buffer_free(&body);
    fixture_close(&f);
}

/* ---- Transactions' rules ----------------------------------------------------------------------------------------- */

static void a_used_id_is_refused(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT;
    fixture_open(&f);
    const struct bytes envelopes[] = {device_tx(&f, 60000, &b)};
    fixture_pool(&f, envelopes[0], NULL);
    fixture_block(&f, 0);
    assert_true(has_tx(&f, envelopes[0]));
    crafted_is_refused(&f, envelopes, 1, NULL, "was executed before");
    buffer_free(&b);
    fixture_close(&f);
}

static void an_id_used_by_a_candidate_below_is_refused(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT, body = BUFFER_INIT;
    uint8_t parent[HASH_LEN], child[HASH_LEN], hash[HASH_LEN];
    struct block_header h;
    fixture_open(&f);
    struct bytes envelope = device_tx(&f, 60000, &b);
    fixture_pool(&f, envelope, NULL);
    fixture_build(&f, chain_head(f.chain)->hash, parent);
    fixture_build(&f, parent, child); /* the mempool still offers it; it must not be taken again */
    assert_int_equal(load_u32(chain_body(f.chain, parent).data + BLOCK_HEADER_LEN), 1);
    assert_int_equal(load_u32(chain_body(f.chain, child).data + BLOCK_HEADER_LEN), 0);
    struct bytes first = chain_body(f.chain, parent);
    buffer_put(&body, first.data, first.len);
    assert_int_equal(block_peek(first, &h, hash), OK);
    memcpy(h.parent, parent, HASH_LEN);
    h.height = 2;
    h.view = f.view++;
    h.time_ms = f.time_ms;
    block_header_encode(&h, body.data);
    refused_for(&f, &body, "was executed before");
    buffer_free(&b);
    buffer_free(&body);
    fixture_close(&f);
}

static void a_transaction_twice_in_a_block_is_refused(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer a = BUFFER_INIT, b = BUFFER_INIT;
    fixture_open(&f);
    struct bytes first = device_tx(&f, 60000, &a);
    struct bytes second = device_tx(&f, 60000, &b);
    const struct bytes envelopes[] = {first, second, first};
    crafted_is_refused(&f, envelopes, 3, NULL, "holds a transaction twice");
    buffer_free(&a);
    buffer_free(&b);
    fixture_close(&f);
}

static void expiry_is_held_to_block_time(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT, body = BUFFER_INIT;
    uint8_t hash[HASH_LEN];
    fixture_open(&f);
    uint64_t longest = f.world.genesis.params.tx_max_lifetime_ms;
    struct bytes envelope = device_tx(&f, 0, &b);
    crafted_is_refused(&f, &envelope, 1, NULL, "has expired");
    envelope = device_tx(&f, longest + 1, &b);
    crafted_is_refused(&f, &envelope, 1, NULL, "expires too far ahead");
    envelope = device_tx(&f, longest, &b);
    fixture_craft(&f, &envelope, 1, NULL, &body);
    assert_int_equal(judged(&f, &body, hash), CHAIN_VALID);
    envelope = device_tx(&f, 1, &b);
    fixture_craft(&f, &envelope, 1, NULL, &body);
    assert_int_equal(judged(&f, &body, hash), CHAIN_VALID);
    buffer_free(&b);
    buffer_free(&body);
    fixture_close(&f);
}

static void a_transaction_of_another_chain_is_refused(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT;
    fixture_open(&f);
    uint8_t own[CHAIN_ID_LEN];
    memcpy(own, f.world.chain_id, sizeof own);
    f.world.chain_id[0] ^= 1;
    struct bytes envelope = device_tx(&f, 60000, &b);
    memcpy(f.world.chain_id, own, sizeof own);
    crafted_is_refused(&f, &envelope, 1, NULL, "is for another chain");
    buffer_free(&b);
    fixture_close(&f);
}

static void a_bad_signature_is_refused_even_under_an_id_the_mempool_knows(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT;
    fixture_open(&f);
    struct bytes envelope = device_tx(&f, 60000, &b);
    fixture_pool(&f, envelope, NULL);
    b.data[b.len - 1] ^= 1;
    crafted_is_refused(&f, &envelope, 1, NULL, "has a bad signature");
    buffer_free(&b);
    fixture_close(&f);
}

static void blocks_over_the_chains_limits_are_refused(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer buffers[4] = {BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT};
    struct bytes envelopes[4];
    fixture_setup(&f);
    f.world.genesis.params.max_block_txs = 3;
    assert_int_equal(fixture_try_open(&f), OK);
    for (size_t i = 0; i < 4; i++) {
        envelopes[i] = device_tx(&f, 60000, &buffers[i]);
    }
    crafted_is_refused(&f, envelopes, 4, NULL, "over the chain's limits");
    for (size_t i = 0; i < 4; i++) {
        buffer_free(&buffers[i]);
    }
    fixture_close(&f);
}

static void blocks_over_the_chains_bytes_are_refused_and_not_built(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer buffers[4] = {BUFFER_INIT, BUFFER_INIT, BUFFER_INIT, BUFFER_INIT};
    struct bytes envelopes[4];
    fixture_setup(&f);
    f.world.genesis.params.max_block_bytes = 1000;
    assert_int_equal(fixture_try_open(&f), OK);
    for (size_t i = 0; i < 4; i++) {
        envelopes[i] = device_tx(&f, 60000, &buffers[i]);
    }
    crafted_is_refused(&f, envelopes, 4, NULL, "over the chain's limits");
    for (size_t i = 0; i < 4; i++) { /* a builder keeps to the same limits */
        fixture_pool(&f, envelopes[i], NULL);
    }
    uint8_t hash[HASH_LEN];
    fixture_build(&f, chain_head(f.chain)->hash, hash);
    assert_true(chain_body(f.chain, hash).len <= 1000);
    assert_true(load_u32(chain_body(f.chain, hash).data + BLOCK_HEADER_LEN) > 0);
    for (size_t i = 0; i < 4; i++) {
        buffer_free(&buffers[i]);
    }
    fixture_close(&f);
}

static void a_protocol_version_of_the_future_stops_the_node(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t hash[HASH_LEN];
    fixture_setup(&f);
    f.world.genesis.params.protocol_version = CHAIN_PROTOCOL_VERSION + 1;
    assert_int_equal(fixture_try_open(&f), OK);
    assert_int_equal(chain_build(f.chain, chain_head(f.chain)->hash, 1, 1, f.time_ms, hash), ERR_UNSUPPORTED);
    assert_non_null(strstr(chain_error(f.chain), "install a newer assayd"));
    fixture_close(&f);
}

/* ---- Headers' rules ----------------------------------------------------------------------------------------------- */

static void spoil_state_root(struct block_header *h) {
    h->state_root[31] ^= 1;
}
static void spoil_receipts_root(struct block_header *h) {
    h->receipts_root[0] ^= 1;
}
static void spoil_time(struct block_header *h) {
    h->time_ms = WORLD_START_MS + 1000; /* that of block 1 */
}
static void spoil_height(struct block_header *h) {
    h->height++;
}
static void spoil_epoch(struct block_header *h) {
    h->epoch = 1;
}
static void spoil_view(struct block_header *h) {
    h->view = 1; /* that of block 1 */
}
static void spoil_proposer(struct block_header *h) {
    h->proposer = FIXTURE_VALIDATORS;
}
static void spoil_validators(struct block_header *h) {
    h->validators_hash[0] ^= 1;
}
static void spoil_next_validators(struct block_header *h) {
    h->next_validators_hash[0] ^= 1;
}

static void a_header_that_lies_is_refused(void **state) {
    (void)state;
    static const struct {
        void (*spoil)(struct block_header *h);
        const char *reason;
    } cases[] = {{spoil_state_root, "its state root is not the one"},
                 {spoil_receipts_root, "its receipts root is not the one"},
                 {spoil_time, "its time is not above"},
                 {spoil_height, "its height is not"},
                 {spoil_epoch, "another epoch"},
                 {spoil_view, "its view is not above"},
                 {spoil_proposer, "its proposer is no validator"},
                 {spoil_validators, "another validator set"},
                 {spoil_next_validators, "its next validator set is not the one"}};
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT;
    fixture_open(&f);
    fixture_block(&f, 1);
    struct bytes envelope = device_tx(&f, 60000, &b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        crafted_is_refused(&f, &envelope, 1, cases[i].spoil, cases[i].reason);
    }
    buffer_free(&b);
    fixture_close(&f);
}

static void a_wrong_root_names_the_one_that_came_out_here(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer body = BUFFER_INIT;
    struct block_header h;
    uint8_t hash[HASH_LEN];
    char hex[2 * HASH_LEN + 1];
    fixture_open(&f);
    fixture_craft(&f, NULL, 0, NULL, &body);
    assert_int_equal(block_peek(buffer_bytes(&body), &h, hash), OK);
    hex_encode(h.state_root, HASH_LEN, hex);
    spoil_state_root(&h);
    block_header_encode(&h, body.data);
    refused_for(&f, &body, hex);
    buffer_free(&body);
    fixture_close(&f);
}

static void what_is_no_block_of_this_chain_is_not_taken(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer body = BUFFER_INIT;
    uint8_t hash[HASH_LEN];
    fixture_open(&f);
    fixture_block(&f, 1);
    fixture_craft(&f, NULL, 0, NULL, &body);
    assert_int_equal(chain_add(f.chain, bytes_of(body.data, BLOCK_HEADER_LEN - 1), NULL, hash), ERR_MALFORMED);
    assert_int_equal(chain_add(f.chain, bytes_of(body.data, body.len - 1), NULL, hash), ERR_MALFORMED);
    body.data[1] ^= 1; /* chain id */
    assert_int_equal(chain_add(f.chain, buffer_bytes(&body), NULL, hash), ERR_INVALID);
    body.data[1] ^= 1;
    store_u64(body.data + 33, 1); /* height of what is final already */
    assert_int_equal(chain_add(f.chain, buffer_bytes(&body), NULL, hash), ERR_INVALID);
    store_u64(body.data + 33, 2 + LIMIT_UNFINAL_DEPTH);
    assert_int_equal(chain_add(f.chain, buffer_bytes(&body), NULL, hash), ERR_FULL);
    store_u64(body.data + 33, UINT64_MAX);
    assert_int_equal(chain_add(f.chain, buffer_bytes(&body), NULL, hash), ERR_FULL);
    store_u64(body.data + 33, 2);
    body.data[99] ^= 1; /* transactions root */
    assert_int_equal(chain_add(f.chain, buffer_bytes(&body), NULL, hash), ERR_MISMATCH);
    buffer_free(&body);
    fixture_close(&f);
}

/* ---- Forks and finality -------------------------------------------------------------------------------------------- */

static void a_child_waits_for_its_parent_and_falls_with_it(void **state) {
    (void)state;
    struct chain_fixture f, other;
    uint8_t parent[HASH_LEN], child[HASH_LEN], hash[HASH_LEN];
    enum chain_status status;
    fixture_open(&f);
    fixture_open(&other);
    fixture_build(&other, chain_head(other.chain)->hash, parent);
    fixture_build(&other, parent, child);
    assert_int_equal(chain_add(f.chain, chain_body(other.chain, child), NULL, hash), OK);
    assert_int_equal(chain_execute(f.chain, child, &status), OK);
    assert_int_equal(status, CHAIN_HELD);
    assert_int_equal(fixture_finalize(&f, child), ERR_INVALID);
    assert_int_equal(chain_add(f.chain, chain_body(other.chain, parent), NULL, hash), OK);
    assert_int_equal(chain_execute(f.chain, parent, &status), OK);
    assert_int_equal(status, CHAIN_VALID);
    assert_int_equal(chain_execute(f.chain, child, &status), OK);
    assert_int_equal(status, CHAIN_VALID);

    struct buffer bad = BUFFER_INIT, heir = BUFFER_INIT;
    struct block_header h;
    uint8_t bad_hash[HASH_LEN];
    fixture_craft(&f, NULL, 0, spoil_state_root, &bad);
    assert_int_equal(judged(&f, &bad, bad_hash), CHAIN_INVALID);
    fixture_craft(&f, NULL, 0, NULL, &heir);
    assert_int_equal(block_peek(buffer_bytes(&heir), &h, hash), OK);
    memcpy(h.parent, bad_hash, HASH_LEN);
    h.height = 2;
    block_header_encode(&h, heir.data);
    refused_for(&f, &heir, "its parent is invalid");
    buffer_free(&bad);
    buffer_free(&heir);
    fixture_close(&f);
    fixture_close(&other);
}

static void of_two_children_one_is_final_and_the_other_goes(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t left[HASH_LEN], right[HASH_LEN], heir[HASH_LEN];
    fixture_open(&f);
    fixture_pool_devices(&f, 1);
    uint8_t genesis[HASH_LEN];
    memcpy(genesis, chain_head(f.chain)->hash, HASH_LEN);
    fixture_build(&f, genesis, left);
    fixture_pool_devices(&f, 1);
    fixture_build(&f, genesis, right);
    fixture_build(&f, left, heir);
    assert_memory_not_equal(left, right, HASH_LEN);
    assert_int_equal(fixture_finalize(&f, right), OK);
    assert_memory_equal(chain_head(f.chain)->hash, right, HASH_LEN);
    assert_int_equal(chain_status(f.chain, left), CHAIN_UNKNOWN);
    assert_int_equal(chain_status(f.chain, heir), CHAIN_UNKNOWN);
    assert_int_equal(fixture_finalize(&f, left), ERR_NOTFOUND);
    assert_int_equal(f.chain->candidate_bytes, 0);
    fixture_build(&f, right, heir);
    chain_candidate(f.chain, heir)->block.header.parent[0] ^= 1; /* a candidate that hangs in the air */
    assert_int_equal(fixture_finalize(&f, heir), ERR_NOTFOUND);
    chain_candidate(f.chain, heir)->block.header.parent[0] ^= 1;
    assert_int_equal(fixture_finalize(&f, heir), OK);
    assert_int_equal(chain_head(f.chain)->header.height, 2);
    fixture_close(&f);
}

struct seen {
    struct chain_fixture *f;
    uint64_t heights[8];
    size_t count;
};

static void note_final(void *arg, const struct block *block) {
    struct seen *seen = arg;
    struct chain_view view;
    struct chain_block_info info;
    seen->heights[seen->count++] = block->header.height;
    assert_int_equal(chain_view_open(seen->f->chain, &view), OK);
    assert_int_equal(chain_view_block(&view, block->header.height, &info), OK);
    assert_memory_equal(info.hash, block->hash, HASH_LEN);
    assert_int_equal(chain_view_block(&view, view.head.header.height, &info), OK);
    assert_true(info.has_finalization); /* no reader meets a head that nothing certifies */
    chain_view_close(&view);
}

static void ancestors_become_final_with_a_descendant(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t hash[3][HASH_LEN];
    struct buffer certificate = BUFFER_INIT, body = BUFFER_INIT, finalization = BUFFER_INIT;
    static struct fixture_proof proof;
    fixture_open(&f);
    fixture_pool_devices(&f, 1);
    fixture_build(&f, chain_head(f.chain)->hash, hash[0]);
    fixture_pool_devices(&f, 1);
    fixture_build(&f, hash[0], hash[1]);
    fixture_build(&f, hash[1], hash[2]);
    struct seen seen = {.f = &f};
    fixture_certify(&f, hash[2], chain_header(f.chain, hash[2])->view, VOTE_FINALIZE, 3, &certificate);
    assert_int_equal(chain_finalize(f.chain, hash[2], bytes_of(NULL, 0), NULL, NULL), ERR_INVALID);
    assert_int_equal(chain_finalize(f.chain, hash[2], buffer_bytes(&certificate), note_final, &seen), OK);
    assert_int_equal(seen.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(seen.heights[i], i + 1);
    }
    assert_int_equal(chain_read(f.chain, 1, &body, &finalization), OK);
    assert_int_equal(finalization.len, 0);
    assert_int_equal(chain_read(f.chain, 3, NULL, &finalization), OK);
    assert_int_equal(finalization.len, certificate.len);
    assert_int_equal(chain_read(f.chain, 4, &body, NULL), ERR_NOTFOUND);
    assert_int_equal(chain_read(f.chain, 0, &body, NULL), ERR_NOTFOUND);
    for (uint64_t height = 1; height <= 3; height++) { /* linked through headers to the one certificate */
        assert_int_equal(proof_at(&f, height, bytes_str("nobody"), &proof), GOOD);
        assert_int_equal(proof.result.header.height, height);
        assert_false(proof.result.present);
    }
    buffer_free(&certificate);
    buffer_free(&body);
    buffer_free(&finalization);
    fixture_close(&f);
}

/* ---- Bounds ---------------------------------------------------------------------------------------------------------- */

static void depth_above_the_head_is_bounded(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t at[HASH_LEN], next[HASH_LEN];
    fixture_open(&f);
    memcpy(at, chain_head(f.chain)->hash, HASH_LEN);
    for (size_t i = 0; i < LIMIT_UNFINAL_DEPTH; i++) {
        fixture_build(&f, at, next);
        memcpy(at, next, HASH_LEN);
    }
    assert_int_equal(chain_build(f.chain, at, f.view, 0, f.time_ms, next), ERR_FULL);
    assert_int_equal(fixture_finalize(&f, at), OK);
    assert_int_equal(chain_head(f.chain)->header.height, LIMIT_UNFINAL_DEPTH);
    fixture_close(&f);
}

/* ---- Opening again --------------------------------------------------------------------------------------------------- */

static void a_crash_loses_nothing_that_was_logged(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_head head;
    struct kv_checkpoint *checkpoint;
    static struct fixture_proof proof;
    fixture_open(&f);
    fixture_block(&f, 2);
    assert_int_equal(chain_checkpoint_begin(f.chain, &checkpoint), OK);
    assert_int_equal(chain_checkpoint_end(f.chain, checkpoint, kv_checkpoint_write(checkpoint)), OK);
    for (int i = 0; i < 5; i++) {
        fixture_block(&f, 2); /* only in the log and in memory */
    }
    assert_int_equal(chain_sync(f.chain), OK);
    head = *chain_head(f.chain);
    assert_int_equal(fixture_reopen(&f), OK);
    assert_int_equal(chain_head(f.chain)->header.height, 6);
    assert_memory_equal(chain_head(f.chain)->hash, head.hash, HASH_LEN);
    assert_memory_equal(f.chain->root.hash, head.header.state_root, HASH_LEN);
    assert_int_equal(chain_synced_height(f.chain), 6);
    fixture_block(&f, 1);
    assert_int_equal(proof_at(&f, 0, bytes_str("nobody"), &proof), GOOD);
    assert_int_equal(fixture_reopen(&f), OK);
    fixture_close(&f);
}

static bool log_synced;
static unsigned commits;
static enum err (*commit_for_real)(void *ctx, const struct kv_layer *merged);

static enum err noted_sync(struct disk_file *file) {
    log_synced = true;
    return disk_posix().ops->sync(file);
}

static enum err checked_commit(void *ctx, const struct kv_layer *merged) {
    assert_true(log_synced);
    commits++;
    return commit_for_real(ctx, merged);
}

/* What a killed process wrote to the log is read again and may be in memory only: a power cut after a checkpoint of it
 * would leave a store that knows more than its log, and a node that never starts again. */
static void a_checkpoint_while_opening_never_knows_more_than_the_log(void **state) {
    (void)state;
    struct chain_fixture f;
    fixture_open(&f);
    for (int i = 0; i < 8; i++) {
        fixture_block(&f, 3);
    }
    chain_close(f.chain);
    struct disk_ops noting = *disk_posix().ops;
    noting.sync = noted_sync;
    commit_for_real = f.kept_ops.commit;
    f.kept_ops.commit = checked_commit;
    const struct chain_config config = {.disk = {&noting, disk_posix().ctx},
                                        .dir = f.dir,
                                        .backend = {&f.kept_ops, f.memory.ctx},
                                        .genesis = &f.world.genesis,
                                        .crypto = &host_crypto,
                                        .segment_bytes = 64 * 1024,
                                        .version_keep_ms = f.version_keep_ms,
                                        .checkpoint_bytes = 1};
    assert_int_equal(chain_open(&config, &f.chain), OK);
    assert_int_equal(chain_head(f.chain)->header.height, 8);
    assert_int_equal(commits, 8);
    fixture_close(&f);
}

static void a_log_behind_the_checkpoint_is_corrupt(void **state) {
    (void)state;
    struct chain_fixture f;
    struct kv_checkpoint *checkpoint;
    char blocks[80];
    fixture_open(&f);
    fixture_block(&f, 1);
    fixture_block(&f, 1);
    assert_int_equal(chain_checkpoint_begin(f.chain, &checkpoint), OK);
    assert_int_equal(chain_checkpoint_end(f.chain, checkpoint, kv_checkpoint_write(checkpoint)), OK);
    chain_close(f.chain);
    (void)snprintf(blocks, sizeof blocks, "%s/blocks", f.dir);
    fixture_wipe_folder(blocks);
    assert_int_equal(fixture_try_open(&f), ERR_CORRUPT);
    assert_non_null(strstr(chain_error(f.chain), "before the checkpoint at 2"));
    assert_non_null(strstr(chain_error(f.chain), "move data/blocks and data/state away"));
    fixture_close(&f);
}

/* A log whose block does not follow from the checkpoint: here, that of another history of the same genesis. */
static void a_log_of_another_history_is_corrupt(void **state) {
    (void)state;
    struct chain_fixture f, other;
    struct kv_checkpoint *checkpoint;
    char from[80], to[80];
    fixture_open(&f);
    fixture_open(&other);
    fixture_block(&f, 1);
    assert_int_equal(chain_checkpoint_begin(f.chain, &checkpoint), OK);
    assert_int_equal(chain_checkpoint_end(f.chain, checkpoint, kv_checkpoint_write(checkpoint)), OK);
    fixture_block(&other, 2);
    fixture_block(&other, 2);
    assert_int_equal(chain_sync(other.chain), OK);
    chain_close(f.chain);
    chain_close(other.chain);
    f.chain = other.chain = NULL;
    (void)snprintf(from, sizeof from, "%s/blocks", other.dir);
    (void)snprintf(to, sizeof to, "%s/blocks", f.dir);
    fixture_wipe_folder(to);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(fixture_try_open(&f), ERR_CORRUPT);
    assert_non_null(strstr(chain_error(f.chain), "does not follow"));
    fixture_close(&f);
    fixture_close(&other);
}

static void another_genesis_is_a_mismatch(void **state) {
    (void)state;
    struct chain_fixture f;
    fixture_open(&f);
    fixture_block(&f, 1);
    f.world.genesis.salt[0] ^= 1; /* another chain id */
    assert_int_equal(fixture_reopen(&f), ERR_MISMATCH);
    assert_non_null(strstr(chain_error(f.chain), "another chain"));
    f.world.genesis.salt[0] ^= 1;
    f.world.genesis.orgs[2].name[0] ^= 1; /* same chain id, another first state */
    assert_int_equal(fixture_reopen(&f), ERR_MISMATCH);
    assert_non_null(strstr(chain_error(f.chain), "was changed"));
    f.world.genesis.orgs[2].name[0] ^= 1;
    assert_int_equal(fixture_reopen(&f), OK);
    fixture_close(&f);
}

/* ---- Due-queue and pruning --------------------------------------------------------------------------------------------- */

/* Pushes to one device with that window, in a block of its own. */
static void push_update(struct chain_fixture *f, const uint8_t release[HASH_LEN], uint64_t window_ms) {
    struct buffer b = BUFFER_INIT;
    uint8_t update[HASH_LEN];
    Assay__UpdatePush args;
    assay__update_push__init(&args);
    ProtobufCBinaryData device = world_bytes(f->world.public_key[DEVICE_1], KEY_LEN);
    args.release_id = world_bytes(release, HASH_LEN);
    args.n_devices = 1;
    args.devices = &device;
    args.window_ms = window_ms;
    uint64_t head_ms = chain_head(f->chain)->header.time_ms;
    fixture_envelope(f, "update", "push", &args.base, head_ms + 60000, PEOPLE_OF(AUTHOR_1), &b);
    fixture_pool(f, buffer_bytes(&b), update);
    fixture_block(f, 0);
    buffer_free(&b);
}

static void publish_release(struct chain_fixture *f, uint8_t out_id[HASH_LEN]) {
    static struct draft d;
    struct buffer b = BUFFER_INIT;
    uint8_t id[HASH_LEN];
    draft_init(&f->world, &d, 2);
    draft_sign(&f->world, &d, PEOPLE_OF(AUTHOR_1));
    fixture_envelope(f, "firmware", "register", &d.args.base, f->time_ms + 60000, PEOPLE_OF(AUTHOR_1), &b);
    fixture_pool(f, buffer_bytes(&b), id);
    fixture_block(f, 0);
    struct chain_view view;
    struct bytes value, encoded;
    struct receipt receipt;
    uint64_t height;
    uint32_t index;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    assert_int_equal(kv_get(view.kv, KV_TXS, bytes_of(id, HASH_LEN), &value), OK);
    assert_int_equal(tx_entry_decode(value, &height, &index, &encoded), OK);
    assert_int_equal(receipt_decode(encoded, &receipt), OK);
    assert_int_equal(receipt.code, CODE_OK);
    Assay__ReleaseResult *r = assay__release_result__unpack(NULL, receipt.result.len, receipt.result.data);
    memcpy(out_id, r->release_id.data, HASH_LEN);
    assay__release_result__free_unpacked(r, NULL);
    chain_view_close(&view);
    buffer_free(&b);
}

/* Clocks went ahead, took a block there, and came back: what fell due before that block must not wait until real time
 * is there again, and what falls due after it must. */
static void what_fell_due_before_a_head_that_is_ahead_is_worked_off_all_the_same(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t release[HASH_LEN];
    fixture_open(&f);
    publish_release(&f, release);
    uint64_t pushed_ms = f.time_ms;
    push_update(&f, release, 30000);
    f.time_ms = pushed_ms + 29999;
    fixture_block(&f, 0);
    assert_true(chain_has_due(f.chain, pushed_ms)); /* a block now has the head's time and one millisecond */
    f.time_ms = pushed_ms;
    fixture_block(&f, 0);
    assert_int_equal(chain_head(f.chain)->header.time_ms, pushed_ms + 30000);
    assert_false(chain_has_due(f.chain, UINT64_MAX));
    push_update(&f, release, 60000);
    uint64_t due_ms = chain_head(f.chain)->header.time_ms + 60000;
    for (size_t i = 0; i < 10; i++) {
        assert_false(chain_has_due(f.chain, pushed_ms));
        fixture_block(&f, 0);
    }
    assert_false(chain_has_due(f.chain, due_ms - 1));
    assert_true(chain_has_due(f.chain, due_ms));
    f.time_ms = due_ms;
    fixture_block(&f, 0);
    assert_false(chain_has_due(f.chain, UINT64_MAX));
    fixture_close(&f);
}

#define FLEET 64
#define FLEET_PUSHES 250u /* windows in all: FLEET times as many */

/* Registers devices and pushes the release to all of them, again and again. */
static void push_to_fleet(struct chain_fixture *f, const uint8_t release[HASH_LEN]) {
    static uint8_t ids[FLEET][ED25519_KEY_LEN];
    ProtobufCBinaryData devices[FLEET];
    struct buffer b = BUFFER_INIT;
    for (size_t i = 0; i < FLEET; i++) {
        uint8_t seed[ED25519_SEED_LEN] = {0xd0}, secret[ED25519_SECRET_LEN]; /* as fixture_register does */
        store_u64(seed + 8, f->tx_number + 1);
        ed25519_from_seed(seed, ids[i], secret);
        devices[i] = world_bytes(ids[i], sizeof ids[i]);
        fixture_pool_devices(f, 1);
    }
    fixture_block(f, 0);
    for (size_t i = 0; i < FLEET_PUSHES; i++) {
        Assay__UpdatePush args;
        assay__update_push__init(&args);
        args.release_id = world_bytes(release, HASH_LEN);
        args.n_devices = FLEET;
        args.devices = devices;
        args.window_ms = 30000;
        buffer_reset(&b);
        fixture_envelope(f, "update", "push", &args.base, f->time_ms + 60000, PEOPLE_OF(AUTHOR_1), &b);
        fixture_pool(f, buffer_bytes(&b), NULL);
    }
    fixture_block(f, 0);
    buffer_free(&b);
}

/* Processor time of some blocks with nothing in them. */
static double idle_blocks(struct chain_fixture *f) {
    clock_t before = clock();
    for (int i = 0; i < 20; i++) {
        fixture_block_alone(f, 0);
    }
    return (double)(clock() - before) / CLOCKS_PER_SEC;
}

/* What was worked off is not stepped over again in every block after it. */
static void thousands_of_windows_end_within_few_blocks_and_cost_later_ones_nothing(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t release[HASH_LEN];
    unsigned blocks = 0;
    fixture_open(&f);
    publish_release(&f, release);
    double idle_s = idle_blocks(&f);
    push_to_fleet(&f, release);
    f.time_ms += 30000;
    for (; chain_has_due(f.chain, f.time_ms); blocks++) {
        fixture_block(&f, 0);
    }
    assert_int_equal(blocks, (FLEET * FLEET_PUSHES + DUE_PER_BLOCK - 1) / DUE_PER_BLOCK);
    double after_s = idle_blocks(&f);
    if (after_s > 8 * idle_s + 0.02) {
        fail_msg("%.3f s where it was %.3f s", after_s, idle_s);
    }
    fixture_close(&f);
}

static void is_said(const struct chain_fixture *f, const char *what) {
    struct why why = WHY_NONE;
    assert_false(chain_check(f->chain, true, &why));
    if (strstr(why.text, what) == NULL) {
        fail_msg("said \"%s\" and not \"%s\"", why.text, what);
    }
}

static void what_is_not_sound_is_said(void **state) {
    (void)state;
    struct chain_fixture f;
    uint8_t hash[HASH_LEN];
    fixture_open(&f);
    fixture_block(&f, 2);
    fixture_pool_devices(&f, 1);
    fixture_build(&f, chain_head(f.chain)->hash, hash);
    struct candidate *c = chain_candidate(f.chain, hash);
    f.chain->candidate_bytes++;
    is_said(&f, "are counted");
    f.chain->candidate_bytes--;
    f.chain->epoch.number++;
    is_said(&f, "epoch 1, from block 0 on, does not follow head 1");
    f.chain->epoch.number--;
    f.chain->params.max_block_txs++;
    is_said(&f, "the parameters kept at hand are not those of the head's state");
    f.chain->params.max_block_txs--;
    uint64_t synced = f.chain->synced_height;
    f.chain->synced_height = 2;
    is_said(&f, "the block log ends at 1, is durable to 2");
    f.chain->synced_height = synced;
    c->status = CHAIN_HELD;
    is_said(&f, "candidate 2 has results");
    c->status = CHAIN_VALID;
    f.chain->provable_from++;
    is_said(&f, "proves from 0, the chain with");
    f.chain->provable_from--;
    mempool_remove(f.pool, c->block.txs[0].id);
    assert_int_equal(fixture_finalize(&f, hash), OK);
    fixture_sound(&f);
    fixture_close(&f);
}

static void a_window_that_nobody_answers_falls_due_by_itself(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT;
    uint8_t release[HASH_LEN], update[HASH_LEN];
    fixture_open(&f);
    publish_release(&f, release);
    assert_false(chain_has_due(f.chain, UINT64_MAX));
    Assay__UpdatePush args;
    assay__update_push__init(&args);
    ProtobufCBinaryData device = world_bytes(f.world.public_key[DEVICE_1], KEY_LEN);
    args.release_id = world_bytes(release, HASH_LEN);
    args.n_devices = 1;
    args.devices = &device;
    args.window_ms = 30000;
    fixture_envelope(&f, "update", "push", &args.base, f.time_ms + 60000, PEOPLE_OF(AUTHOR_1), &b);
    fixture_pool(&f, buffer_bytes(&b), update);
    uint64_t pushed_ms = f.time_ms;
    fixture_block(&f, 0);
    assert_false(chain_has_due(f.chain, pushed_ms + 29999));
    assert_true(chain_has_due(f.chain, pushed_ms + 30000));
    assert_int_equal(fixture_reopen(&f), OK); /* also after a restart */
    assert_true(chain_has_due(f.chain, pushed_ms + 30000));
    f.time_ms = pushed_ms + 30000;
    fixture_block(&f, 0);
    assert_false(chain_has_due(f.chain, UINT64_MAX));
    struct chain_view view;
    struct history_entry entry = {0};
    struct bytes key, value;
    size_t expired = 0;
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    for (struct bytes from = bytes_of("", 1); kv_seek(view.kv, KV_HISTORY, from, &key, &value) == OK; from = key) {
        static uint8_t next[KV_KEY_MAX + 1];
        assert_int_equal(history_decode(key, value, &entry), OK);
        if (bytes_equal(entry.action, bytes_str("expire"))) {
            assert_int_equal(entry.height, 3);
            assert_int_equal(entry.index, 0);
            assert_true(bytes_is_zero(entry.signer, sizeof entry.signer));
            expired++;
        }
        memcpy(next, key.data, key.len);
        next[key.len] = 0;
        key = bytes_of(next, key.len + 1);
    }
    assert_int_equal(expired, 1);
    chain_view_close(&view);
    buffer_free(&b);
    fixture_close(&f);
}

static size_t nodes_in(struct chain_fixture *f) {
    struct chain_view view;
    struct bytes key, value;
    uint8_t from[9] = {0};
    size_t count = 0;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    for (size_t len = 8; kv_seek(view.kv, KV_NODES, bytes_of(from, len), &key, &value) == OK; len = 9) {
        memcpy(from, key.data, 8);
        count++;
    }
    chain_view_close(&view);
    return count;
}

static void old_versions_go_and_recent_ones_stay_provable(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_view view;
    struct buffer bundle = BUFFER_INIT;
    static struct fixture_proof proof;
    fixture_setup(&f);
    f.version_keep_ms = 10000; /* ten blocks of a second */
    assert_int_equal(fixture_try_open(&f), OK);
    for (int i = 0; i < 40; i++) {
        fixture_block(&f, 1);
    }
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    assert_int_equal(view.provable_from, 30);
    for (uint64_t height = 30; height <= 40; height++) {
        assert_int_equal(proof_at(&f, height, bytes_str("nobody"), &proof), GOOD);
    }
    assert_int_equal(chain_view_prove(&view, bytes_str("device"), bytes_str("x"), 29, 0, &bundle), ERR_EXPIRED);
    assert_int_equal(chain_view_prove(&view, bytes_str("device"), bytes_str("x"), 41, 0, &bundle), ERR_NOTFOUND);
    chain_view_close(&view);
    size_t before = nodes_in(&f);
    for (int i = 0; i < 20; i++) {
        fixture_block(&f, 0);
    }
    assert_true(nodes_in(&f) < before); /* blocks that write nothing still let go of what is too old */
    buffer_free(&bundle);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_built_executed_and_final),
        cmocka_unit_test(a_crafted_block_without_a_fault_is_valid),
        cmocka_unit_test(a_used_id_is_refused),
        cmocka_unit_test(an_id_used_by_a_candidate_below_is_refused),
        cmocka_unit_test(a_transaction_twice_in_a_block_is_refused),
        cmocka_unit_test(expiry_is_held_to_block_time),
        cmocka_unit_test(a_transaction_of_another_chain_is_refused),
        cmocka_unit_test(a_bad_signature_is_refused_even_under_an_id_the_mempool_knows),
        cmocka_unit_test(blocks_over_the_chains_limits_are_refused),
        cmocka_unit_test(blocks_over_the_chains_bytes_are_refused_and_not_built),
        cmocka_unit_test(a_protocol_version_of_the_future_stops_the_node),
        cmocka_unit_test(a_header_that_lies_is_refused),
        cmocka_unit_test(a_wrong_root_names_the_one_that_came_out_here),
        cmocka_unit_test(what_is_no_block_of_this_chain_is_not_taken),
        cmocka_unit_test(a_child_waits_for_its_parent_and_falls_with_it),
        cmocka_unit_test(of_two_children_one_is_final_and_the_other_goes),
        cmocka_unit_test(ancestors_become_final_with_a_descendant),
        cmocka_unit_test(depth_above_the_head_is_bounded),
        cmocka_unit_test(a_crash_loses_nothing_that_was_logged),
        cmocka_unit_test(a_checkpoint_while_opening_never_knows_more_than_the_log),
        cmocka_unit_test(a_log_behind_the_checkpoint_is_corrupt),
        cmocka_unit_test(a_log_of_another_history_is_corrupt),
        cmocka_unit_test(another_genesis_is_a_mismatch),
        cmocka_unit_test(a_window_that_nobody_answers_falls_due_by_itself),
        cmocka_unit_test(what_fell_due_before_a_head_that_is_ahead_is_worked_off_all_the_same),
        cmocka_unit_test(what_is_not_sound_is_said),
        cmocka_unit_test(thousands_of_windows_end_within_few_blocks_and_cost_later_ones_nothing),
        cmocka_unit_test(old_versions_go_and_recent_ones_stay_provable),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
