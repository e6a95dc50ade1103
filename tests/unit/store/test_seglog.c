#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/crc32c.h"
#include "store/seglog.h"
#include "store/seglog_format.h"
#include "tests/lib/fake_disk.h"
#include "tests/lib/temp_dir.h"

#include <stdatomic.h>
#include <sys/stat.h>

#define RECORDS_MAX 20000
#define SEGMENT 8192

/* What every record should be: a number that its bytes and its length come from. */
struct expected {
    uint32_t content[RECORDS_MAX];
    uint64_t next; /* sequence that the replay must give now */
};

static struct bytes content_bytes(uint32_t content, uint8_t out[4000]) {
    struct dice dice = {content};
    uint32_t below = content % 5 == 0 ? 3000 : 120;
    size_t len = content % 7 == 0 ? 0 : dice_below(&dice, below);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)dice_roll(&dice);
    }
    return bytes_of(out, len);
}

static uint8_t content_type(uint32_t content) {
    return (uint8_t)(content % SEGLOG_TYPE_MAX);
}

static enum err replay(void *arg, uint64_t sequence, uint8_t type, struct bytes record) {
    struct expected *x = arg;
    uint8_t bytes[4000];
    assert_int_equal(sequence, x->next);
    assert_int_equal(type, content_type(x->content[sequence]));
    assert_true(bytes_equal(record, content_bytes(x->content[sequence], bytes)));
    x->next++;
    return OK;
}

static struct seglog_config config_of(struct fake_disk *d) {
    return (struct seglog_config){.disk = fake_disk_of(d), .dir = "/logs", .stem = "test", .segment_bytes = SEGMENT};
}

static enum err try_open(struct fake_disk *d, struct expected *x, uint64_t first, struct seglog **out) {
    struct seglog_config config = config_of(d);
    x->next = first;
    return seglog_open(&config, replay, x, out);
}

static void append(struct seglog *log, struct expected *x, uint32_t content) {
    uint8_t bytes[4000];
    uint64_t sequence;
    assert_int_equal(seglog_append(log, content_type(content), content_bytes(content, bytes), &sequence), OK);
    x->content[sequence] = content;
}

static void close_as_killed(struct fake_disk *d, struct seglog *log) {
    d->dead = true;
    seglog_close(log);
    d->dead = false;
}

static void assert_reads(struct seglog *log, const struct expected *x) {
    struct buffer b = BUFFER_INIT;
    uint8_t bytes[4000], type;
    for (uint64_t s = seglog_first(log); s <= seglog_last(log); s++) {
        buffer_reset(&b);
        assert_int_equal(seglog_read(log, s, &type, &b), OK);
        assert_int_equal(type, content_type(x->content[s]));
        assert_true(bytes_equal(buffer_bytes(&b), content_bytes(x->content[s], bytes)));
    }
    assert_int_equal(seglog_read(log, seglog_first(log) - 1, &type, &b), ERR_NOTFOUND);
    assert_int_equal(seglog_read(log, seglog_last(log) + 1, &type, &b), ERR_NOTFOUND);
    buffer_free(&b);
}

/* ---- The good path ---------------------------------------------------------------------------------------------- */

static void checksums_are_castagnolis(void **state) {
    (void)state;
    uint8_t bytes[300];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
    struct dice dice = {1};
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)dice_roll(&dice);
    }
    for (size_t n = 0; n < sizeof bytes; n++) {
        uint32_t whole = crc32c(7, bytes, n);
        assert_int_equal(whole, crc32c_portable(7, bytes, n));
        assert_int_equal(whole, crc32c(crc32c(7, bytes, n / 3), bytes + n / 3, n - n / 3));
    }
}

static void bytes_are_those_of_the_documented_example(void **state) {
    (void)state;
    const uint64_t salt = 0x0102030405060708;
    uint8_t segment[SEGMENT_HEADER_LEN], header[RECORD_HEADER_LEN];
    char hex[2 * SEGMENT_HEADER_LEN + 1];
    segment_header_encode(1, salt, segment);
    hex_encode(segment, sizeof segment, hex);
    assert_string_equal(hex, "41535341594c4f4700000001000000000000000000000001010203040506070800000000a8b9b8d6");
    struct record_header h = {.sequence = 1, .length = 3, .type = 1}, read;
    record_header_encode(&h, salt, bytes_str("abc"), header);
    hex_encode(header, sizeof header, hex);
    assert_string_equal(hex, "000000000000000100000000000000000000000301000000378e70f7391f32c1");
    assert_true(record_header_decode(header, salt, &read));
    assert_true(record_is_whole(header, &read, (const uint8_t *)"abc"));
    assert_false(record_is_whole(header, &read, (const uint8_t *)"abd"));
    assert_false(record_header_decode(header, salt + 1, &read));
}

static void records_come_back_in_order_over_many_segments(void **state) {
    (void)state;
    struct fake_disk *d = fake_disk_new(1);
    struct expected *x = calloc(1, sizeof *x);
    struct seglog *log;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    assert_int_equal(seglog_first(log), 1);
    assert_int_equal(seglog_last(log), 0);
    for (uint32_t i = 1; i <= 300; i++) {
        append(log, x, i);
        if (i % 10 == 0) {
            assert_int_equal(seglog_sync(log), OK);
        }
        if (i % 100 == 0) {
            assert_reads(log, x);
            seglog_close(log);
            assert_int_equal(try_open(d, x, 1, &log), OK);
            assert_int_equal(x->next, i + 1);
            assert_int_equal(seglog_cut(log), 0);
            assert_reads(log, x);
        }
    }
    assert_int_equal(seglog_verify(log), OK);
    assert_string_equal(seglog_error(), "");
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

static void one_sync_is_one_sync_and_an_idle_one_none(void **state) {
    (void)state;
    struct fake_disk *d = fake_disk_new(1);
    struct expected *x = calloc(1, sizeof *x);
    struct seglog *log;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    append(log, x, 1);
    assert_int_equal(seglog_sync(log), OK);
    size_t before = d->syncs;
    append(log, x, 2);
    append(log, x, 3);
    assert_int_equal(seglog_sync(log), OK);
    assert_int_equal(seglog_sync(log), OK);
    assert_int_equal(d->syncs, before + 1);
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

static enum err count_replay(void *arg, uint64_t sequence, uint8_t type, struct bytes record) {
    (void)type;
    (void)record;
    uint64_t *count = arg;
    *count += 1;
    return sequence == 3 ? ERR_MISMATCH : OK;
}

static void a_large_record_gets_a_segment_and_limits_are_kept(void **state) {
    (void)state;
    struct fake_disk *d = fake_disk_new(1);
    struct seglog_config config = config_of(d);
    struct seglog *log;
    uint64_t sequence, count = 0;
    uint8_t type;
    size_t large = 3 * SEGMENT;
    uint8_t *bytes = calloc(1, (size_t)SEGLOG_RECORD_MAX + 1);
    struct buffer b = BUFFER_INIT;
    bytes[large - 1] = 9;
    assert_int_equal(seglog_open(&config, NULL, NULL, &log), OK);
    assert_int_equal(seglog_append(log, 1, bytes_str("small"), &sequence), OK);
    assert_int_equal(seglog_append(log, 1, bytes_of(bytes, large), &sequence), OK);
    assert_int_equal(seglog_append(log, 1, bytes_str("small"), &sequence), OK);
    assert_int_equal(sequence, 3);
    assert_int_equal(seglog_append(log, 1, bytes_of(bytes, (size_t)SEGLOG_RECORD_MAX + 1), &sequence), ERR_TOOLARGE);
    assert_int_equal(seglog_append(log, 0xff, bytes_str("x"), &sequence), ERR_RANGE);
    assert_int_equal(seglog_sync(log), OK);
    assert_int_equal(seglog_read(log, 2, &type, &b), OK);
    assert_true(bytes_equal(buffer_bytes(&b), bytes_of(bytes, large)));
    seglog_close(log);
    assert_int_equal(seglog_open(&config, count_replay, &count, &log), ERR_MISMATCH);
    assert_int_equal(count, 3);
    config.segment_bytes = 100;
    assert_int_equal(seglog_open(&config, NULL, NULL, &log), ERR_RANGE);
    buffer_free(&b);
    free(bytes);
    fake_disk_free(d);
}

/* ---- Torn tails ------------------------------------------------------------------------------------------------- */

static const char segment_one[] = "/logs/test-0000000000000001.log";

/* A log of four synced records and a fifth that was not; the disk as a kill would leave it. */
static struct fake_disk *disk_with_five(struct expected *x, size_t *out_fifth, size_t *out_end) {
    static const uint32_t contents[5] = {11, 12, 13, 16, 17};
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    uint8_t bytes[4000];
    assert_int_equal(try_open(d, x, 1, &log), OK);
    size_t at = 40;
    for (size_t i = 0; i < 5; i++) {
        append(log, x, contents[i]);
        *out_fifth = at;
        at += (32 + content_bytes(contents[i], bytes).len + 7) & ~(size_t)7;
        if (i < 4) {
            assert_int_equal(seglog_sync(log), OK);
        }
    }
    *out_end = at;
    close_as_killed(d, log);
    return d;
}

static void a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on(void **state) {
    (void)state;
    for (int truncate = 0; truncate < 2; truncate++) {
        for (size_t torn = 0;; torn++) {
            struct expected *x = calloc(1, sizeof *x);
            size_t fifth, end;
            struct fake_disk *d = disk_with_five(x, &fifth, &end);
            struct seglog *log;
            uint8_t bytes[4000];
            size_t real = fifth + 32 + content_bytes(x->content[5], bytes).len;
            bool done = fifth + torn == real;
            struct fake_inode *file = fake_file(d, segment_one);
            if (truncate) {
                file->len = fifth + torn;
            } else {
                memset(file->data + fifth + torn, 0, end - fifth - torn);
            }
            assert_int_equal(try_open(d, x, 1, &log), OK);
            uint64_t last = done ? 5 : 4;
            /* A byte that is zero anyway may be missing without anybody's loss. */
            if (!done && !truncate && seglog_last(log) == 5) {
                last = 5;
                assert_true(torn + 8 > real - fifth);
            }
            assert_int_equal(seglog_last(log), last);
            assert_true(last == 5 || torn <= 8 || truncate || seglog_cut(log) > 0);
            append(log, x, 21);
            append(log, x, 22);
            assert_int_equal(seglog_sync(log), OK);
            seglog_close(log);
            assert_int_equal(try_open(d, x, 1, &log), OK);
            assert_int_equal(seglog_last(log), last + 2);
            assert_int_equal(seglog_cut(log), 0);
            seglog_close(log);
            fake_disk_free(d);
            free(x);
            if (done) {
                break;
            }
        }
    }
}

static void an_unsynced_batch_with_a_hole_is_cut_whole_and_never_comes_back(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    uint8_t bytes[4000];
    assert_int_equal(try_open(d, x, 1, &log), OK);
    append(log, x, 11);
    assert_int_equal(seglog_sync(log), OK);
    size_t second = 40 + ((32 + content_bytes(11, bytes).len + 7) & ~(size_t)7);
    append(log, x, 12);
    append(log, x, 13);
    append(log, x, 16);
    close_as_killed(d, log);
    memset(fake_file(d, segment_one)->data + second, 0, 32); /* of three, the first was lost */
    assert_int_equal(try_open(d, x, 1, &log), OK);
    assert_int_equal(seglog_last(log), 1);
    assert_true(seglog_cut(log) > 0);
    append(log, x, 12); /* the same again: what stood behind it fits its place exactly */
    assert_int_equal(seglog_sync(log), OK);
    close_as_killed(d, log);
    assert_int_equal(try_open(d, x, 1, &log), OK);
    assert_int_equal(seglog_last(log), 2);
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

static void a_flipped_bit_in_what_was_synced_is_found_and_named(void **state) {
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        struct expected *x = calloc(1, sizeof *x);
        size_t fifth, end;
        struct fake_disk *d = disk_with_five(x, &fifth, &end);
        struct seglog *log;
        if (closed) { /* a clean close vouches for the last record too */
            assert_int_equal(try_open(d, x, 1, &log), OK);
            seglog_close(log);
        }
        struct fake_inode *file = fake_file(d, segment_one);
        for (size_t at = 0; at < (closed ? end : fifth); at++) {
            uint8_t old = file->data[at];
            file->data[at] ^= (uint8_t)(1u << at % 8);
            enum err e = try_open(d, x, 1, &log);
            /* Padding is the only thing that nothing depends on. */
            if (e == OK) {
                assert_int_equal(seglog_last(log), 5);
                assert_int_equal(old, 0);
                close_as_killed(d, log);
            } else {
                assert_int_equal(e, ERR_CORRUPT);
                assert_non_null(strstr(seglog_error(), segment_one));
                assert_non_null(strstr(seglog_error(), "offset"));
            }
            file->data[at] = old;
        }
        assert_int_equal(try_open(d, x, 1, &log), OK);
        seglog_close(log);
        fake_disk_free(d);
        free(x);
    }
}

static void a_missing_segment_is_a_hole(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    uint64_t firsts[100] = {1};
    size_t segments = 1;
    for (uint32_t i = 1; i < 300; i++) {
        char path[64];
        append(log, x, i);
        (void)snprintf(path, sizeof path, "/logs/test-%016x.log", i);
        if (i > 1 && fake_file(d, path) != NULL) {
            firsts[segments++] = i;
        }
    }
    assert_int_equal(seglog_sync(log), OK);
    seglog_close(log);
    assert_true(segments > 4);
    char path[64];
    (void)snprintf(path, sizeof path, "/logs/test-%016llx.log", (unsigned long long)firsts[2]);
    assert_int_equal(fake_remove(d, path), OK);
    assert_int_equal(try_open(d, x, 1, &log), ERR_CORRUPT);
    (void)snprintf(path, sizeof path, "record %llu ", (unsigned long long)firsts[2]);
    assert_non_null(strstr(seglog_error(), path));
    fake_disk_free(d);
    free(x);
}

static void trusted_records_are_neither_read_nor_replayed_but_verified_when_asked(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog_config config = config_of(d);
    struct seglog *log;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    for (uint32_t i = 1; i <= 300; i++) {
        append(log, x, i);
    }
    assert_int_equal(seglog_sync(log), OK);
    seglog_close(log);
    config.trusted_below = 291;
    x->next = 291;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    assert_int_equal(x->next, 301);
    assert_int_equal(seglog_first(log), 1);
    assert_reads(log, x);
    assert_int_equal(seglog_verify(log), OK);
    seglog_close(log);
    struct fake_inode *file = fake_file(d, segment_one);
    file->data[40 + 32 + 1] ^= 1; /* in the bytes of record 1 */
    x->next = 291;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    assert_int_equal(seglog_verify(log), ERR_CORRUPT);
    assert_non_null(strstr(seglog_error(), "record 1 "));
    struct buffer b = BUFFER_INIT;
    uint8_t type;
    assert_int_equal(seglog_read(log, 1, &type, &b), ERR_CORRUPT);
    assert_int_equal(b.len, 0);
    assert_int_equal(seglog_read(log, 2, &type, &b), OK);
    buffer_free(&b);
    seglog_close(log);
    config.trusted_below = 302; /* a checkpoint that knows more than the log */
    assert_int_equal(seglog_open(&config, replay, x, &log), ERR_CORRUPT);
    fake_disk_free(d);
    free(x);
}

/* ---- Faults of the disk ----------------------------------------------------------------------------------------- */

static void after_a_failed_sync_nothing_more_is_taken(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    uint64_t sequence = 77;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    append(log, x, 11);
    assert_int_equal(seglog_sync(log), OK);
    append(log, x, 12);
    d->syncs_before_fail = 0;
    assert_int_equal(seglog_sync(log), ERR_IO);
    d->syncs_before_fail = -1;
    assert_int_equal(seglog_sync(log), ERR_IO);
    assert_int_equal(seglog_append(log, 1, bytes_str("x"), &sequence), ERR_IO);
    assert_int_equal(sequence, 77);
    assert_non_null(strstr(seglog_error(), "sync"));
    assert_reads(log, x);
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

/* The page cache outlives the process: after a sync that failed, what was written reads well and is on no platter. */
static void what_a_failed_sync_left_in_memory_is_written_again_before_it_counts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct fake_disk *d = fake_disk_new(seed);
        struct expected x = {.next = 1};
        struct seglog *log = NULL;
        assert_int_equal(try_open(d, &x, 1, &log), OK);
        for (uint32_t i = 0; i < 1 + seed % 5; i++) {
            append(log, &x, i);
        }
        assert_int_equal(seglog_sync(log), OK);
        for (uint32_t i = 0; i < 1 + seed % 3; i++) {
            append(log, &x, 101 + i);
        }
        uint64_t last = seglog_last(log);
        d->syncs_before_fail = 0;
        assert_int_equal(seglog_sync(log), ERR_IO);
        close_as_killed(d, log);
        d->syncs_before_fail = -1;
        assert_int_equal(try_open(d, &x, 1, &log), OK); /* the process starts again: all of it is there */
        assert_int_equal(seglog_last(log), last);
        close_as_killed(d, log);
        fake_disk_crash(d); /* and the power goes */
        assert_int_equal(try_open(d, &x, 1, &log), OK);
        assert_int_equal(seglog_last(log), last);
        assert_reads(log, &x);
        seglog_close(log);
        fake_disk_free(d);
    }
}

static void a_full_disk_refuses_the_record_and_keeps_the_log(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    uint8_t bytes[4000];
    uint64_t sequence;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    d->space = SEGMENT + 100; /* for one segment, not for a second */
    uint32_t i = 1;
    enum err e = OK;
    while (e == OK) {
        e = seglog_append(log, content_type(i), content_bytes(i, bytes), &sequence);
        if (e == OK) {
            x->content[sequence] = i++;
        }
    }
    assert_int_equal(e, ERR_NOSPACE);
    assert_int_equal(seglog_last(log), i - 1);
    assert_int_equal(seglog_sync(log), OK);
    d->space = 0;
    append(log, x, i++);
    assert_int_equal(seglog_sync(log), OK);
    close_as_killed(d, log);
    assert_int_equal(try_open(d, x, 1, &log), OK);
    assert_int_equal(seglog_last(log), i - 1);
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

/* Appends, syncs, discards and crashes at random: whatever was synced is there after each crash, whatever is there is
 * what was appended last under its number, and segments that were recycled never show their old records. */
static void synced_records_outlive_any_crash(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct expected *x = calloc(1, sizeof *x);
        struct fake_disk *d = fake_disk_new(seed);
        struct dice dice = {seed * 1000};
        uint64_t first = 1, synced = 0;
        uint32_t content = 1;
        for (int life = 0; life < 25; life++) {
            struct seglog *log;
            enum err e = try_open(d, x, first, &log);
            if (e != OK) {
                fail_msg("seed %llu, life %d: %s, %s", (unsigned long long)seed, life, err_name(e), seglog_error());
            }
            assert_true(seglog_last(log) >= synced);
            assert_int_equal(seglog_first(log), first);
            synced = seglog_last(log);
            uint64_t steps = dice_below(&dice, 60);
            for (uint64_t i = 0; i < steps; i++) {
                append(log, x, content++);
                if (dice_below(&dice, 4) == 0) {
                    assert_int_equal(seglog_sync(log), OK);
                    synced = seglog_last(log);
                }
                if (dice_below(&dice, 40) == 0) {
                    assert_int_equal(seglog_discard_below(log, dice_below(&dice, synced + 1)), OK);
                    first = seglog_first(log);
                }
            }
            assert_reads(log, x);
            if (dice_below(&dice, 5) == 0) {
                assert_int_equal(seglog_sync(log), OK);
                synced = seglog_last(log);
                seglog_close(log);
            } else {
                close_as_killed(d, log);
            }
            /* Killed without a power cut, all that was written is there; from its opening on it must be durable. */
            if (dice_below(&dice, 3) != 0) {
                fake_disk_crash(d);
            }
        }
        fake_disk_free(d);
        free(x);
    }
}

static void discarded_segments_are_used_again(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    for (uint32_t i = 1; i < 3000; i++) {
        append(log, x, i);
        assert_int_equal(seglog_sync(log), OK);
        if (i > 20) {
            assert_int_equal(seglog_discard_below(log, i - 20), OK);
            assert_true(seglog_first(log) <= i - 20);
        }
    }
    size_t names = 0;
    for (size_t i = 0; i < FAKE_NAMES; i++) {
        names += d->names[i].path[0] != '\0';
    }
    assert_true(names <= 8);
    uint8_t salt[2][8]; /* old records in a reused file are told from new ones by it, so it is never the same */
    for (int i = 0; i < 2; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/logs/test-%016llx.log", (unsigned long long)seglog_first(log));
        memcpy(salt[i], fake_file(d, path)->data + 24, 8);
        if (i == 0) {
            assert_int_equal(seglog_discard_below(log, 2999), OK);
        }
    }
    assert_memory_not_equal(salt[0], salt[1], 8);
    assert_true(d->inode_count < 16); /* hundreds of segments, a dozen files */
    assert_reads(log, x);
    uint64_t first = seglog_first(log);
    seglog_close(log);
    assert_int_equal(try_open(d, x, first, &log), OK);
    assert_int_equal(seglog_last(log), 2999);
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

static void a_log_that_gives_back_keeps_no_file_it_does_not_need(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    uint64_t before, after;
    size_t segments;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    for (uint32_t i = 1; i < 800; i++) {
        append(log, x, i);
    }
    assert_int_equal(seglog_sync(log), OK);
    assert_int_equal(seglog_size(log, &before, &segments), OK);
    assert_int_equal(seglog_discard_below(log, 300), OK); /* leaves spares */
    uint64_t first = seglog_first(log);
    seglog_close(log);
    struct seglog_config config = config_of(d);
    config.give_back = true;
    x->next = first;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    assert_int_equal(seglog_discard_below(log, 750), OK);
    first = seglog_first(log);
    assert_true(first > 650 && first <= 750);
    assert_int_equal(seglog_size(log, &after, &segments), OK);
    assert_true(after < before / 3);
    size_t names = 0;
    for (size_t i = 0; i < FAKE_NAMES; i++) {
        names += d->names[i].path[0] != '\0';
    }
    assert_int_equal(names, segments);
    assert_reads(log, x);
    seglog_close(log);
    x->next = first;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    assert_int_equal(seglog_last(log), 799);
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

/* ---- A real disk, and threads ------------------------------------------------------------------------------------ */

struct reader_job {
    struct seglog *log;
    const struct expected *x;
    atomic_ullong upto;
    atomic_uint wrong;
};

static void *read_meanwhile(void *arg) {
    struct reader_job *job = arg;
    struct buffer b = BUFFER_INIT;
    struct dice dice = {5};
    while (atomic_load(&job->upto) < 1500) {
        uint8_t bytes[4000], type;
        uint64_t upto = atomic_load(&job->upto);
        if (upto == 0) {
            continue;
        }
        uint64_t s = 1 + dice_below(&dice, upto);
        buffer_reset(&b);
        bool good = seglog_read(job->log, s, &type, &b) == OK &&
                    bytes_equal(buffer_bytes(&b), content_bytes((uint32_t)s, bytes));
        (void)atomic_fetch_add(&job->wrong, good ? 0 : 1);
    }
    buffer_free(&b);
    return NULL;
}

static void a_real_disk_serves_readers_while_it_is_appended_to(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct seglog_config config = {
        .disk = disk_posix(), .dir = temp_dir, .stem = "test", .segment_bytes = 16 * SEGMENT};
    struct seglog *log;
    pthread_t reader;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    struct reader_job job = {.log = log, .x = x};
    assert_int_equal(pthread_create(&reader, NULL, read_meanwhile, &job), 0);
    for (uint32_t i = 1; i <= 1500; i++) {
        append(log, x, i);
        if (i % 50 == 0) {
            assert_int_equal(seglog_sync(log), OK);
        }
        atomic_store(&job.upto, i);
    }
    assert_int_equal(pthread_join(reader, NULL), 0);
    assert_int_equal(atomic_load(&job.wrong), 0);
    assert_int_equal(seglog_discard_below(log, 1000), OK);
    uint64_t first = seglog_first(log);
    assert_true(first > 1 && first <= 1000);
    seglog_close(log);
    x->next = first;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    assert_int_equal(x->next, 1501);
    assert_reads(log, x);
    seglog_close(log);
    free(x);
}

static void a_log_can_be_looked_at_and_copied_while_it_is_written(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct seglog_config config = {.disk = disk_posix(), .dir = temp_dir, .stem = "test", .segment_bytes = SEGMENT};
    struct seglog_config look = config;
    struct seglog *log, *seen, *copied;
    char copy[100];
    (void)snprintf(copy, sizeof copy, "%s-copy", temp_dir);
    assert_int_equal(mkdir(copy, 0700), 0);
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    for (uint32_t i = 1; i <= 200; i++) {
        append(log, x, i);
    }
    look.disk = disk_posix_look();
    x->next = 1;
    assert_int_equal(seglog_open(&look, replay, x, &seen), OK);
    for (uint32_t i = 201; i <= 400; i++) {
        append(log, x, i);
        assert_int_equal(seglog_sync(log), OK);
    }
    assert_int_equal(seglog_last(seen), 200);
    assert_reads(seen, x);
    assert_int_equal(seglog_copy(seen, &config.disk, copy), OK);
    seglog_close(seen);
    config.dir = copy;
    x->next = 1;
    assert_int_equal(seglog_open(&config, replay, x, &copied), OK);
    assert_int_equal(seglog_last(copied), 200);
    assert_int_equal(seglog_cut(copied), 0);
    assert_reads(copied, x);
    seglog_close(copied);
    assert_reads(log, x); /* nobody cut anything here */
    assert_int_equal(seglog_last(log), 400);
    seglog_close(log);
    assert_int_equal(temp_dir_wipe(copy), 0);
    free(x);
}

static void the_place_of_a_record_is_where_its_header_is(void **state) {
    (void)state;
    struct expected *x = calloc(1, sizeof *x);
    struct fake_disk *d = fake_disk_new(1);
    struct seglog *log;
    uint64_t first, offset;
    assert_int_equal(try_open(d, x, 1, &log), OK);
    for (uint32_t i = 1; i < 300; i++) {
        append(log, x, i);
    }
    for (uint64_t s = 1; s < 300; s++) {
        char path[64];
        assert_int_equal(seglog_place(log, s, &first, &offset), OK);
        (void)snprintf(path, sizeof path, "/logs/test-%016llx.log", (unsigned long long)first);
        assert_int_equal(load_u64(fake_file(d, path)->data + offset), s);
    }
    assert_int_equal(seglog_place(log, 300, &first, &offset), ERR_NOTFOUND);
    seglog_close(log);
    fake_disk_free(d);
    free(x);
}

/* As the block log of a node that joined by snapshot. */
static void a_log_may_begin_elsewhere_and_finds_damage_all_the_same(void **state) {
    (void)state;
    struct fake_disk *d = fake_disk_new(1);
    struct expected *x = calloc(1, sizeof *x);
    struct seglog_config config = config_of(d);
    struct seglog *log;
    config.begin_at = 1000;
    x->next = 1000;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    assert_int_equal(seglog_first(log), 1000);
    assert_int_equal(seglog_last(log), 999);
    assert_int_equal(seglog_sync(log), OK);
    for (uint32_t i = 0; i < 200; i++) {
        append(log, x, i);
    }
    assert_int_equal(seglog_sync(log), OK);
    seglog_close(log);
    config.begin_at = 5; /* it has records: those say where it goes on */
    x->next = 1000;
    assert_int_equal(seglog_open(&config, replay, x, &log), OK);
    assert_int_equal(seglog_first(log), 1000);
    assert_int_equal(seglog_last(log), 1199);
    append(log, x, 7);
    assert_int_equal(seglog_sync(log), OK);
    seglog_close(log);
    struct fake_inode *first = fake_file(d, "/logs/test-00000000000003e8.log");
    first->data[SEGMENT_HEADER_LEN + 3] ^= 1;
    assert_int_equal(try_open(d, x, 1000, &log), ERR_CORRUPT);
    assert_non_null(strstr(seglog_error(), "record 1000"));
    fake_disk_free(d);
    free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_may_begin_elsewhere_and_finds_damage_all_the_same),
        cmocka_unit_test(checksums_are_castagnolis),
        cmocka_unit_test(bytes_are_those_of_the_documented_example),
        cmocka_unit_test(records_come_back_in_order_over_many_segments),
        cmocka_unit_test(one_sync_is_one_sync_and_an_idle_one_none),
        cmocka_unit_test(a_large_record_gets_a_segment_and_limits_are_kept),
        cmocka_unit_test(a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on),
        cmocka_unit_test(an_unsynced_batch_with_a_hole_is_cut_whole_and_never_comes_back),
        cmocka_unit_test(a_flipped_bit_in_what_was_synced_is_found_and_named),
        cmocka_unit_test(a_missing_segment_is_a_hole),
        cmocka_unit_test(trusted_records_are_neither_read_nor_replayed_but_verified_when_asked),
        cmocka_unit_test(after_a_failed_sync_nothing_more_is_taken),
        cmocka_unit_test(what_a_failed_sync_left_in_memory_is_written_again_before_it_counts),
        cmocka_unit_test(a_full_disk_refuses_the_record_and_keeps_the_log),
        cmocka_unit_test(synced_records_outlive_any_crash),
        cmocka_unit_test(discarded_segments_are_used_again),
        cmocka_unit_test(a_log_that_gives_back_keeps_no_file_it_does_not_need),
        cmocka_unit_test(the_place_of_a_record_is_where_its_header_is),
        cmocka_unit_test_setup_teardown(a_log_can_be_looked_at_and_copied_while_it_is_written, temp_dir_make,
                                        temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_real_disk_serves_readers_while_it_is_appended_to, temp_dir_make,
                                        temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
