#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/why.h"
#include "contracts/governance/governance.pb-c.h"
#include "node/api/api.h"
#include "node/home/home_chain.h"
#include "node/home/home_join.h"
#include "node/ledger/chain_store.h"
#include "node/ledger/chain_verify.h"
#include "node/snapshot/snapshot_bodies.h"
#include "node/snapshot/snapshot_install.h"
#include "node/snapshot/snapshot_make.h"
#include "node/snapshot/snapshots.h"
#include "store/snapshot_split.h"
#include "tests/lib/listen_port.h"
#include "tests/lib/chain_fixture.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define TARGET 3000u /* small chunks, so that there are many */
#define SOURCES 3

/* A ledger, its snapshots, several servers of them, and a home that wants to join. */
struct fixture {
    struct chain_fixture ledger;
    char dir[SOURCES][64]; /* of snapshots */
    struct snapshots *snapshots[SOURCES];
    struct api api[SOURCES];
    struct http_server *server[SOURCES];
    char listen[SOURCES][32]; /* "": any port */
    char url[SOURCES][CONFIG_URL_MAX];
    const char *urls[SOURCES];
    char home_dir[64];
    struct daemon_home home;
    struct checkpoint_file pin; /* HEIGHT:HASH */
    unsigned refused;           /* sources that lied */
    uint64_t stop_at;           /* bytes at which progress ends or kills; 0: never */
    bool kill;
    enum snapshot_join_part stop_part;
};

static void blocks(struct fixture *f, unsigned count, size_t devices) {
    for (unsigned i = 0; i < count; i++) {
        fixture_block(&f->ledger, devices);
    }
}

static void make(struct fixture *f, size_t source) {
    struct chain_view view;
    assert_int_equal(chain_view_open(f->ledger.chain, &view), OK);
    const struct snapshot_make_config config = {
        .chain = f->ledger.chain, .view = &view, .dir = f->dir[source], .chunk_target = TARGET};
    assert_int_equal(snapshot_make(&config), OK);
    f->pin.pin.height = view.head.header.height;
    memcpy(f->pin.pin.hash, view.head.hash, HASH_LEN);
    chain_view_close(&view);
}

static void serve(struct fixture *f, size_t i) {
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

static void stop_serving(struct fixture *f, size_t i) {
    http_server_free(f->server[i]);
    snapshots_close(f->snapshots[i]);
    f->server[i] = NULL;
    f->snapshots[i] = NULL;
}

static void open_home(struct fixture *f) {
    strcpy(f->home_dir, "/tmp/assay-home-XXXXXX");
    assert_non_null(mkdtemp(f->home_dir));
    (void)snprintf(f->home.path, sizeof f->home.path, "%s", f->home_dir);
    config_default(&f->home.config);
    f->home.config.ledger.log_segment_bytes = 64 * 1024;
    f->home.genesis = f->ledger.world.genesis;
}

static void open_all(struct fixture *f, unsigned count, size_t devices) {
    memset(f, 0, sizeof *f);
    fixture_setup(&f->ledger);
    assert_int_equal(fixture_try_open(&f->ledger), OK);
    for (size_t i = 0; i < SOURCES; i++) {
        strcpy(f->dir[i], "/tmp/assay-snaps-XXXXXX");
        assert_non_null(mkdtemp(f->dir[i]));
    }
    blocks(f, count, devices);
    open_home(f);
}

static void close_all(struct fixture *f) {
    for (size_t i = 0; i < SOURCES; i++) {
        stop_serving(f, i);
        assert_int_equal(snapshot_remove_folder(f->dir[i]), OK);
    }
    assert_int_equal(snapshot_remove_folder(f->home_dir), OK);
    fixture_close(&f->ledger);
}

static bool progress(void *arg, enum snapshot_join_part part, uint64_t done, uint64_t total) {
    const struct fixture *f = arg;
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
    struct fixture *f = arg;
    (void)url;
    (void)what;
    f->refused += reason == ERR_MISMATCH;
}

static enum err join(struct fixture *f, size_t sources, struct snapshot_join_report *report, struct why *why) {
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

static void joins(struct fixture *f, size_t sources, struct snapshot_join_report *report) {
    struct why why = WHY_NONE;
    enum err e = join(f, sources, report, &why);
    assert_string_equal(&why, "");
    assert_int_equal(e, OK);
    assert_true(report->joined);
}

static void write_bytes(const char *path, struct bytes bytes) {
    assert_int_equal(file_write_atomic(path, bytes, 0600), OK);
}

/* Changes one byte of a file of a snapshot. */
static void spoil(const struct fixture *f, size_t source, const char *name, size_t at) {
    char path[300];
    struct buffer bytes = BUFFER_INIT;
    (void)snprintf(path, sizeof path, "%s/%llu/%s", f->dir[source], (unsigned long long)f->pin.pin.height, name);
    assert_int_equal(file_read(path, SNAPSHOT_CHUNK_MAX, &bytes), OK);
    bytes.data[at % bytes.len] ^= 1;
    write_bytes(path, buffer_bytes(&bytes));
    buffer_free(&bytes);
}

/* False when there is no such chunk. */
static bool spoil_chunk(const struct fixture *f, size_t source, unsigned chunk) {
    char name[16], path[300];
    (void)snprintf(name, sizeof name, "%u", chunk);
    (void)snprintf(path, sizeof path, "%s/%llu/%s", f->dir[source], (unsigned long long)f->pin.pin.height, name);
    if (access(path, F_OK) != 0) {
        return false;
    }
    spoil(f, source, name, 17);
    return true;
}

/* ---- A second epoch ---- */

/* A transaction of an organisation's admins into the mempool. */
static void govern(struct fixture *f, const char *method, const ProtobufCMessage *args, const int *people, size_t count,
                   uint8_t out_id[HASH_LEN]) {
    struct buffer b = BUFFER_INIT;
    fixture_envelope(&f->ledger, "governance", method, args, f->ledger.time_ms + 60000, people, count, &b);
    fixture_pool(&f->ledger, buffer_bytes(&b), out_id);
    buffer_free(&b);
}

static void vote(struct fixture *f, const char *org, const uint8_t id[HASH_LEN], int admin) {
    char name[16];
    Assay__CastVote args = ASSAY__CAST_VOTE__INIT;
    (void)snprintf(name, sizeof name, "%s", org);
    args.org = name;
    args.proposal_id = world_bytes(id, HASH_LEN);
    args.choice = 1;
    govern(f, "vote", &args.base, PEOPLE_OF(admin), NULL);
}

/* The first validator goes, by the vote of all three organisations. */
static void close_first_epoch(struct fixture *f) {
    char acme[] = "acme";
    uint8_t id[HASH_LEN];
    Assay__Propose args = ASSAY__PROPOSE__INIT;
    Assay__RemoveValidator leave = ASSAY__REMOVE_VALIDATOR__INIT;
    leave.key = world_bytes(f->ledger.world.genesis.nodes[0].key, KEY_LEN);
    args.org = acme;
    args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR;
    args.remove_validator = &leave;
    govern(f, "propose", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2), id);
    blocks(f, 1, 0);
    vote(f, "globex", id, GLOBEX_ADMIN);
    vote(f, "ops", id, OPS_ADMIN);
    blocks(f, 1, 0);
    assert_int_equal(chain_epoch(f->ledger.chain)->number, 1);
    assert_int_equal(chain_epoch(f->ledger.chain)->count, 3);
}

/* Final blocks of the three that are left. */
static void blocks_of_second_epoch(struct fixture *f, unsigned count, size_t devices) {
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

/* ---- What a joined home must be ---- */

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

static void same_blocks(struct fixture *f, struct chain *joined, uint64_t first, uint64_t last) {
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
static void follows(struct fixture *f, struct chain *joined) {
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

static void verifies(struct fixture *f, struct chain *joined) {
    struct chain_verify_report report = {0};
    struct chain_view view;
    assert_int_equal(chain_view_open(joined, &view), OK);
    const struct chain_verify_input input = {
        .crypto = &host_crypto, .genesis = &f->home.genesis, .view = view.kv, .log = joined->log};
    enum err e = chain_verify(&input, &report);
    assert_string_equal(report.wrong, "");
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
static void proves(struct fixture *f, struct chain *joined) {
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
    struct span_input from = {{bundle.data, bundle.len}};
    struct input in = input_of_span(&from);
    assert_int_equal(bundle_verify(&host_crypto, &trust, &work, &in, &j->result), GOOD);
    assert_true(j->result.present);
    assert_int_equal(j->result.epoch, chain_head(joined)->header.epoch);
    chain_view_close(&view);
    buffer_free(&bundle);
    free(j);
}

static void is_as_good(struct fixture *f, uint64_t height, uint64_t first) {
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
    follows(f, store.chain);
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

/* ---- Cases ---- */

static void a_new_node_joins_and_goes_on(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    open_all(&f, 20, 5);
    make(&f, 0);
    serve(&f, 0);
    blocks(&f, 3, 2);
    joins(&f, 1, &report);
    assert_int_equal(report.height, 20);
    assert_int_equal(report.fetched, report.bytes);
    is_as_good(&f, 20, 1);
    close_all(&f);
}

/* A day of blocks comes along, and the one before, which shows that none is missing; older ones don't. */
static void only_the_expiry_window_comes_along(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    open_all(&f, 5, 2);
    f.ledger.time_ms += LIMIT_TX_LIFETIME_MS;
    blocks(&f, 10, 2);
    make(&f, 0);
    serve(&f, 0);
    blocks(&f, 2, 1);
    joins(&f, 1, &report);
    is_as_good(&f, 15, 5);
    close_all(&f);
}

/* The closing block stands alone below the window, or inside it; either way the node that joined can lead others
 * through it. */
static void epochs_come_along_with_the_blocks_that_closed_them(void **state) {
    (void)state;
    for (int in_window = 0; in_window < 2; in_window++) {
        struct fixture f;
        struct snapshot_join_report report;
        struct home_chain store;
        struct chain_epoch epoch;
        struct chain_view view;
        struct why why = WHY_NONE;
        open_all(&f, 3, 2);
        close_first_epoch(&f); /* block 5 */
        blocks_of_second_epoch(&f, 3, 1);
        f.ledger.time_ms += in_window ? 1000 : LIMIT_TX_LIFETIME_MS;
        blocks_of_second_epoch(&f, 9, 3);
        make(&f, 0);
        serve(&f, 0);
        joins(&f, 1, &report);
        assert_int_equal(report.height, 17);
        blocks_of_second_epoch(&f, 2, 1);
        is_as_good(&f, 17, in_window ? 1 : 8);
        assert_int_equal(home_chain_open(&f.home, NULL, &store, &why), OK);
        assert_int_equal(chain_view_open(store.chain, &view), OK);
        assert_int_equal(chain_view_epoch(&view, 1, &epoch), OK);
        assert_int_equal(epoch.closing_height, 5);
        chain_view_close(&view);
        home_chain_close(&store);
        close_all(&f);
    }
}

#define ROOTS_AT (4 + 1 + CHAIN_ID_LEN + 8 + HASH_LEN + 1) /* in a manifest */
#define ROOT_ENTRY (HASH_LEN + 4)

static void several_sources_share_the_work_and_a_liar_is_dropped(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    open_all(&f, 20, 8);
    for (size_t i = 0; i < SOURCES; i++) {
        make(&f, i);
    }
    for (unsigned chunk = 0; spoil_chunk(&f, 0, chunk);) {
        chunk++;
    }
    for (size_t i = 0; i < SOURCES; i++) {
        serve(&f, i);
    }
    joins(&f, SOURCES, &report);
    assert_int_equal(f.refused, 1);
    is_as_good(&f, 20, 1);
    close_all(&f);
}

static void who_sends_another_manifest_than_it_lists_is_dropped(void **state) {
    (void)state;
    static const size_t places[] = {0, ROOTS_AT + 3}; /* it can't be read, or is of another content */
    for (size_t k = 0; k < sizeof places / sizeof places[0]; k++) {
        struct fixture f;
        struct snapshot_join_report report;
        open_all(&f, 8, 5);
        for (size_t i = 0; i < SOURCES; i++) {
            make(&f, i);
            serve(&f, i);
        }
        spoil(&f, 0, "manifest", places[k]);
        joins(&f, SOURCES, &report);
        assert_int_equal(f.refused, 1);
        is_as_good(&f, 8, 1);
        close_all(&f);
    }
}

static void nothing_is_taken_from_liars_alone(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    open_all(&f, 8, 5);
    make(&f, 0);
    spoil(&f, 0, "0", 40);
    serve(&f, 0);
    assert_int_equal(join(&f, 1, &report, &why), ERR_NOTFOUND);
    assert_int_equal(f.refused, 1);
    assert_int_equal(home_path(&f.home, "state", path), OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(home_path(&f.home, "join/chunks/0", path), OK);
    assert_int_not_equal(access(path, F_OK), 0);
    close_all(&f);
}

/* The bundle, too: whatever byte of a manifest is changed, it is refused or is another snapshot's. */
static void every_flipped_byte_of_a_manifest_is_refused(void **state) {
    (void)state;
    struct fixture f;
    struct why why = WHY_NONE;
    char path[300];
    struct buffer bytes = BUFFER_INIT;
    struct snapshot_manifest manifest;
    struct block_header header;
    uint8_t content[HASH_LEN];
    open_all(&f, 3, 2);
    make(&f, 0);
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f.dir[0], (unsigned long long)f.pin.pin.height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &bytes), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&bytes), &manifest), OK);
    assert_int_equal(snapshot_verify(&host_crypto, &f.home.genesis, &manifest, &header, &why), OK);
    memcpy(content, manifest.content, HASH_LEN);
    snapshot_manifest_free(&manifest);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.data[i] ^= (uint8_t)(1u << i % 8);
        if (snapshot_manifest_decode(&host_crypto, buffer_bytes(&bytes), &manifest) == OK) {
            bool same = memcmp(manifest.content, content, HASH_LEN) == 0;
            bool root = i >= ROOTS_AT && (i - ROOTS_AT) / ROOT_ENTRY < 1u << manifest.bits &&
                        (i - ROOTS_AT) % ROOT_ENTRY < HASH_LEN;
            enum err e = snapshot_verify(&host_crypto, &f.home.genesis, &manifest, &header, &why);
            assert_true((!same && !root) || e == ERR_INVALID);
            snapshot_manifest_free(&manifest);
        }
        bytes.data[i] ^= (uint8_t)(1u << i % 8);
    }
    buffer_free(&bytes);
    close_all(&f);
}

static void every_flipped_byte_of_a_body_chunk_is_refused(void **state) {
    (void)state;
    struct fixture f;
    char path[300];
    struct buffer encoded = BUFFER_INIT, chunk = BUFFER_INIT;
    struct snapshot_manifest m;
    open_all(&f, 3, 2);
    make(&f, 0);
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f.dir[0], (unsigned long long)f.pin.pin.height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &m), OK);
    (void)snprintf(path, sizeof path, "%s/%llu/%u", f.dir[0], (unsigned long long)f.pin.pin.height, 1u << m.bits);
    assert_int_equal(file_read(path, SNAPSHOT_CHUNK_MAX, &chunk), OK);
    assert_int_equal(snapshot_bodies_read(&m, 0, buffer_bytes(&chunk), NULL, NULL), OK);
    for (size_t i = 0; i < chunk.len; i++) {
        chunk.data[i] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(snapshot_bodies_read(&m, 0, buffer_bytes(&chunk), NULL, NULL), ERR_MISMATCH);
        chunk.data[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < chunk.len; len++) {
        assert_int_equal(snapshot_bodies_read(&m, 0, bytes_of(chunk.data, len), NULL, NULL), ERR_MISMATCH);
    }
    snapshot_manifest_free(&m);
    buffer_free(&encoded);
    buffer_free(&chunk);
    close_all(&f);
}

/* Every body chunk of this manifest is what its own hash allows, and yet two do not belong together. */
static void a_manifest_that_lies_about_its_bodies_is_found_out(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[300], chunk[300];
    struct buffer encoded = BUFFER_INIT, again = BUFFER_INIT, bytes = BUFFER_INIT;
    struct snapshot_manifest m;
    open_all(&f, 20, 8);
    make(&f, 0);
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f.dir[0], (unsigned long long)f.pin.pin.height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &m), OK);
    assert_true(m.body_count > 2);
    m.bodies[0].last_hash[0] ^= 1;
    (void)snprintf(chunk, sizeof chunk, "%s/%llu/%u", f.dir[0], (unsigned long long)f.pin.pin.height,
                   (1u << m.bits) + 1);
    assert_int_equal(file_read(chunk, SNAPSHOT_CHUNK_MAX, &bytes), OK);
    assert_int_equal(snapshot_bodies_read(&m, 1, buffer_bytes(&bytes), NULL, NULL), ERR_INVALID);
    buffer_free(&bytes);
    assert_int_equal(snapshot_manifest_encode(&host_crypto, &m, &again), OK);
    write_bytes(path, buffer_bytes(&again));
    snapshot_manifest_free(&m);
    serve(&f, 0);
    assert_int_equal(join(&f, 1, &report, &why), ERR_NOTFOUND);
    assert_int_equal(f.refused, 1);
    make(&f, 1); /* an honest one beside it */
    serve(&f, 1);
    joins(&f, 2, &report);
    is_as_good(&f, 20, 1);
    buffer_free(&encoded);
    buffer_free(&again);
    close_all(&f);
}

/* Leaves the first body chunks out of a snapshot, as a source with one changed line would. */
static void shorten(struct fixture *f, size_t source, uint32_t left_out) {
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
    write_bytes(to, buffer_bytes(&again));
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

/* Lists a snapshot of somebody else's, as if it were far higher. */
static char false_list[400];

static void list_falsely(void *ctx, struct http_request *request) {
    (void)ctx;
    http_respond(request, http_bytes(200, "application/json", bytes_str(false_list)));
}

static void serve_false_list(struct fixture *f, size_t i, size_t of, uint64_t height) {
    static const struct http_route route = {.method = HTTP_GET, .path = "/v1/snapshots", .handler = list_falsely};
    struct buffer encoded = BUFFER_INIT;
    struct snapshot_manifest m;
    struct http_config settings;
    char path[300], content[2 * HASH_LEN + 1];
    struct why why = WHY_NONE;
    (void)snprintf(path, sizeof path, "%s/%llu/manifest", f->dir[of], (unsigned long long)height);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(&encoded), &m), OK);
    hex_encode(m.content, HASH_LEN, content);
    (void)snprintf(false_list, sizeof false_list,
                   "{\"snapshots\":[{\"height\":%llu,\"time_ms\":%llu,\"content\":\"%s\"}]}",
                   (unsigned long long)height + 1000000000, (unsigned long long)clock_wall_ms(), content);
    snapshot_manifest_free(&m);
    buffer_free(&encoded);
    http_config_default(&settings);
    settings.listen = "127.0.0.1:0";
    assert_int_equal(http_server_new(&settings, &f->server[i]), OK);
    assert_int_equal(http_server_route(f->server[i], &route), OK);
    assert_int_equal(http_server_start(f->server[i], &why), OK);
    (void)snprintf(f->url[i], sizeof f->url[i], "http://%s", http_server_address(f->server[i]));
    f->urls[i] = f->url[i];
}

static void a_false_list_takes_no_node_back_below_its_own_blocks(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report = {0};
    struct why why = WHY_NONE;
    open_all(&f, 10, 2);
    make(&f, 0);
    blocks(&f, 5, 1);
    make(&f, 1);
    serve(&f, 1);
    f.urls[0] = f.url[1];
    joins(&f, 1, &report);
    assert_int_equal(report.height, 15);
    stop_serving(&f, 1);
    serve(&f, 0);
    serve_false_list(&f, 1, 0, 10);
    assert_int_equal(join(&f, 2, &report, &why), OK);
    assert_false(report.joined);
    assert_int_equal(f.refused, 1); /* and not the one that has it */
    struct home_chain store;
    assert_int_equal(home_chain_open(&f.home, NULL, &store, &why), OK);
    assert_int_equal(chain_head(store.chain)->header.height, 15);
    home_chain_close(&store);
    close_all(&f);
}

/* A pinned block that one source's snapshot does not prove is no reason to leave the others. */
static void a_snapshot_that_does_not_fit_the_checkpoint_costs_its_source_alone(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    open_all(&f, 20, 8);
    make(&f, 1);
    struct checkpoint_file honest = f.pin;
    honest.pin.height = 1; /* in the first body chunk, which the other leaves out */
    struct chain_view view;
    struct chain_block_info info;
    assert_int_equal(chain_view_open(f.ledger.chain, &view), OK);
    assert_int_equal(chain_view_block(&view, 1, &info), OK);
    memcpy(honest.pin.hash, info.hash, HASH_LEN);
    chain_view_close(&view);
    blocks(&f, 3, 8);
    make(&f, 0);
    shorten(&f, 0, 1);
    f.pin = honest;
    serve(&f, 0);
    serve(&f, 1);
    joins(&f, 2, &report);
    assert_int_equal(f.refused, 1);
    assert_int_equal(report.height, 20);
    is_as_good(&f, 20, 1);
    close_all(&f);
}

/* Everything in it is proven, and yet whoever believed it would not know which ids are used up. */
static void a_snapshot_whose_bodies_do_not_reach_back_far_enough_is_refused(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    open_all(&f, 20, 8);
    make(&f, 1); /* an honest one, of a lower height */
    struct checkpoint_file honest = f.pin;
    blocks(&f, 3, 8);
    make(&f, 0);
    shorten(&f, 0, 1);
    f.pin = honest;
    serve(&f, 0);
    assert_int_equal(join(&f, 1, &report, &why), ERR_NOTFOUND);
    assert_int_equal(f.refused, 1);
    f.refused = 0;
    serve(&f, 1);
    joins(&f, 2, &report);
    assert_int_equal(f.refused, 1);
    assert_int_equal(report.height, 20);
    is_as_good(&f, 20, 1);
    close_all(&f);
}

/* Killed while fetching and while building, at several places each; what was fetched once is not fetched again. */
static void a_killed_join_goes_on_where_it_was(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    open_all(&f, 20, 10);
    make(&f, 0);
    serve(&f, 0);
    static const struct {
        enum snapshot_join_part part;
        uint64_t at;
    } places[] = {{JOIN_FETCH, 1}, {JOIN_FETCH, 20000}, {JOIN_FETCH, 40000}, {JOIN_BUILD, 1}, {JOIN_BUILD, 9}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        f.stop_part = places[i].part;
        f.stop_at = places[i].at;
        f.kill = true;
        pid_t child = fork();
        if (child == 0) {
            _exit(join(&f, 1, &report, &why) == OK ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
    }
    f.stop_at = 0;
    joins(&f, 1, &report);
    assert_int_equal(report.fetched, 0); /* all of it was here */
    is_as_good(&f, 20, 1);
    close_all(&f);
}

/* Damage on the joiner's own disk meanwhile. */
static void a_chunk_damaged_on_our_disk_is_fetched_again(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    struct stat st;
    open_all(&f, 20, 10);
    make(&f, 0);
    serve(&f, 0);
    f.stop_part = JOIN_BUILD;
    f.stop_at = 1;
    assert_int_equal(join(&f, 1, &report, &why), ERR_CLOSED);
    f.stop_at = 0;
    assert_int_equal(home_path(&f.home, "join/chunks/2", path), OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    joins(&f, 1, &report);
    assert_int_equal(report.fetched, st.st_size);
    is_as_good(&f, 20, 1);
    close_all(&f);
}

/* The change of places, interrupted after each of its steps. */
static void an_interrupted_change_of_places_is_completed(void **state) {
    (void)state;
    for (int step = 0; step < 4; step++) {
        struct fixture f;
        struct snapshot_join_report report;
        struct why why = WHY_NONE;
        char data[CONFIG_PATH_MAX], from[600], to[600];
        open_all(&f, 10, 3);
        make(&f, 0);
        serve(&f, 0);
        joins(&f, 1, &report);
        assert_int_equal(home_path(&f.home, "", data), OK);
        (void)snprintf(from, sizeof from, "%s/join/store", data);
        assert_int_equal(dir_make(from), OK);
        (void)snprintf(from, sizeof from, "%s/join/old", data);
        assert_int_equal(dir_make(from), OK);
        static const char *const names[] = {"blocks", "state"};
        for (int i = 0; i < 2; i++) { /* as if the new store stood beside an old one */
            (void)snprintf(from, sizeof from, "%s/%s", data, names[i]);
            (void)snprintf(to, sizeof to, "%s/join/store/%s", data, names[i]);
            assert_int_equal(rename(from, to), 0);
            assert_int_equal(dir_make(from), OK);
        }
        for (int i = 0; i < step; i++) { /* what had been done */
            (void)snprintf(from, sizeof from, i % 2 == 0 ? "%s/%s" : "%s/join/store/%s", data, names[i / 2]);
            (void)snprintf(to, sizeof to, i % 2 == 0 ? "%s/join/old/%s" : "%s/%s", data, names[i / 2]);
            assert_int_equal(rename(from, to), 0);
        }
        (void)snprintf(to, sizeof to, "%s/join/ready", data);
        write_bytes(to, bytes_str("whole\n"));
        assert_int_equal(home_join_finish(&f.home, &why), OK);
        is_as_good(&f, 10, 1);
        close_all(&f);
    }
}

/* The state may stand far below the log's end, and what is in the log was final here: the vote journal builds on it. */
static void a_log_that_reaches_further_is_not_given_up_for_a_snapshot(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct home_chain store;
    struct why why = WHY_NONE;
    open_all(&f, 10, 3);
    make(&f, 0);
    serve(&f, 0);
    joins(&f, 1, &report);
    blocks(&f, 3, 1);
    make(&f, 1);
    serve(&f, 1);
    f.urls[0] = f.url[1];
    blocks(&f, 4, 1);
    assert_int_equal(home_chain_open(&f.home, NULL, &store, &why), OK);
    follows(&f, store.chain);
    assert_int_equal(chain_head(store.chain)->header.height, 17);
    home_chain_close(&store); /* without a checkpoint */
    assert_int_equal(join(&f, 1, &report, &why), OK);
    assert_false(report.joined);
    is_as_good(&f, 17, 1);
    close_all(&f);
}

/* Its own proof has no set for the blocks that follow. */
static void a_snapshot_of_a_closing_block_knows_who_follows(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    open_all(&f, 3, 2);
    close_first_epoch(&f); /* block 5 */
    make(&f, 0);
    serve(&f, 0);
    blocks_of_second_epoch(&f, 4, 2);
    joins(&f, 1, &report);
    assert_int_equal(report.height, 5);
    is_as_good(&f, 5, 1);
    close_all(&f);
}

static void a_snapshot_gone_from_everywhere_gives_way_to_a_newer_one(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[300];
    open_all(&f, 12, 8);
    make(&f, 0);
    serve(&f, 0);
    f.stop_part = JOIN_FETCH;
    f.stop_at = 1;
    assert_int_equal(join(&f, 1, &report, &why), ERR_CLOSED);
    f.stop_at = 0;
    stop_serving(&f, 0);
    (void)snprintf(path, sizeof path, "%s/12", f.dir[0]);
    assert_int_equal(snapshot_remove_folder(path), OK);
    blocks(&f, 5, 3);
    make(&f, 0);
    serve(&f, 0);
    joins(&f, 1, &report);
    assert_int_equal(report.height, 17);
    is_as_good(&f, 17, 1);
    close_all(&f);
}

static void an_old_chain_needs_a_checkpoint_and_a_wrong_one_is_refused(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    struct checkpoint_file good;
    open_all(&f, 10, 2);
    make(&f, 0);
    serve(&f, 0);
    good = f.pin;
    f.pin.pin.height = 0; /* none: this chain is from 2023 */
    assert_int_equal(join(&f, 1, &report, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "--checkpoint"));
    f.pin = good;
    f.pin.pin.hash[3] ^= 1;
    assert_int_equal(join(&f, 1, &report, &why), ERR_INVALID);
    struct chain_view view;
    struct chain_block_info info;
    assert_int_equal(chain_view_open(f.ledger.chain, &view), OK);
    assert_int_equal(chain_view_block(&view, 4, &info), OK); /* one of the window */
    chain_view_close(&view);
    f.pin.pin.height = 4;
    memcpy(f.pin.pin.hash, info.hash, HASH_LEN);
    f.pin.pin.hash[3] ^= 1;
    assert_int_equal(join(&f, 1, &report, &why), ERR_INVALID);
    f.pin.pin.hash[3] ^= 1;
    f.pin.pin.height = 11;
    assert_int_equal(join(&f, 1, &report, &why), ERR_DENIED);
    f.pin.pin.height = 4;
    joins(&f, 1, &report);
    is_as_good(&f, 10, 1);
    close_all(&f);
}

/* Writes a checkpoint of the ledger's head into the home, under a name that snapshot.checkpoint then has. */
static void pin_head_in_a_file(struct fixture *f, bool of_another_chain) {
    static uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t raw[CHECKPOINT_MAX], header[BLOCK_HEADER_LEN];
    char path[128];
    struct chain_view view;
    assert_int_equal(chain_view_open(f->ledger.chain, &view), OK);
    struct checkpoint c = {.header = view.head.header};
    chain_view_close(&view);
    c.header.chain_id[0] ^= of_another_chain;
    c.validators = (struct validator_set){(const uint8_t(*)[KEY_LEN])keys, genesis_validators(&f->home.genesis, keys)};
    block_header_encode(&c.header, header);
    block_header_hash(&host_crypto, header, c.hash);
    (void)snprintf(path, sizeof path, "%s/pinned", f->home_dir);
    write_bytes(path, bytes_of(raw, checkpoint_encode(&c, raw)));
    strcpy(f->home.config.snapshot.checkpoint, "pinned");
    f->pin.pin.height = 0;
}

/* Its block need not be among what the snapshot brings along: the walk goes on from its validators. */
static void a_checkpoint_file_is_where_the_walk_starts(void **state) {
    (void)state;
    const uint64_t hour_ms = 3600000, now_ms = clock_wall_ms();
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    open_all(&f, 3, 1);
    make(&f, 0);
    serve(&f, 0);
    pin_head_in_a_file(&f, false); /* as old as the genesis */
    assert_int_equal(join(&f, 1, &report, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "90 days"));
    f.ledger.time_ms = now_ms - 72 * hour_ms;
    blocks(&f, 2, 1);
    pin_head_in_a_file(&f, true);
    assert_int_equal(join(&f, 1, &report, &why), ERR_CONFIG);
    pin_head_in_a_file(&f, false); /* above the snapshot that is offered */
    assert_int_equal(join(&f, 1, &report, &why), ERR_DENIED);
    f.ledger.time_ms = now_ms - 48 * hour_ms;
    blocks(&f, 1, 1);
    f.ledger.time_ms = now_ms - hour_ms;
    blocks(&f, 4, 1);
    stop_serving(&f, 0);
    make(&f, 0);
    serve(&f, 0);
    f.pin.pin.height = 0;
    joins(&f, 1, &report);
    assert_int_equal(report.height, 10);
    is_as_good(&f, 10, 6);
    strcpy(f.home.config.snapshot.checkpoint, "nothing");
    assert_int_equal(join(&f, 1, &report, &why), ERR_CONFIG);
    close_all(&f);
}

/* A store that is behind stays in place until the new one is whole; one that is not far behind stays for good. */
static void a_node_far_behind_joins_and_one_close_by_does_not(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    open_all(&f, 10, 2);
    make(&f, 0);
    serve(&f, 0);
    joins(&f, 1, &report);
    blocks(&f, 5, 1);
    make(&f, 0);
    stop_serving(&f, 0);
    serve(&f, 0);
    const struct home_join_config config = {
        .home = &f.home, .sources = f.urls, .source_count = 1, .pin = &f.pin, .arg = &f};
    assert_int_equal(home_join(&config, &report, &why), OK);
    assert_false(report.joined);
    f.ledger.time_ms += 2 * 3600000;
    blocks(&f, 5, 1);
    make(&f, 0);
    stop_serving(&f, 0);
    serve(&f, 0);
    assert_int_equal(home_join(&config, &report, &why), OK);
    assert_true(report.joined);
    assert_int_equal(report.height, 20);
    is_as_good(&f, 20, 1);
    close_all(&f);
}

/* A source that has none begins to make one when it is asked, and the joiner waits for it. */
static void a_snapshot_in_the_making_is_waited_for(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    open_all(&f, SNAPSHOTS_WORTH_BLOCKS, 0);
    f.pin.pin.height = SNAPSHOTS_WORTH_BLOCKS;
    memcpy(f.pin.pin.hash, chain_head(f.ledger.chain)->hash, HASH_LEN);
    serve(&f, 0);
    joins(&f, 1, &report);
    assert_int_equal(report.height, SNAPSHOTS_WORTH_BLOCKS);
    close_all(&f);
}

/* Those of other nodes, gateways left out. */
static void without_configured_sources_the_genesis_names_them(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    memset(&f, 0, sizeof f);
    fixture_setup(&f.ledger);
    struct genesis_node *other = &f.ledger.world.genesis.nodes[1];
    (void)snprintf(f.listen[0], sizeof f.listen[0], "127.0.0.1:%u", listen_port());
    (void)snprintf(other->http, sizeof other->http, "http://%s", f.listen[0]);
    genesis_chain_id(&f.ledger.world.genesis, &host_crypto, f.ledger.world.chain_id);
    assert_int_equal(fixture_try_open(&f.ledger), OK);
    for (size_t i = 0; i < SOURCES; i++) {
        strcpy(f.dir[i], "/tmp/assay-snaps-XXXXXX");
        assert_non_null(mkdtemp(f.dir[i]));
    }
    blocks(&f, 20, 1);
    open_home(&f);
    make(&f, 0);
    serve(&f, 0);
    joins(&f, 0, &report);
    is_as_good(&f, 20, 1);
    close_all(&f);
}

static void without_sources_a_new_node_just_starts(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    open_all(&f, 2, 1);
    f.urls[0] = "http://127.0.0.1:1";
    const struct home_join_config config = {.home = &f.home, .sources = f.urls, .source_count = 1};
    assert_int_equal(home_join(&config, &report, &why), OK);
    assert_false(report.joined);
    close_all(&f);
}

/* Soon. */
static bool is_made(struct snapshots *snapshots, uint64_t height) {
    struct snapshots_entry entries[SNAPSHOTS_KEPT];
    for (int i = 0; i < 1000; i++) {
        if (snapshots_list(snapshots, entries) > 0 && entries[0].height == height) {
            return true;
        }
        (void)usleep(10000);
    }
    return false;
}

/* Two are kept; a half one that an earlier life left goes; a multiple of the interval makes one. */
static void snapshots_are_made_when_due_and_the_newest_two_stay(void **state) {
    (void)state;
    struct fixture f;
    char path[300];
    struct snapshots_entry entries[SNAPSHOTS_KEPT];
    open_all(&f, 3, 1);
    (void)snprintf(path, sizeof path, "%s/7.tmp", f.dir[0]);
    assert_int_equal(dir_make(path), OK);
    const struct snapshots_config config = {.chain = f.ledger.chain, .dir = f.dir[0], .interval_blocks = 4};
    assert_int_equal(snapshots_open(&config, &f.snapshots[0]), OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_false(snapshots_want(f.snapshots[0])); /* so short a chain is not worth one */
    snapshots_tick(f.snapshots[0]);
    for (uint64_t round = 0; round < 3; round++) {
        while (chain_head(f.ledger.chain)->header.height % 4 != 0) {
            blocks(&f, 1, 1);
        }
        uint64_t due = chain_head(f.ledger.chain)->header.height;
        snapshots_tick(f.snapshots[0]);
        blocks(&f, 1, 1); /* the ledger goes on meanwhile */
        assert_true(is_made(f.snapshots[0], due));
    }
    assert_int_equal(snapshots_list(f.snapshots[0], entries), 2);
    assert_int_equal(entries[0].height, 12);
    assert_int_equal(entries[1].height, 8);
    (void)snprintf(path, sizeof path, "%s/4", f.dir[0]);
    assert_int_not_equal(access(path, F_OK), 0);
    bool made = false; /* whoever has a view at hand offers it; while the one before is being put away, to no effect */
    for (int i = 0; i < 1000 && !made; i++) {
        struct chain_view view;
        assert_int_equal(chain_view_open(f.ledger.chain, &view), OK);
        snapshots_offer(f.snapshots[0], &view);
        (void)usleep(10000);
        made = snapshots_list(f.snapshots[0], entries) > 0 && entries[0].height == 13;
    }
    assert_true(made);
    close_all(&f);
}

/* A disk that takes no more bytes leaves nothing of it behind. */
static void a_snapshot_that_cannot_be_written_leaves_nothing(void **state) {
    (void)state;
    struct fixture f;
    struct chain_view view;
    struct rlimit before, small;
    char path[300];
    open_all(&f, 9, 4);
    assert_int_equal(chain_view_open(f.ledger.chain, &view), OK);
    const struct snapshot_make_config config = {
        .chain = f.ledger.chain, .view = &view, .dir = f.dir[0], .chunk_target = TARGET};
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err e = snapshot_make(&config);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal(e, OK);
    (void)snprintf(path, sizeof path, "%s/9.tmp", f.dir[0]);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(snapshot_make(&config), OK);
    chain_view_close(&view);
    close_all(&f);
}

/* Nodes that make one at the same height make the same chunks, whatever they had in memory. */
static void the_same_height_gives_the_same_content(void **state) {
    (void)state;
    struct fixture f;
    struct snapshots_entry a[SNAPSHOTS_KEPT], b[SNAPSHOTS_KEPT];
    open_all(&f, 9, 4);
    make(&f, 0);
    assert_int_equal(fixture_reopen(&f.ledger), OK);
    make(&f, 1);
    serve(&f, 0);
    serve(&f, 1);
    assert_int_equal(snapshots_list(f.snapshots[0], a), 1);
    assert_int_equal(snapshots_list(f.snapshots[1], b), 1);
    assert_memory_equal(a[0].content, b[0].content, HASH_LEN);
    close_all(&f);
}

static void a_checkpoint_is_read_from_text(void **state) {
    (void)state;
    struct checkpoint_pin pin;
    assert_int_equal(checkpoint_pin_parse("12:00000000000000000000000000000000000000000000000000000000000000ff", &pin),
                     OK);
    assert_int_equal(pin.height, 12);
    assert_int_equal(pin.hash[31], 0xff);
    assert_int_equal(checkpoint_pin_parse("12", &pin), ERR_MALFORMED);
    assert_int_equal(checkpoint_pin_parse("-1:ff", &pin), ERR_MALFORMED);
    assert_int_equal(checkpoint_pin_parse("12:ff", &pin), ERR_MALFORMED);
}

/* ---- Scale: ASSAY_SNAPSHOT_LEAVES=1000000 for figures that mean something ---- */

static uint64_t own_peak_kib;

/* Resident pages that are no file's: LMDB's map counts as resident too, and the kernel takes that back at will. */
static bool sample(void *arg, uint64_t done, uint64_t total) {
    unsigned long long size = 0, resident = 0, shared = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    (void)arg;
    (void)done;
    (void)total;
    if (file != NULL && fscanf(file, "%llu %llu %llu", &size, &resident, &shared) == 3) {
        uint64_t own_kib = (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
        own_peak_kib = own_kib > own_peak_kib ? own_kib : own_peak_kib;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return true;
}

static bool sample_and_go_on(void *arg) {
    return !sample(arg, 0, 0);
}

static uint64_t cpu_ms(const struct rusage *usage) {
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000 +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1000;
}

/* Each part in a process of its own, so that each shows its own peak. */
static void measured(const char *what, void (*part)(struct fixture *f, uint64_t leaves), struct fixture *f,
                     uint64_t leaves) {
    int status = 0;
    uint64_t started_ms = clock_mono_ms();
    pid_t child = fork();
    if (child == 0) {
        part(f, leaves);
        struct rusage usage;
        (void)getrusage(RUSAGE_SELF, &usage);
        (void)sample(NULL, 0, 0);
        print_message("%s: %llu ms, %llu ms of CPU, peak %ld KiB resident, %llu KiB of it no file's\n", what,
                      (unsigned long long)(clock_mono_ms() - started_ms), (unsigned long long)cpu_ms(&usage),
                      usage.ru_maxrss, (unsigned long long)own_peak_kib);
        (void)fflush(NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static struct kv *scale_store(const struct fixture *f) {
    struct kv_backend backend;
    struct kv *kv;
    assert_int_equal(kv_lmdb_open(f->dir[0], HOME_MAP_BYTES, &backend), OK);
    assert_int_equal(kv_open(backend, &kv), OK);
    return kv;
}

static void scale_fill(struct fixture *f, uint64_t leaves) {
    struct kv *kv = scale_store(f);
    for (uint64_t i = 0; i < leaves;) {
        struct kv_layer *layer;
        struct kv_checkpoint *checkpoint;
        assert_int_equal(kv_layer_new(&layer), OK);
        for (uint64_t end = i + 50000; i < end && i < leaves; i++) {
            uint8_t key[] = "scale\0........", value[48] = {1};
            store_u64(key + 6, i);
            store_u64(value + 8, i);
            assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, 14), bytes_of(value, sizeof value)), OK);
        }
        assert_int_equal(kv_push(kv, layer), OK);
        kv_layer_unref(layer);
        assert_int_equal(kv_checkpoint_begin(kv, &checkpoint), OK);
        assert_int_equal(kv_checkpoint_end(kv, checkpoint, kv_checkpoint_write(checkpoint)), OK);
    }
    kv_close(kv);
}

/* The chunks, and around them an empty block whose state root they make. No certificates: those are others' cases. */
static void scale_make(struct fixture *f, uint64_t leaves) {
    struct kv *kv = scale_store(f);
    struct kv_view *view;
    struct snapshot_manifest m = {.height = 1, .body_count = 1};
    struct snapshot_body_chunk body = {.first = 1};
    struct block_header h = {.height = 1, .time_ms = WORLD_START_MS + 1};
    struct buffer bundle = BUFFER_INIT, chunk = BUFFER_INIT, encoded = BUFFER_INIT;
    char path[300];
    (void)leaves;
    assert_int_equal(kv_view_open(kv, &view), OK);
    const struct snapshot_split_config split = {
        .crypto = &host_crypto, .view = view, .dir = f->dir[1], .stop = sample_and_go_on};
    assert_int_equal(snapshot_split(&split, &m.bits, &m.state), OK);
    memcpy(h.chain_id, f->ledger.world.chain_id, CHAIN_ID_LEN);
    memcpy(m.chain_id, h.chain_id, CHAIN_ID_LEN);
    snapshot_state_root(&host_crypto, &m, h.state_root);
    buffer_put(&bundle, "ASPB\x01\0\0", 7);
    block_header_encode(&h, buffer_extend(&bundle, BLOCK_HEADER_LEN));
    block_header_hash(&host_crypto, bundle.data + 7, m.block);
    memcpy(body.last_hash, m.block, HASH_LEN);
    buffer_u32(&chunk, BLOCK_HEADER_LEN + 4);
    buffer_put(&chunk, bundle.data + 7, BLOCK_HEADER_LEN);
    buffer_u32(&chunk, 0);
    buffer_u16(&bundle, 1);
    body.bytes = (uint32_t)chunk.len;
    m.bodies = &body;
    m.bundle = buffer_bytes(&bundle);
    (void)snprintf(path, sizeof path, "%s/%u", f->dir[1], 1u << m.bits);
    write_bytes(path, buffer_bytes(&chunk));
    assert_int_equal(snapshot_manifest_encode(&host_crypto, &m, &encoded), OK);
    (void)snprintf(path, sizeof path, "%s/manifest", f->dir[1]);
    write_bytes(path, buffer_bytes(&encoded));
    print_message("%u bits, %llu bytes\n", m.bits, (unsigned long long)snapshot_bytes(&m));
    kv_view_close(view);
    kv_close(kv);
}

static void scale_manifest(const struct fixture *f, struct buffer *encoded, struct snapshot_manifest *out) {
    char path[300];
    (void)snprintf(path, sizeof path, "%s/manifest", f->dir[1]);
    assert_int_equal(file_read(path, SNAPSHOT_MANIFEST_MAX, encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&host_crypto, buffer_bytes(encoded), out), OK);
}

static void scale_verify(struct fixture *f, uint64_t leaves) {
    struct buffer encoded = BUFFER_INIT, chunk = BUFFER_INIT;
    struct snapshot_manifest m;
    (void)leaves;
    scale_manifest(f, &encoded, &m);
    for (uint32_t i = 0; i < snapshot_chunk_count(&m); i++) {
        char path[300];
        (void)snprintf(path, sizeof path, "%s/%u", f->dir[1], i);
        buffer_reset(&chunk);
        assert_int_equal(file_read(path, SNAPSHOT_CHUNK_MAX, &chunk), OK);
        assert_int_equal(snapshot_chunk_check(&host_crypto, &m, i, buffer_bytes(&chunk)), OK);
    }
}

static void scale_install(struct fixture *f, uint64_t leaves) {
    struct buffer encoded = BUFFER_INIT;
    struct snapshot_manifest m;
    struct block_header header;
    struct bytes finalization;
    struct why why = WHY_NONE;
    char chunks[300];
    (void)leaves;
    scale_manifest(f, &encoded, &m);
    assert_int_equal(snapshot_epochs(&m, NULL, NULL, &header, &finalization), OK);
    (void)snprintf(chunks, sizeof chunks, "%s/chunks", f->dir[2]);
    assert_int_equal(rename(f->dir[1], chunks), 0);
    const struct snapshot_install_config config = {.genesis = &f->home.genesis,
                                                   .manifest = &m,
                                                   .header = &header,
                                                   .dir = f->dir[2],
                                                   .disk = disk_posix(),
                                                   .state = kv_lmdb_opener(HOME_MAP_BYTES),
                                                   .segment_bytes = 1 << 20,
                                                   .progress = sample};
    enum err e = snapshot_install(&config, &why);
    assert_string_equal(&why, "");
    assert_int_equal(e, OK);
}

static void many_leaves_need_no_more_memory_than_few(void **state) {
    (void)state;
    const char *text = getenv("ASSAY_SNAPSHOT_LEAVES");
    uint64_t leaves = text != NULL ? strtoull(text, NULL, 10) : 20000;
    assert_true(leaves > 0);
    struct fixture f;
    open_all(&f, 1, 0);
    measured("fill", scale_fill, &f, leaves);
    measured("make", scale_make, &f, leaves);
    measured("verify", scale_verify, &f, leaves);
    measured("install", scale_install, &f, leaves);
    close_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_leaves_need_no_more_memory_than_few),
        cmocka_unit_test(a_new_node_joins_and_goes_on),
        cmocka_unit_test(only_the_expiry_window_comes_along),
        cmocka_unit_test(epochs_come_along_with_the_blocks_that_closed_them),
        cmocka_unit_test(a_snapshot_of_a_closing_block_knows_who_follows),
        cmocka_unit_test(a_log_that_reaches_further_is_not_given_up_for_a_snapshot),
        cmocka_unit_test(several_sources_share_the_work_and_a_liar_is_dropped),
        cmocka_unit_test(who_sends_another_manifest_than_it_lists_is_dropped),
        cmocka_unit_test(nothing_is_taken_from_liars_alone),
        cmocka_unit_test(every_flipped_byte_of_a_manifest_is_refused),
        cmocka_unit_test(every_flipped_byte_of_a_body_chunk_is_refused),
        cmocka_unit_test(a_manifest_that_lies_about_its_bodies_is_found_out),
        cmocka_unit_test(a_false_list_takes_no_node_back_below_its_own_blocks),
        cmocka_unit_test(a_snapshot_that_does_not_fit_the_checkpoint_costs_its_source_alone),
        cmocka_unit_test(a_snapshot_whose_bodies_do_not_reach_back_far_enough_is_refused),
        cmocka_unit_test(a_killed_join_goes_on_where_it_was),
        cmocka_unit_test(a_chunk_damaged_on_our_disk_is_fetched_again),
        cmocka_unit_test(an_interrupted_change_of_places_is_completed),
        cmocka_unit_test(a_snapshot_gone_from_everywhere_gives_way_to_a_newer_one),
        cmocka_unit_test(an_old_chain_needs_a_checkpoint_and_a_wrong_one_is_refused),
        cmocka_unit_test(a_checkpoint_file_is_where_the_walk_starts),
        cmocka_unit_test(a_node_far_behind_joins_and_one_close_by_does_not),
        cmocka_unit_test(a_snapshot_in_the_making_is_waited_for),
        cmocka_unit_test(without_configured_sources_the_genesis_names_them),
        cmocka_unit_test(without_sources_a_new_node_just_starts),
        cmocka_unit_test(snapshots_are_made_when_due_and_the_newest_two_stay),
        cmocka_unit_test(a_snapshot_that_cannot_be_written_leaves_nothing),
        cmocka_unit_test(the_same_height_gives_the_same_content),
        cmocka_unit_test(a_checkpoint_is_read_from_text),
    };
    if (crypto_start() != OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
