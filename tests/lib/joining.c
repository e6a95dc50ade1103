#include "tests/lib/joining.h"

#include "tests/lib/listen_port.h"
#include "tests/lib/certificate_encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

void joining_blocks(struct joining *f, unsigned count, size_t devices) {
    for (unsigned i = 0; i < count; i++) {
        fixture_block(&f->ledger, devices);
    }
}

void joining_make(struct joining *f, size_t source) {
    struct chain_view view;
    assert_int_equal(chain_view_open(f->ledger.chain, &view), OK);
    const struct snapshot_make_config config = {
        .chain = f->ledger.chain, .view = &view, .dir = f->dir[source], .chunk_target = JOINING_CHUNK_BYTES};
    assert_int_equal(snapshot_make(&config), OK);
    f->pin.pin.height = view.head.header.height;
    memcpy(f->pin.pin.hash, view.head.hash, HASH_LEN);
    chain_view_close(&view);
}

void joining_serve(struct joining *f, size_t i) {
    struct http_config settings;
    struct why why = WHY_NONE;
    const struct snapshots_config config = {.chain = f->ledger.chain, .dir = f->dir[i]};
    http_config_default(&settings);
    settings.listen = f->listen[i][0] != '\0' ? f->listen[i] : "127.0.0.1:0";
    assert_int_equal(snapshots_open(&config, &f->snapshots[i]), OK);
    f->api[i] = (struct api){.chain = f->ledger.chain, .snapshots = f->snapshots[i]};
    assert_int_equal(http_server_new(&settings, &f->server[i]), OK);
    assert_int_equal(api_snapshot_routes(&f->api[i], f->server[i]), OK);
    assert_int_equal(http_server_start(f->server[i], &why), OK);
    (void)snprintf(f->url[i], sizeof f->url[i], "http://%s", http_server_address(f->server[i]));
    f->urls[i] = f->url[i];
}

void joining_stop_serving(struct joining *f, size_t i) {
    http_server_free(f->server[i]);
    snapshots_close(f->snapshots[i]);
    f->server[i] = NULL;
    f->snapshots[i] = NULL;
}

void joining_open_home(struct joining *f) {
    strcpy(f->home_dir, "/tmp/assay-home-XXXXXX");
    assert_non_null(mkdtemp(f->home_dir));
    (void)snprintf(f->home.path, sizeof f->home.path, "%s", f->home_dir);
    config_default(&f->home.config);
    f->home.config.ledger.log_segment_bytes = 64 * 1024;
    f->home.genesis = f->ledger.world.genesis;
}

void joining_open_all(struct joining *f, unsigned count, size_t devices) {
    memset(f, 0, sizeof *f);
    fixture_setup(&f->ledger);
    assert_int_equal(fixture_try_open(&f->ledger), OK);
    for (size_t i = 0; i < JOINING_SOURCES; i++) {
        strcpy(f->dir[i], "/tmp/assay-snaps-XXXXXX");
        assert_non_null(mkdtemp(f->dir[i]));
    }
    joining_blocks(f, count, devices);
    joining_open_home(f);
}

void joining_close_all(struct joining *f) {
    for (size_t i = 0; i < JOINING_SOURCES; i++) {
        joining_stop_serving(f, i);
        assert_int_equal(snapshot_remove_folder(f->dir[i]), OK);
    }
    assert_int_equal(snapshot_remove_folder(f->home_dir), OK);
    fixture_close(&f->ledger);
}

static bool progress(void *arg, enum snapshot_join_part part, uint64_t done, uint64_t total) {
    const struct joining *f = arg;
    (void)total;
    if (f->stop_at != 0 && part == f->stop_part && done >= f->stop_at) {
        if (f->kill) {
            (void)raise(SIGKILL);
        }
        return false;
    }
    return true;
}

static void source_left(void *arg, const char *url, enum err reason, const char *what) {
    struct joining *f = arg;
    (void)url;
    (void)what;
    f->refused += reason == ERR_MISMATCH;
}

enum err joining_join(struct joining *f, size_t sources, struct snapshot_join_report *report, struct why *why) {
    const struct home_join_config config = {.home = &f->home,
                                            .sources = f->urls,
                                            .source_count = sources,
                                            .pin = f->pin.pin.height > 0 ? &f->pin : NULL,
                                            .wanted = true,
                                            .progress = progress,
                                            .source_left = source_left,
                                            .arg = f};
    return home_join(&config, report, why);
}

void joining_succeeds(struct joining *f, size_t sources, struct snapshot_join_report *report) {
    struct why why = WHY_NONE;
    enum err e = joining_join(f, sources, report, &why);
    assert_string_equal(&why, "");
    assert_int_equal(e, OK);
    assert_true(report->joined);
}

void joining_write_bytes(const char *path, struct bytes bytes) {
    assert_int_equal(file_write_atomic(path, bytes, 0600), OK);
}

void joining_spoil(const struct joining *f, size_t source, const char *name, size_t at) {
    char path[300];
    struct buffer bytes = BUFFER_INIT;
    (void)snprintf(path, sizeof path, "%s/%llu/%s", f->dir[source], (unsigned long long)f->pin.pin.height, name);
    assert_int_equal(file_read(path, SNAPSHOT_CHUNK_MAX, &bytes), OK);
    bytes.data[at % bytes.len] ^= 1;
    joining_write_bytes(path, buffer_bytes(&bytes));
    buffer_free(&bytes);
}

bool joining_spoil_chunk(const struct joining *f, size_t source, unsigned chunk) {
    char name[16], path[300];
    (void)snprintf(name, sizeof name, "%u", chunk);
    (void)snprintf(path, sizeof path, "%s/%llu/%s", f->dir[source], (unsigned long long)f->pin.pin.height, name);
    if (access(path, F_OK) != 0) {
        return false;
    }
    joining_spoil(f, source, name, 17);
    return true;
}

/* A transaction of an organisation's admins into the mempool. */
static void govern(struct joining *f, const char *method, const ProtobufCMessage *args, const int *people, size_t count,
                   uint8_t out_id[HASH_LEN]) {
    struct buffer b = BUFFER_INIT;
    fixture_envelope(&f->ledger, "governance", method, args, f->ledger.time_ms + 60000, people, count, &b);
    fixture_pool(&f->ledger, buffer_bytes(&b), out_id);
    buffer_free(&b);
}

static void vote(struct joining *f, const char *org, const uint8_t id[HASH_LEN], int admin) {
    char name[16];
    Assay__CastVote args;
    assay__cast_vote__init(&args);
    (void)snprintf(name, sizeof name, "%s", org);
    args.org = name;
    args.proposal_id = world_bytes(id, HASH_LEN);
    args.choice = 1;
    govern(f, "vote", &args.base, PEOPLE_OF(admin), NULL);
}

void joining_close_first_epoch(struct joining *f) {
    char acme[] = "acme";
    uint8_t id[HASH_LEN];
    Assay__Propose args;
    assay__propose__init(&args);
    Assay__RemoveValidator leave = ASSAY__REMOVE_VALIDATOR__INIT;
    leave.key = world_bytes(f->ledger.world.genesis.nodes[0].key, KEY_LEN);
    args.org = acme;
    args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR;
    args.remove_validator = &leave;
    govern(f, "propose", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2), id);
    joining_blocks(f, 1, 0);
    vote(f, "globex", id, GLOBEX_ADMIN);
    vote(f, "ops", id, OPS_ADMIN);
    joining_blocks(f, 1, 0);
    assert_int_equal(chain_epoch(f->ledger.chain)->number, 1);
    assert_int_equal(chain_epoch(f->ledger.chain)->count, 3);
}

void joining_blocks_of_second_epoch(struct joining *f, unsigned count, size_t devices) {
    struct chain_fixture *l = &f->ledger;
    for (unsigned n = 0; n < count; n++) {
        uint8_t hash[HASH_LEN], message[VOTE_SIGNED_LEN], sigs[3][SIG_LEN], bitmap[1] = {7}, encoded[CERTIFICATE_MAX];
        l->view += l->view % FIXTURE_VALIDATORS == 3; /* there is no fourth proposer */
        fixture_pool_devices(l, devices);
        fixture_build(l, chain_head(l->chain)->hash, hash);
        struct vote_subject subject = {.epoch = 1, .view = chain_header(l->chain, hash)->view, .kind = VOTE_FINALIZE};
        memcpy(subject.block, hash, HASH_LEN);
        vote_signed_bytes(l->world.chain_id, &subject, message);
        for (size_t i = 0; i < 3; i++) {
            ed25519_sign(l->validator_secrets[i + 1], message, sizeof message, sigs[i]);
        }
        size_t len = certificate_encode(&subject, 3, bitmap, (const uint8_t(*)[SIG_LEN])sigs, encoded);
        assert_int_equal(chain_finalize(l->chain, hash, bytes_of(encoded, len), NULL, NULL), OK);
    }
}

static void same_value(struct kv_view *a, struct kv_view *b, enum kv_table table, struct bytes key) {
    struct bytes x, y;
    assert_int_equal(kv_get(a, table, key, &x), OK);
    assert_int_equal(kv_get(b, table, key, &y), OK);
    assert_true(bytes_equal(x, y));
}

/* Every record of state, and nothing more. */
static void same_state(struct kv_view *a, struct kv_view *b) {
    uint8_t from[KV_KEY_MAX + 1] = {0};
    size_t len = 1;
    for (;;) {
        struct bytes ka, va, kb, vb;
        enum err ea = kv_seek(a, KV_STATE, bytes_of(from, len), &ka, &va);
        enum err eb = kv_seek(b, KV_STATE, bytes_of(from, len), &kb, &vb);
        assert_int_equal(ea, eb);
        if (ea != OK) {
            assert_int_equal(ea, ERR_NOTFOUND);
            return;
        }
        assert_true(bytes_equal(ka, kb));
        assert_true(bytes_equal(va, vb));
        memcpy(from, ka.data, ka.len);
        from[ka.len] = 0;
        len = ka.len + 1;
    }
}

/* Nothing is left of the genesis that the node began with. */
static void has_no_genesis_root(struct kv_view *view) {
    struct bytes key, value;
    assert_int_equal(kv_seek(view, KV_ROOTS, bytes_of("", 0), &key, &value), OK);
    assert_true(load_u64(key.data) > 0);
}

static void same_blocks(struct joining *f, struct chain *joined, uint64_t first, uint64_t last) {
    struct chain_view a, b;
    struct buffer x = BUFFER_INIT, y = BUFFER_INIT;
    assert_int_equal(chain_view_open(f->ledger.chain, &a), OK);
    assert_int_equal(chain_view_open(joined, &b), OK);
    for (uint64_t h = first; h <= last; h++) {
        struct block block;
        buffer_reset(&x);
        buffer_reset(&y);
        assert_int_equal(chain_read(f->ledger.chain, h, &x, NULL), OK);
        assert_int_equal(chain_read(joined, h, &y, NULL), OK);
        assert_true(bytes_equal(buffer_bytes(&x), buffer_bytes(&y)));
        assert_int_equal(block_decode(buffer_bytes(&y), &block), OK);
        for (size_t i = 0; i < block.tx_count; i++) {
            same_value(a.kv, b.kv, KV_TXS, bytes_of(block.txs[i].id, HASH_LEN));
        }
        block_free(&block);
    }
    if (first > 1) {
        struct chain_block_info info;
        assert_int_equal(chain_read(joined, first - 1, &y, NULL), ERR_NOTFOUND);
        assert_int_equal(chain_view_block(&b, first - 2, &info), ERR_NOTFOUND); /* first - 1 may close an epoch */
    }
    chain_view_close(&a);
    chain_view_close(&b);
    buffer_free(&x);
    buffer_free(&y);
}

/* The node that joined goes on with the blocks that the others make, and refuses a transaction used in the window. */
void joining_follows(struct joining *f, struct chain *joined) {
    for (uint64_t h = chain_head(joined)->header.height + 1; h <= chain_head(f->ledger.chain)->header.height; h++) {
        struct buffer body = BUFFER_INIT, finalization = BUFFER_INIT;
        uint8_t hash[HASH_LEN];
        enum chain_status status;
        assert_int_equal(chain_read(f->ledger.chain, h, &body, &finalization), OK);
        assert_int_equal(chain_add(joined, buffer_bytes(&body), NULL, hash), OK);
        assert_int_equal(chain_execute(joined, hash, &status), OK);
        assert_string_equal(chain_error(joined), "");
        assert_int_equal(status, CHAIN_VALID);
        assert_int_equal(chain_finalize(joined, hash, buffer_bytes(&finalization), NULL, NULL), OK);
        buffer_free(&body);
        buffer_free(&finalization);
    }
    assert_memory_equal(chain_head(joined)->hash, chain_head(f->ledger.chain)->hash, HASH_LEN);
}

static void verifies(struct joining *f, struct chain *joined) {
    struct chain_verify_report report = {0};
    struct chain_view view;
    assert_int_equal(chain_view_open(joined, &view), OK);
    const struct chain_verify_input input = {
        .crypto = &host_crypto, .genesis = &f->home.genesis, .view = view.kv, .log = joined->log};
    enum err e = chain_verify(&input, &report);
    assert_string_equal(report.wrong.text, "");
    assert_int_equal(e, OK);
    chain_view_close(&view);
}

/* What is needed to judge a bundle that walks through epochs. */
struct judge {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN], set[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t path[STATE_PATH_STEPS_MAX][33];
    uint8_t value[LIMIT_STATE_VALUE];
    struct bundle_result result;
};

/* With nothing but the genesis, whoever asks the node that joined gets a proof of its head's state. */
static void proves(struct joining *f, struct chain *joined) {
    struct chain_view view;
    struct judge *j = malloc(sizeof *j);
    struct buffer bundle = BUFFER_INIT;
    assert_int_equal(chain_view_open(joined, &view), OK);
    assert_int_equal(chain_view_prove(&view, bytes_str("governance"), bytes_str("validators"), 0, 0, &bundle), OK);
    struct trust trust = {
        .validators = {(const uint8_t(*)[KEY_LEN])j->keys, genesis_validators(&f->home.genesis, j->keys)}};
    memcpy(trust.chain_id, f->ledger.world.chain_id, CHAIN_ID_LEN);
    const struct bundle_work work = {.set_memory = j->set,
                                     .set_capacity = LIMIT_VALIDATORS,
                                     .path_memory = j->path,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = j->value,
                                     .value_capacity = sizeof j->value};
    struct bytes_input from = {buffer_bytes(&bundle)};
    struct input in = input_of_bytes(&from);
    assert_int_equal(bundle_verify(&host_crypto, &trust, &work, &in, &j->result), GOOD);
    assert_true(j->result.present);
    assert_int_equal(j->result.epoch, chain_head(joined)->header.epoch);
    chain_view_close(&view);
    buffer_free(&bundle);
    free(j);
}

void joining_is_as_good(struct joining *f, uint64_t height, uint64_t first) {
    struct home_chain store;
    struct chain_view a, b;
    struct why why = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    enum err e = home_chain_open(&f->home, NULL, &store, &why);
    assert_string_equal(&why, "");
    assert_int_equal(e, OK);
    assert_int_equal(chain_head(store.chain)->header.height, height);
    proves(f, store.chain);
    verifies(f, store.chain);
    joining_follows(f, store.chain);
    assert_int_equal(chain_view_open(f->ledger.chain, &a), OK);
    assert_int_equal(chain_view_open(store.chain, &b), OK);
    same_state(a.kv, b.kv);
    has_no_genesis_root(b.kv);
    chain_view_close(&a);
    chain_view_close(&b);
    same_blocks(f, store.chain, first, chain_head(store.chain)->header.height);
    home_chain_close(&store);
    /* And once more, now that it has a log of its own. */
    assert_int_equal(home_chain_open(&f->home, NULL, &store, &why), OK);
    verifies(f, store.chain);
    home_chain_close(&store);
    assert_int_equal(home_path(&f->home, "join", path), OK);
    assert_int_not_equal(access(path, F_OK), 0);
}

void joining_shorten(struct joining *f, size_t source, uint32_t left_out) {
    struct buffer encoded = BUFFER_INIT, again = BUFFER_INIT;
    struct snapshot_manifest m;
    char from[300], to[300];
    unsigned long long height = f->pin.pin.height;
    (void)snprintf(to, sizeof to, "%s/%llu/manifest", f->dir[source], height);
    assert_int_equal(file_read(to, SNAPSHOT_MANIFEST_MAX, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &m), OK);
    assert_true(m.body_count > left_out);
    m.body_count -= left_out;
    memmove(m.bodies, m.bodies + left_out, m.body_count * sizeof *m.bodies);
    assert_int_equal(snapshot_manifest_encode(&host_crypto, &m, &again), OK);
    joining_write_bytes(to, buffer_bytes(&again));
    for (uint32_t i = 0; i < m.body_count; i++) {
        uint32_t at = (1u << m.bits) + i;
        (void)snprintf(from, sizeof from, "%s/%llu/%u", f->dir[source], height, at + left_out);
        (void)snprintf(to, sizeof to, "%s/%llu/%u", f->dir[source], height, at);
        assert_int_equal(rename(from, to), 0);
    }
    snapshot_manifest_free(&m);
    buffer_free(&encoded);
    buffer_free(&again);
}
