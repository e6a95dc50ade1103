#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "store/kv_lmdb_internal.h"
#include "tests/lib/kv_model.h"
#include "tests/lib/temp_dir.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MAP_BYTES (1u << 30)

static struct kv *open_in(const char *dir) {
    struct kv_backend backend;
    struct kv *kv;
    assert_int_equal(kv_lmdb_open(dir, MAP_BYTES, &backend), OK);
    assert_int_equal(kv_open(backend, &kv), OK);
    return kv;
}

static void a_store_in_lmdb_does_as_the_model_and_keeps_its_checkpoints(void **state) {
    (void)state;
    struct model_run *run = calloc(1, sizeof *run);
    run->dice.state = 21;
    run->next_value = 1;
    for (int life = 0; life < 6; life++) {
        run->kv = open_in(temp_dir);
        model_check_now(run);
        model_steps(run, 300);
        kv_close(run->kv);
        run->now = run->at_checkpoint; /* what stood above is rebuilt from the block log, not from here */
    }
    free(run);
}

static void put_one(struct kv *kv, enum kv_table table, struct bytes key, struct bytes value) {
    struct kv_layer *layer;
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_put(layer, table, key, value), OK);
    assert_int_equal(kv_push(kv, layer), OK);
    kv_layer_unref(layer);
}

/* Runs in a child that ends without closing anything, as kill -9 would end it. */
static void die_at(int step) {
    struct kv_backend backend;
    struct kv *kv;
    struct kv_checkpoint *c;
    bool good = kv_lmdb_open(temp_dir, MAP_BYTES, &backend) == OK && kv_open(backend, &kv) == OK;
    if (good) {
        put_one(kv, KV_STATE, bytes_str("key"), bytes_str("new"));
        good = kv_checkpoint_begin(kv, &c) == OK;
    }
    if (good && step > 0) {
        good = kv_checkpoint_write(c) == OK;
    }
    if (good && step > 1) {
        good = kv_checkpoint_end(kv, c, OK) == OK;
    }
    _exit(good ? 0 : 1);
}

static void a_crash_around_a_checkpoint_leaves_the_old_or_the_new_one(void **state) {
    (void)state;
    for (int step = 0; step < 3; step++) {
        struct kv *kv = open_in(temp_dir);
        struct kv_checkpoint *c;
        put_one(kv, KV_STATE, bytes_str("key"), bytes_str("old"));
        assert_int_equal(kv_checkpoint_begin(kv, &c), OK);
        assert_int_equal(kv_checkpoint_end(kv, c, kv_checkpoint_write(c)), OK);
        kv_close(kv);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            die_at(step);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        kv = open_in(temp_dir);
        struct kv_view *view;
        struct bytes value;
        assert_int_equal(kv_view_open(kv, &view), OK);
        assert_int_equal(kv_get(view, KV_STATE, bytes_str("key"), &value), OK);
        assert_true(bytes_equal(value, bytes_str(step == 0 ? "old" : "new")));
        kv_view_close(view);
        kv_close(kv);
    }
}

static void a_store_in_use_is_busy(void **state) {
    (void)state;
    struct kv *kv = open_in(temp_dir);
    struct kv_backend second;
    assert_int_equal(kv_lmdb_open(temp_dir, MAP_BYTES, &second), ERR_BUSY);
    kv_close(kv);
    kv = open_in(temp_dir);
    kv_close(kv);
}

static void a_full_map_is_no_space_and_the_old_checkpoint_stays(void **state) {
    (void)state;
    struct kv_backend backend;
    struct kv *kv;
    struct kv_checkpoint *c;
    static uint8_t big[300000];
    assert_int_equal(kv_lmdb_open(temp_dir, 512 * 1024, &backend), OK);
    assert_int_equal(kv_open(backend, &kv), OK);
    put_one(kv, KV_STATE, bytes_str("a"), bytes_str("1"));
    assert_int_equal(kv_checkpoint_begin(kv, &c), OK);
    assert_int_equal(kv_checkpoint_end(kv, c, kv_checkpoint_write(c)), OK);
    put_one(kv, KV_STATE, bytes_str("b"), bytes_of(big, sizeof big));
    put_one(kv, KV_STATE, bytes_str("c"), bytes_of(big, sizeof big));
    assert_int_equal(kv_checkpoint_begin(kv, &c), OK);
    enum err written = kv_checkpoint_write(c);
    assert_int_equal(written, ERR_NOSPACE);
    assert_int_not_equal(kv_lmdb_error()[0], '\0');
    assert_int_equal(kv_checkpoint_end(kv, c, written), ERR_NOSPACE);
    kv_close(kv);
    kv = open_in(temp_dir); /* with more room */
    struct kv_view *view;
    struct bytes value;
    assert_int_equal(kv_view_open(kv, &view), OK);
    assert_int_equal(kv_get(view, KV_STATE, bytes_str("a"), &value), OK);
    assert_int_equal(kv_get(view, KV_STATE, bytes_str("b"), &value), ERR_NOTFOUND);
    kv_view_close(view);
    kv_close(kv);
}

static void what_is_no_store_is_refused(void **state) {
    (void)state;
    char path[128];
    struct kv_backend backend;
    (void)snprintf(path, sizeof path, "%s/data.mdb", temp_dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 20000; i++) {
        (void)fputc('x', f);
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(kv_lmdb_open(temp_dir, MAP_BYTES, &backend), ERR_CORRUPT);
    assert_int_equal(kv_lmdb_open("/nonexistent", MAP_BYTES, &backend), ERR_NOTFOUND);
}

static void a_copy_holds_the_last_checkpoint(void **state) {
    (void)state;
    struct kv_backend backend;
    struct kv *kv;
    struct kv_checkpoint *c;
    char copy[100];
    (void)snprintf(copy, sizeof copy, "%s-copy", temp_dir);
    assert_int_equal(mkdir(copy, 0700), 0);
    assert_int_equal(kv_lmdb_open(temp_dir, MAP_BYTES, &backend), OK);
    assert_int_equal(kv_open(backend, &kv), OK);
    put_one(kv, KV_STATE, bytes_str("a"), bytes_str("1"));
    assert_int_equal(kv_checkpoint_begin(kv, &c), OK);
    assert_int_equal(kv_checkpoint_end(kv, c, kv_checkpoint_write(c)), OK);
    put_one(kv, KV_STATE, bytes_str("b"), bytes_str("2"));
    assert_int_equal(kv_lmdb_copy(&backend, copy), OK);
    kv_close(kv);
    kv = open_in(copy);
    struct kv_view *view;
    struct bytes value;
    assert_int_equal(kv_view_open(kv, &view), OK);
    assert_int_equal(kv_get(view, KV_STATE, bytes_str("a"), &value), OK);
    assert_int_equal(kv_get(view, KV_STATE, bytes_str("b"), &value), ERR_NOTFOUND);
    kv_view_close(view);
    kv_close(kv);
    assert_int_equal(temp_dir_wipe(copy), 0);
}

static void checkpoint(struct kv *kv) {
    struct kv_checkpoint *c;
    assert_int_equal(kv_checkpoint_begin(kv, &c), OK);
    assert_int_equal(kv_checkpoint_end(kv, c, kv_checkpoint_write(c)), OK);
}

static void who_looks_reads_beside_the_writer_and_changes_nothing(void **state) {
    (void)state;
    struct kv_backend backend;
    struct kv_view *view, *later;
    struct bytes value;
    assert_int_equal(kv_lmdb_look(temp_dir, MAP_BYTES, &backend), ERR_NOTFOUND);
    struct kv *kv = open_in(temp_dir), *look;
    put_one(kv, KV_STATE, bytes_str("a"), bytes_str("1"));
    checkpoint(kv);
    assert_int_equal(kv_lmdb_look(temp_dir, MAP_BYTES, &backend), OK);
    assert_int_equal(kv_open(backend, &look), OK);
    assert_int_equal(kv_view_open(look, &view), OK);
    put_one(kv, KV_STATE, bytes_str("a"), bytes_str("2"));
    checkpoint(kv);
    assert_int_equal(kv_get(view, KV_STATE, bytes_str("a"), &value), OK);
    assert_true(bytes_equal(value, bytes_str("1")));
    assert_int_equal(kv_view_open(look, &later), OK);
    assert_int_equal(kv_get(later, KV_STATE, bytes_str("a"), &value), OK);
    assert_true(bytes_equal(value, bytes_str("2")));
    struct kv_layer *layer;
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_str("a"), bytes_str("3")), OK);
    assert_int_equal(backend.ops->commit(backend.ctx, layer), ERR_DENIED);
    kv_layer_unref(layer);
    kv_view_close(view);
    kv_view_close(later);
    kv_close(look);
    kv_close(kv);
}

static void a_view_of_the_floor_sees_what_a_crash_leaves(void **state) {
    (void)state;
    struct kv *kv = open_in(temp_dir);
    struct kv_view *view;
    struct bytes value;
    put_one(kv, KV_STATE, bytes_str("a"), bytes_str("1"));
    checkpoint(kv);
    put_one(kv, KV_STATE, bytes_str("a"), bytes_str("2"));
    assert_int_equal(kv_view_open_floor(kv, &view), OK);
    assert_int_equal(kv_get(view, KV_STATE, bytes_str("a"), &value), OK);
    assert_true(bytes_equal(value, bytes_str("1")));
    kv_view_close(view);
    kv_close(kv);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

#define ENTRIES 3000u

static struct bytes entry_key(uint32_t i, uint8_t out[16]) {
    memset(out, 'k', 16);
    store_u32(out, i * 2654435761u);
    return bytes_of(out, 16);
}

static struct bytes entry_value(uint32_t i, uint8_t out[9000]) {
    size_t len = i % 100 == 0 ? 9000 : 20 + i % 70;
    for (size_t n = 0; n < len; n++) {
        out[n] = (uint8_t)(i + n * 7);
    }
    return bytes_of(out, len);
}

static void fill_with_entries(void) {
    struct kv *kv = open_in(temp_dir);
    uint8_t key[16], value[9000];
    for (uint32_t round = 0; round < 3; round++) {
        struct kv_layer *layer;
        assert_int_equal(kv_layer_new(&layer), OK);
        for (uint32_t i = round; i < ENTRIES; i += 3) {
            assert_int_equal(kv_layer_put(layer, KV_STATE, entry_key(i, key), entry_value(i, value)), OK);
        }
        assert_int_equal(kv_push(kv, layer), OK);
        kv_layer_unref(layer);
        checkpoint(kv);
    }
    kv_close(kv);
}

struct damage {
    size_t wrong, refused, missing;
};

/* Reads every entry by its key, and all of them in order; what comes must be right or refused. */
static void read_all(struct kv_view *view, struct damage *out) {
    uint8_t key[16], value[9000], from[KV_KEY_MAX + 1];
    struct bytes got, at = bytes_of("", 0), found;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        enum err e = kv_get(view, KV_STATE, entry_key(i, key), &got);
        out->wrong += e == OK && !bytes_equal(got, entry_value(i, value));
        out->missing += e == ERR_NOTFOUND;
        out->refused += e != OK && e != ERR_NOTFOUND;
    }
    for (uint32_t n = 0; n < ENTRIES && kv_seek(view, KV_STATE, at, &found, &got) == OK; n++) {
        memcpy(from, found.data, found.len);
        from[found.len] = 0;
        at = bytes_of(from, found.len + 1);
    }
}

static void flip(const char *path, long offset, int bit) {
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    int byte = fgetc(f);
    assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    assert_int_not_equal(fputc(byte ^ 1 << bit, f), EOF);
    assert_int_equal(fclose(f), 0);
}

static void a_flipped_bit_anywhere_gives_no_wrong_value_and_no_crash(void **state) {
    (void)state;
    char path[128];
    struct damage sum = {0};
    struct dice dice = {77};
    size_t unopened = 0;
    fill_with_entries();
    (void)snprintf(path, sizeof path, "%s/data.mdb", temp_dir);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    uint64_t size = (uint64_t)ftell(f);
    assert_int_equal(fclose(f), 0);
    for (int i = 0; i < 400; i++) {
        /* Every other one where a page's own bookkeeping lies. */
        long offset = (long)dice_below(&dice, size);
        offset = i % 2 == 0 ? offset : offset / 4096 * 4096 + (long)dice_below(&dice, 64);
        int bit = (int)dice_below(&dice, 8);
        struct kv_backend backend;
        struct kv *kv;
        struct kv_view *view;
        flip(path, offset, bit);
        if (kv_lmdb_look(temp_dir, MAP_BYTES, &backend) != OK) {
            unopened++;
        } else {
            assert_int_equal(kv_open(backend, &kv), OK);
            assert_int_equal(kv_view_open(kv, &view), OK);
            read_all(view, &sum);
            kv_view_close(view);
            kv_close(kv);
        }
        flip(path, offset, bit);
    }
    assert_int_equal(sum.wrong, 0);
    assert_true(sum.refused > 0);
    struct kv *kv = open_in(temp_dir);
    struct kv_view *view;
    struct damage none = {0};
    assert_int_equal(kv_view_open(kv, &view), OK);
    read_all(view, &none);
    assert_int_equal(none.wrong + none.refused + none.missing, 0);
    kv_view_close(view);
    kv_close(kv);
    print_message("400 flips: %zu reads refused, %zu entries not found, %zu times not opened\n", sum.refused,
                  sum.missing, unopened);
}

static void the_checksum_is_that_of_the_documented_example(void **state) {
    (void)state;
    uint8_t value[8];
    store_u64(value, 0x41b);
    assert_int_equal(kv_lmdb_checksum(KV_META, bytes_str("bodies"), bytes_of(value, sizeof value)), 0x32434aef);
}

static void a_damaged_value_is_named_by_table_and_key(void **state) {
    (void)state;
    char path[128];
    struct kv *kv = open_in(temp_dir);
    put_one(kv, KV_TXS, bytes_str("key"), bytes_str("a value to be found again"));
    checkpoint(kv);
    kv_close(kv);
    (void)snprintf(path, sizeof path, "%s/data.mdb", temp_dir);
    struct buffer b = BUFFER_INIT;
    assert_int_equal(file_read(path, 16u << 20, &b), OK);
    const uint8_t *at = memmem(b.data, b.len, "to be found", 11);
    assert_non_null(at);
    flip(path, at - b.data, 3);
    buffer_free(&b);
    struct kv_view *view;
    struct bytes value, found;
    kv = open_in(temp_dir);
    assert_int_equal(kv_view_open(kv, &view), OK);
    assert_int_equal(kv_get(view, KV_TXS, bytes_str("key"), &value), ERR_CORRUPT);
    assert_string_equal(kv_lmdb_error(), "table txs, key 6b6579: an entry whose checksum does not fit");
    assert_int_equal(kv_seek(view, KV_TXS, bytes_str("a"), &found, &value), ERR_CORRUPT);
    assert_int_equal(kv_seek_back(view, KV_TXS, bytes_str("z"), &found, &value), ERR_CORRUPT);
    kv_view_close(view);
    kv_close(kv);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

struct reading {
    struct kv *kv;
    uint64_t block;
    enum err result;
};

/* A view opened after block n was pushed shows block n or a later one, whatever checkpoint runs. */
static void *read_later(void *arg) {
    struct reading *r = arg;
    for (int i = 0; i < 300 && r->result == OK; i++) {
        struct kv_view *view;
        struct bytes value;
        uint64_t least = __atomic_load_n(&r->block, __ATOMIC_ACQUIRE);
        r->result = kv_view_open(r->kv, &view);
        if (r->result != OK) {
            break;
        }
        r->result = kv_get(view, KV_META, bytes_str("block"), &value);
        if (r->result == OK && load_u64(value.data) < least) {
            r->result = ERR_MISMATCH;
        }
        kv_view_close(view);
    }
    return NULL;
}

static void views_on_other_threads_never_go_back(void **state) {
    (void)state;
    struct reading r = {.kv = open_in(temp_dir)};
    pthread_t reader;
    uint8_t value[8] = {0};
    put_one(r.kv, KV_META, bytes_str("block"), bytes_of(value, 8));
    assert_int_equal(pthread_create(&reader, NULL, read_later, &r), 0);
    for (uint64_t n = 1; n < 200; n++) {
        struct kv_checkpoint *c;
        store_u64(value, n);
        put_one(r.kv, KV_META, bytes_str("block"), bytes_of(value, 8));
        __atomic_store_n(&r.block, n, __ATOMIC_RELEASE);
        if (n % 4 == 0) {
            assert_int_equal(kv_checkpoint_begin(r.kv, &c), OK);
            assert_int_equal(kv_checkpoint_end(r.kv, c, kv_checkpoint_write(c)), OK);
        }
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(r.result, OK);
    kv_close(r.kv);
}

static void as_many_views_as_there_are_readers_can_be_open(void **state) {
    (void)state;
    struct kv *kv = open_in(temp_dir);
    struct kv_view *views[512];
    struct kv_view *one_more;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 512; i++) {
            assert_int_equal(kv_view_open(kv, &views[i]), OK);
        }
        assert_int_equal(kv_view_open(kv, &one_more), ERR_FULL);
        for (size_t i = 0; i < 512; i++) {
            kv_view_close(views[i]);
        }
    }
    kv_close(kv);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, temp_dir_make, temp_dir_remove)
    const struct CMUnitTest tests[] = {
        CASE(a_store_in_lmdb_does_as_the_model_and_keeps_its_checkpoints),
        CASE(a_crash_around_a_checkpoint_leaves_the_old_or_the_new_one),
        CASE(a_store_in_use_is_busy),
        CASE(a_full_map_is_no_space_and_the_old_checkpoint_stays),
        CASE(what_is_no_store_is_refused),
        CASE(a_copy_holds_the_last_checkpoint),
        CASE(who_looks_reads_beside_the_writer_and_changes_nothing),
        CASE(a_view_of_the_floor_sees_what_a_crash_leaves),
        CASE(a_flipped_bit_anywhere_gives_no_wrong_value_and_no_crash),
        cmocka_unit_test(the_checksum_is_that_of_the_documented_example),
        CASE(a_damaged_value_is_named_by_table_and_key),
        CASE(views_on_other_threads_never_go_back),
        CASE(as_many_views_as_there_are_readers_can_be_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
