#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ledger/chain_verify.h"
#include "tests/lib/chain_fixture.h"

static struct chain_verify_report report;

static enum err verify(struct chain_fixture *f) {
    struct chain_view view;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    const struct chain_verify_input input = {
        .crypto = &host_crypto, .genesis = &f->world.genesis, .view = view.kv, .log = f->chain->log};
    enum err e = chain_verify(&input, &report);
    chain_view_close(&view);
    return e;
}

static void found_wrong(struct chain_fixture *f, const char *what) {
    assert_int_equal(verify(f), ERR_CORRUPT);
    if (strstr(report.wrong.text, what) == NULL) {
        fail_msg("\"%s\" instead of \"%s\"", report.wrong.text, what);
    }
}

/* Four blocks, the second final only through the third. */
static void fill(struct chain_fixture *f) {
    uint8_t second[HASH_LEN], third[HASH_LEN];
    fixture_open(f);
    fixture_block(f, 3);
    fixture_pool_devices(f, 2);
    fixture_build(f, chain_head(f->chain)->hash, second);
    fixture_build(f, second, third);
    assert_int_equal(fixture_finalize(f, third), OK);
    fixture_block(f, 1);
}

/* Changes one stored value, as a damaged disk would. */
static void overwrite(struct chain_fixture *f, enum kv_table table, struct bytes key, size_t at) {
    struct chain_view view;
    struct bytes value;
    struct buffer copy = BUFFER_INIT;
    struct kv_layer *layer;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    assert_int_equal(kv_get(view.kv, table, key, &value), OK);
    buffer_put(&copy, value.data, value.len);
    copy.data[at < copy.len ? at : copy.len - 1] ^= 1;
    chain_view_close(&view);
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_put(layer, table, key, buffer_bytes(&copy)), OK);
    assert_int_equal(kv_push(f->chain->kv, layer), OK);
    kv_layer_unref(layer);
    buffer_free(&copy);
}

static void first_key(struct chain_fixture *f, enum kv_table table, struct buffer *out) {
    struct chain_view view;
    struct bytes key, value;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    assert_int_equal(kv_seek(view.kv, table, bytes_of("", 0), &key, &value), OK);
    buffer_reset(out);
    buffer_put(out, key.data, key.len);
    chain_view_close(&view);
}

static void a_whole_store_is_right(void **state) {
    (void)state;
    struct chain_fixture f;
    fill(&f);
    assert_int_equal(verify(&f), OK);
    assert_string_equal(report.wrong.text, "");
    assert_int_equal(report.blocks, 4);
    assert_int_equal(report.transactions, 6);
    assert_int_equal(report.certificates, 3);
    assert_int_equal(report.bodies, 4);
    assert_int_equal(report.bodies_from, 1);
    assert_int_equal(report.height, 4);
    assert_int_equal(report.log_height, 4);
    assert_true(report.leaves > 6);
    assert_true(report.entries > report.leaves);
    fixture_close(&f);
}

static void a_damaged_index_is_named(void **state) {
    (void)state;
    static const struct {
        size_t at;
        const char *what;
    } cases[] = {{0, "block 3 is missing in the index"},
                 {163, "block 3: the index holds another header"},
                 {BLOCK_HEADER_LEN + 3, "block 3: the index holds another finalization or count"},
                 {SIZE_MAX, "block 3: the index holds another finalization or count"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chain_fixture f;
        uint8_t key[8];
        store_u64(key, 3);
        fill(&f);
        overwrite(&f, KV_BLOCKS, bytes_of(key, sizeof key), cases[i].at);
        found_wrong(&f, cases[i].what);
        fixture_close(&f);
    }
}

static void a_damaged_receipt_value_node_or_hash_is_named(void **state) {
    (void)state;
    static const struct {
        enum kv_table table;
        size_t at;
        const char *what;
    } cases[] = {{KV_TXS, SIZE_MAX, "receipts do not match"}, {KV_TXS, 7, "missing or misplaced"},
                 {KV_TXS, 11, "missing or misplaced"},        {KV_STATE, 0, "does not match its leaf"},
                 {KV_NODES, 20, "is missing or damaged"},     {KV_HASHES, 0, "is not found by its hash"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chain_fixture f;
        struct buffer key = BUFFER_INIT;
        fill(&f);
        first_key(&f, cases[i].table, &key);
        if (cases[i].table == KV_HASHES) {
            buffer_reset(&key);
            buffer_put(&key, chain_head(f.chain)->hash, HASH_LEN);
        }
        if (cases[i].table == KV_NODES) { /* the first is of an old version: take the head's root */
            buffer_reset(&key);
            buffer_u64(&key, f.chain->root.id);
        }
        overwrite(&f, cases[i].table, buffer_bytes(&key), cases[i].at);
        found_wrong(&f, cases[i].what);
        buffer_free(&key);
        fixture_close(&f);
    }
}

static void a_value_without_a_leaf_is_noticed(void **state) {
    (void)state;
    struct chain_fixture f;
    struct kv_layer *layer;
    fill(&f);
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of("device\0zzz", 10), bytes_str("smuggled")), OK);
    assert_int_equal(kv_push(f.chain->kv, layer), OK);
    kv_layer_unref(layer);
    found_wrong(&f, "does not match its leaf");
    fixture_close(&f);
}

static void a_missing_value_is_noticed(void **state) {
    (void)state;
    struct chain_fixture f;
    struct kv_layer *layer;
    struct buffer key = BUFFER_INIT;
    fill(&f);
    first_key(&f, KV_STATE, &key);
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_delete(layer, KV_STATE, buffer_bytes(&key)), OK);
    assert_int_equal(kv_push(f.chain->kv, layer), OK);
    kv_layer_unref(layer);
    found_wrong(&f, "leaves");
    buffer_free(&key);
    fixture_close(&f);
}

static void a_certificate_that_proves_nothing_is_named(void **state) {
    (void)state;
    static const struct {
        enum vote_kind kind;
        size_t signers;
        bool other_block;
    } cases[] = {{VOTE_NOTARIZE, 3, false}, {VOTE_FINALIZE, 2, false}, {VOTE_FINALIZE, 3, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chain_fixture f;
        struct buffer certificate = BUFFER_INIT;
        uint8_t hash[HASH_LEN], about[HASH_LEN];
        fill(&f);
        fixture_build(&f, chain_head(f.chain)->hash, hash);
        memcpy(about, hash, HASH_LEN);
        about[0] ^= cases[i].other_block;
        fixture_certify(&f, about, chain_header(f.chain, hash)->view, cases[i].kind, cases[i].signers, &certificate);
        assert_int_equal(chain_finalize(f.chain, hash, buffer_bytes(&certificate), NULL, NULL), OK);
        found_wrong(&f, "block 5: its finalization is bad");
        buffer_free(&certificate);
        fixture_close(&f);
    }
}

static void a_transaction_that_no_block_holds_is_noticed(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_view view;
    struct bytes key, value;
    struct buffer copy = BUFFER_INIT;
    struct kv_layer *layer;
    uint8_t id[HASH_LEN] = {7};
    fill(&f);
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    assert_int_equal(kv_seek(view.kv, KV_TXS, bytes_of("", 0), &key, &value), OK);
    buffer_put(&copy, value.data, value.len);
    chain_view_close(&view);
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_put(layer, KV_TXS, bytes_of(id, sizeof id), buffer_bytes(&copy)), OK);
    assert_int_equal(kv_push(f.chain->kv, layer), OK);
    kv_layer_unref(layer);
    found_wrong(&f, "blocks hold 6 transactions, their index 7");
    buffer_free(&copy);
    fixture_close(&f);
}

/* A flipped byte in the log is found by the log's own checksums; the walk says at which block. */
static void a_damaged_block_log_is_named(void **state) {
    (void)state;
    struct chain_fixture f;
    char path[400] = "";
    fill(&f);
    assert_int_equal(chain_sync(f.chain), OK);
    (void)snprintf(path, sizeof path, "%s/blocks/block-0000000000000001.log", f.dir);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 500, SEEK_SET), 0); /* within the body of block 1 */
    int byte = fgetc(file);
    assert_true(byte != EOF);
    assert_int_equal(fseek(file, 500, SEEK_SET), 0);
    assert_true(fputc(byte ^ 1, file) != EOF);
    assert_int_equal(fclose(file), 0);
    found_wrong(&f, "block 1 cannot be read from the block log: file block-0000000000000001.log, offset 40: ");
    fixture_close(&f);
}

/* Behind the checkpoint the log alone tells, and its finalizations are looked at too. */
static void what_the_log_has_beyond_the_checkpoint_is_verified(void **state) {
    (void)state;
    for (size_t signers = 2; signers <= 3; signers++) {
        struct chain_fixture f;
        struct chain_view checkpoint;
        struct buffer certificate = BUFFER_INIT;
        uint8_t hash[HASH_LEN];
        fill(&f);
        assert_int_equal(chain_view_open(f.chain, &checkpoint), OK);
        fixture_block(&f, 2);
        fixture_build(&f, chain_head(f.chain)->hash, hash);
        fixture_certify(&f, hash, chain_header(f.chain, hash)->view, VOTE_FINALIZE, signers, &certificate);
        assert_int_equal(chain_finalize(f.chain, hash, buffer_bytes(&certificate), NULL, NULL), OK);
        const struct chain_verify_input input = {
            .crypto = &host_crypto, .genesis = &f.world.genesis, .view = checkpoint.kv, .log = f.chain->log};
        assert_int_equal(chain_verify(&input, &report), signers == 3 ? OK : ERR_CORRUPT);
        assert_string_equal(report.wrong.text,
                            signers == 3 ? "" : "block 6: its finalization is bad: fewer signers than a quorum");
        assert_int_equal(report.height, 4);
        assert_int_equal(report.log_height, 6);
        assert_int_equal(report.blocks, 6);
        chain_view_close(&checkpoint);
        buffer_free(&certificate);
        fixture_close(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_store_is_right),
        cmocka_unit_test(a_damaged_index_is_named),
        cmocka_unit_test(a_damaged_receipt_value_node_or_hash_is_named),
        cmocka_unit_test(a_value_without_a_leaf_is_noticed),
        cmocka_unit_test(a_missing_value_is_noticed),
        cmocka_unit_test(a_certificate_that_proves_nothing_is_named),
        cmocka_unit_test(a_transaction_that_no_block_holds_is_noticed),
        cmocka_unit_test(a_damaged_block_log_is_named),
        cmocka_unit_test(what_the_log_has_beyond_the_checkpoint_is_verified),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
