/* Figures of store/: the log, the tree, the key-value store. Takes a folder to work in; prints one figure a line. */
#include "base/clock.h"
#include "base/sha256.h"
#include "store/seglog.h"
#include "store/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD 4096
#define LEAVES 100000u
#define BATCH 1000u
#define BLOCKS 1000000u

static void check(enum err e, const char *what) {
    if (e != OK) {
        (void)fprintf(stderr, "%s: %s %s\n", what, err_text(e), seglog_error());
        exit(1);
    }
}

static void say(const char *what, double value, const char *unit) {
    (void)printf("%-44s %12.2f %s\n", what, value, unit);
}

static double seconds_since(uint64_t start_ns) {
    return (double)(clock_mono_ns() - start_ns) / 1e9;
}

static void hash_init(struct hash_state *state) {
    sha256_init((struct sha256 *)(void *)state);
}
static void hash_update(struct hash_state *state, const void *data, size_t len) {
    sha256_update((struct sha256 *)(void *)state, data, len);
}
static void hash_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    sha256_final((struct sha256 *)(void *)state, out);
}
static const struct verify_crypto crypto = {
    .hash_init = hash_init, .hash_update = hash_update, .hash_final = hash_final};

/* ---- The log ---------------------------------------------------------------------------------------------------- */

static struct seglog *open_log(const char *dir, const char *stem, uint64_t trusted_below) {
    struct seglog_config config = {
        .disk = disk_posix(), .dir = dir, .stem = stem, .segment_bytes = 64u << 20, .trusted_below = trusted_below};
    struct seglog *log;
    check(seglog_open(&config, NULL, NULL, &log), "log");
    return log;
}

static void bench_sync(const char *dir) {
    static const uint8_t record[RECORD];
    struct seglog *log = open_log(dir, "sync", 0);
    uint64_t sequence, start = clock_mono_ns();
    const int count = 5000;
    for (int i = 0; i < count; i++) {
        check(seglog_append(log, 1, bytes_of(record, sizeof record), &sequence), "append");
        check(seglog_sync(log), "sync");
    }
    say("log: append 4 KiB and sync", count / seconds_since(start), "/s");
    seglog_close(log);
}

static void bench_open(const char *dir) {
    static uint8_t record[700];
    struct seglog *log = open_log(dir, "blocks", 0);
    uint64_t sequence, start = clock_mono_ns();
    for (uint32_t i = 0; i < BLOCKS; i++) {
        store_u32(record, i);
        check(seglog_append(log, 1, bytes_of(record, sizeof record), &sequence), "append");
    }
    check(seglog_sync(log), "sync");
    say("log: append 700 B", BLOCKS / seconds_since(start), "/s");
    seglog_close(log);
    start = clock_mono_ns();
    log = open_log(dir, "blocks", BLOCKS - 1000);
    say("log: open, 1,000,000 records, all but 1,000 trusted", seconds_since(start) * 1000, "ms");
    struct buffer b = BUFFER_INIT;
    uint8_t type;
    start = clock_mono_ns();
    check(seglog_read(log, 12345, &type, &b), "read");
    say("log: first read in a segment not yet indexed", seconds_since(start) * 1000, "ms");
    start = clock_mono_ns();
    for (uint64_t i = 0; i < 100000; i++) {
        buffer_reset(&b);
        check(seglog_read(log, 1 + i * 7919 % 50000, &type, &b), "read");
    }
    say("log: read one record", seconds_since(start) * 1e6 / 100000, "us");
    start = clock_mono_ns();
    check(seglog_verify(log), "verify");
    say("log: verify 1,000,000 records", seconds_since(start) * 1000, "ms");
    buffer_free(&b);
    seglog_close(log);
}

/* ---- The tree and the store -------------------------------------------------------------------------------------- */

struct bench {
    struct kv *kv;
    struct tree_cache *cache;
    struct tree_root root;
    uint64_t next_id, height;
};

static void nth_key(uint64_t n, uint8_t out[SHA256_LEN]) {
    sha256(&n, sizeof n, out);
}

/* One block's writes: `count` leaves and their flat copies. Gives the time the tree alone took. */
static double write_block(struct bench *b, uint64_t from, uint64_t step, size_t count, uint64_t salt) {
    static struct tree_change changes[BATCH];
    struct kv_layer *layer;
    struct kv_view *view;
    check(kv_layer_new(&layer), "layer");
    for (size_t i = 0; i < count; i++) {
        uint64_t n = (from + i * step) % LEAVES, value = n ^ salt;
        nth_key(n, changes[i].key);
        sha256(&value, sizeof value, changes[i].value_hash);
        check(kv_layer_put(layer, KV_STATE, bytes_of(changes[i].key, SHA256_LEN), bytes_of(&value, sizeof value)),
              "put");
    }
    check(kv_view_open_above(b->kv, &layer, 1, &view), "view");
    uint64_t start = clock_mono_ns();
    check(tree_update(&crypto, view, b->cache, b->root, changes, count, ++b->height, &b->next_id, layer, &b->root),
          "update");
    double spent = seconds_since(start);
    kv_view_close(view);
    check(kv_push(b->kv, layer), "push");
    kv_layer_unref(layer);
    return spent;
}

static void checkpoint(struct kv *kv) {
    struct kv_checkpoint *c;
    check(kv_checkpoint_begin(kv, &c), "checkpoint");
    check(kv_checkpoint_end(kv, c, kv_checkpoint_write(c)), "checkpoint");
}

static void bench_get(struct bench *b, const char *what, bool present) {
    struct kv_view *view;
    uint8_t key[SHA256_LEN];
    struct bytes value;
    const uint64_t count = 200000;
    check(kv_view_open(b->kv, &view), "view");
    double hashing = 0;
    uint64_t start = clock_mono_ns();
    for (uint64_t i = 0; i < count; i++) {
        nth_key(i * 7919 % LEAVES + (present ? 0 : LEAVES), key);
    }
    hashing = seconds_since(start);
    start = clock_mono_ns();
    for (uint64_t i = 0; i < count; i++) {
        nth_key(i * 7919 % LEAVES + (present ? 0 : LEAVES), key);
        enum err e = kv_get(view, KV_STATE, bytes_of(key, sizeof key), &value);
        check(e == ERR_NOTFOUND && !present ? OK : e, "get");
    }
    say(what, (seconds_since(start) - hashing) * 1e9 / (double)count, "ns");
    kv_view_close(view);
}

static void bench_views(struct kv *kv) {
    struct kv_view *view;
    const int count = 200000;
    uint64_t start = clock_mono_ns();
    for (int i = 0; i < count; i++) {
        check(kv_view_open(kv, &view), "view");
        kv_view_close(view);
    }
    say("kv: open and close a view", seconds_since(start) * 1e9 / count, "ns");
}

static void bench_tree(const char *dir) {
    struct kv_backend backend;
    struct bench b = {.next_id = 1};
    check(kv_lmdb_open(dir, (uint64_t)64 << 30, &backend), "lmdb");
    check(kv_open(backend, &b.kv), "kv");
    check(tree_cache_new(65536, &b.cache), "cache");
    double spent = 0;
    for (uint64_t at = 0; at < LEAVES; at += BATCH) {
        spent += write_block(&b, at, 1, BATCH, 0);
    }
    say("tree: insert to 100,000 leaves, batches of 1,000", spent * 1e6 / LEAVES, "us/leaf");
    bench_get(&b, "kv: get from layers", true);
    uint64_t start = clock_mono_ns();
    size_t pending = kv_pending_bytes(b.kv);
    checkpoint(b.kv);
    say("kv: checkpoint", (double)pending / 1e6 / seconds_since(start), "MB/s");
    bench_get(&b, "kv: get from LMDB", true);
    bench_get(&b, "kv: get of what is not there", false);
    spent = 0;
    for (uint64_t i = 0; i < 20; i++) {
        spent += write_block(&b, i * 31, 97, BATCH, i + 1);
    }
    say("tree: change 1,000 of 100,000 leaves", spent * 1e6 / 20 / BATCH, "us/leaf");
    spent = 0;
    for (uint64_t i = 0; i < 500; i++) {
        spent += write_block(&b, i * 7919, 1, 1, i + 100);
    }
    say("tree: change 1 of 100,000 leaves", spent * 1e6 / 500, "us/leaf");
    bench_get(&b, "kv: get through layers over LMDB", true);
    bench_views(b.kv);
    kv_close(b.kv);
    tree_cache_free(b.cache);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_store FOLDER\n");
        return 2;
    }
    bench_sync(argv[1]);
    bench_open(argv[1]);
    bench_tree(argv[1]);
    return 0;
}
