#include "store/snapshot_split.h"

#include "base/limits.h"
#include "base/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAN_BITS 6 /* a level parts a bucket into up to 2^6 */
#define FAN (1u << FAN_BITS)
#define STOP_EVERY 4096u /* leaves */
#define PATH_SIZE 1024
#define BUCKET_HEAD (HASH_LEN + SNAPSHOT_LEAF_HEAD) /* hashed key | head of a leaf */
#define KEY_BYTES_MAX (LIMIT_TX_NAME + 1 + LIMIT_STATE_KEY)

struct split {
    const struct snapshot_split_config *config;
    uint8_t bits;
    struct snapshot_state_chunk *chunks;
    uint64_t seen;   /* leaves, for asking whether to stop */
    uint8_t *record; /* room for the longest record of a bucket */
};

#define RECORD_MAX (BUCKET_HEAD + KEY_BYTES_MAX + LIMIT_STATE_VALUE)

static enum err path_of(const struct split *s, const char *kind, uint8_t bits, uint32_t number, char out[PATH_SIZE]) {
    int n = kind[0] == '\0' ? snprintf(out, PATH_SIZE, "%s/%u", s->config->dir, number)
                            : snprintf(out, PATH_SIZE, "%s/%s-%u-%u", s->config->dir, kind, bits, number);
    return n > 0 && n < PATH_SIZE ? OK : ERR_TOOLARGE;
}

static enum err go_on(struct split *s) {
    bool ask = s->seen++ % STOP_EVERY == 0 && s->config->stop != NULL;
    return ask && s->config->stop(s->config->arg) ? ERR_CLOSED : OK;
}

/* ---- Leaves of the view ------------------------------------------------------------------------------------------ */

/* Calls back for every entry of state in key order. */
static enum err each_entry(struct split *s, enum err (*each)(void *arg, struct bytes key, struct bytes value),
                           void *arg) {
    uint8_t from[KV_KEY_MAX + 1] = {0};
    size_t from_len = 1;
    for (;;) {
        struct bytes key, value;
        enum err e = kv_seek(s->config->view, KV_STATE, bytes_of(from, from_len), &key, &value);
        if (e == ERR_NOTFOUND) {
            return OK;
        }
        if (e == OK && (key.len > KEY_BYTES_MAX || value.len > LIMIT_STATE_VALUE)) {
            e = ERR_CORRUPT;
        }
        if (e == OK) {
            e = go_on(s);
        }
        if (e == OK) {
            e = each(arg, key, value);
        }
        if (e != OK) {
            return e;
        }
        /* The successor of a key in byte order is the key with a zero byte after it. */
        memcpy(from, key.data, key.len);
        from[key.len] = 0;
        from_len = key.len + 1;
    }
}

static enum err add_bytes(void *arg, struct bytes key, struct bytes value) {
    *(uint64_t *)arg += SNAPSHOT_LEAF_HEAD + key.len + value.len;
    return OK;
}

/* ---- Buckets ----------------------------------------------------------------------------------------------------- */

/* The buckets of one level below one bucket. */
struct fan {
    struct split *split;
    uint8_t bits; /* of the prefix that names a bucket */
    uint32_t first;
    size_t count;
    FILE *file[FAN];
};

static enum err fan_open(struct split *s, uint8_t from_bits, uint32_t prefix, struct fan *fan) {
    uint8_t left = (uint8_t)(s->bits - from_bits);
    uint8_t width = left < FAN_BITS ? left : FAN_BITS;
    *fan = (struct fan){
        .split = s, .bits = (uint8_t)(from_bits + width), .first = prefix << width, .count = (size_t)1 << width};
    enum err e = OK;
    for (size_t i = 0; i < fan->count && e == OK; i++) {
        char path[PATH_SIZE];
        e = path_of(s, "bucket", fan->bits, fan->first + (uint32_t)i, path);
        if (e == OK && (fan->file[i] = fopen(path, "wbe")) == NULL) {
            e = err_from_errno(errno);
        }
    }
    return e;
}

static enum err fan_close(struct fan *fan, enum err e) {
    for (size_t i = 0; i < fan->count; i++) {
        if (fan->file[i] != NULL && fclose(fan->file[i]) != 0 && e == OK) {
            e = err_from_errno(errno);
        }
    }
    return e;
}

static enum err fan_put(struct fan *fan, const uint8_t *record, size_t len) {
    size_t i = snapshot_chunk_of(record, fan->bits) - fan->first;
    return fwrite(record, 1, len, fan->file[i]) == len ? OK : err_from_errno(errno);
}

static enum err put_entry(void *arg, struct bytes key, struct bytes value) {
    struct fan *fan = arg;
    uint8_t *record = fan->split->record;
    sha256(key.data, key.len, record);
    store_u16(record + HASH_LEN, (uint16_t)key.len);
    store_u32(record + HASH_LEN + 2, (uint32_t)value.len);
    memcpy(record + BUCKET_HEAD, key.data, key.len);
    if (value.len > 0) {
        memcpy(record + BUCKET_HEAD + key.len, value.data, value.len);
    }
    return fan_put(fan, record, BUCKET_HEAD + key.len + value.len);
}

/* Length of what follows a bucket record's head; these files are our own, so lengths are those written. */
static size_t tail_len(const uint8_t *head) {
    return load_u16(head + HASH_LEN) + (size_t)load_u32(head + HASH_LEN + 2);
}

static enum err part_bucket(struct split *s, FILE *from, struct fan *fan) {
    enum err e = OK;
    while (e == OK) {
        size_t got = fread(s->record, 1, BUCKET_HEAD, from);
        if (got == 0) {
            return ferror(from) != 0 ? ERR_IO : OK;
        }
        if (got != BUCKET_HEAD || tail_len(s->record) > RECORD_MAX - BUCKET_HEAD) {
            return ERR_CORRUPT;
        }
        size_t len = tail_len(s->record);
        e = fread(s->record + BUCKET_HEAD, 1, len, from) == len ? go_on(s) : ERR_IO;
        if (e == OK) {
            e = fan_put(fan, s->record, BUCKET_HEAD + len);
        }
    }
    return e;
}

/* ---- One chunk --------------------------------------------------------------------------------------------------- */

static int compare_records(const void *a, const void *b) {
    return memcmp(*(const uint8_t *const *)a, *(const uint8_t *const *)b, HASH_LEN);
}

/* Finds the records of a whole bucket in memory, in the order of their hashed keys. */
static enum err sort_records(const struct buffer *bucket, const uint8_t ***out, size_t *out_count) {
    const uint8_t **list = NULL;
    size_t count = 0, cap = 0;
    for (size_t at = 0; at < bucket->len;) {
        if (bucket->len - at < BUCKET_HEAD || tail_len(bucket->data + at) > bucket->len - at - BUCKET_HEAD) {
            free((void *)list);
            return ERR_CORRUPT;
        }
        if (count == cap) {
            cap = cap == 0 ? 1024 : cap * 2;
            const uint8_t **grown = realloc((void *)list, cap * sizeof *grown);
            if (grown == NULL) {
                free((void *)list);
                return ERR_NOMEM;
            }
            list = grown;
        }
        list[count++] = bucket->data + at;
        at += BUCKET_HEAD + tail_len(bucket->data + at);
    }
    qsort((void *)list, count, sizeof *list, compare_records);
    *out = list;
    *out_count = count;
    return OK;
}

static enum err write_chunk(const struct split *s, uint32_t chunk, const uint8_t *const *records, size_t count) {
    char path[PATH_SIZE];
    struct snapshot_fold fold;
    uint64_t bytes = 0;
    enum err e = path_of(s, "", s->bits, chunk, path);
    FILE *file = e == OK ? fopen(path, "wbe") : NULL;
    if (file == NULL) {
        return e != OK ? e : err_from_errno(errno);
    }
    snapshot_fold_init(&fold, s->config->crypto);
    for (size_t i = 0; i < count && e == OK; i++) {
        const uint8_t *head = records[i];
        size_t key_len = load_u16(head + HASH_LEN), value_len = load_u32(head + HASH_LEN + 2);
        uint8_t value_hash[HASH_LEN];
        sha256(head + BUCKET_HEAD + key_len, value_len, value_hash);
        size_t len = SNAPSHOT_LEAF_HEAD + key_len + value_len;
        e = snapshot_fold_add(&fold, head, value_hash);
        if (e == OK && fwrite(head + HASH_LEN, 1, len, file) != len) {
            e = err_from_errno(errno);
        }
        bytes += len;
        if (bytes > SNAPSHOT_CHUNK_MAX) {
            e = ERR_TOOLARGE;
        }
    }
    if (e == OK && (fflush(file) != 0 || fdatasync(fileno(file)) != 0)) {
        e = err_from_errno(errno);
    }
    if (fclose(file) != 0 && e == OK) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        snapshot_fold_end(&fold, s->chunks[chunk].root);
        s->chunks[chunk].bytes = (uint32_t)bytes;
    }
    return e;
}

/* Reads what is left of a file, up to what the leaves of one chunk can make with their hashes. */
static enum err read_bucket(FILE *from, struct buffer *out) {
    for (;;) {
        if (out->len > 4 * (size_t)SNAPSHOT_CHUNK_MAX) {
            return ERR_TOOLARGE;
        }
        uint8_t *to = buffer_extend(out, SNAPSHOT_CHUNK_TARGET);
        if (to == NULL) {
            return ERR_NOMEM;
        }
        size_t got = fread(to, 1, SNAPSHOT_CHUNK_TARGET, from);
        out->len -= SNAPSHOT_CHUNK_TARGET - got;
        if (got < SNAPSHOT_CHUNK_TARGET) {
            return ferror(from) != 0 ? ERR_IO : OK;
        }
    }
}

static enum err make_chunk(const struct split *s, uint32_t chunk, FILE *from) {
    struct buffer bucket = BUFFER_INIT;
    const uint8_t **records = NULL;
    size_t count = 0;
    enum err e = read_bucket(from, &bucket);
    if (e == OK && bucket.len > 0) {
        e = sort_records(&bucket, &records, &count);
        if (e == OK) {
            e = write_chunk(s, chunk, records, count);
        }
    }
    free((void *)records);
    buffer_free(&bucket);
    return e;
}

/* ---- Levels ------------------------------------------------------------------------------------------------------ */

static enum err settle_bucket(struct split *s, uint8_t bits, uint32_t prefix);

/* Deals with each bucket of a level; the depth is bounded by the bits. */
static enum err settle_fan(struct split *s, const struct fan *fan) {
    enum err e = OK;
    for (size_t i = 0; i < fan->count && e == OK; i++) {
        e = settle_bucket(s, fan->bits, fan->first + (uint32_t)i);
    }
    return e;
}

static enum err settle_bucket(struct split *s, uint8_t bits, uint32_t prefix) {
    char path[PATH_SIZE];
    struct fan fan;
    enum err e = path_of(s, "bucket", bits, prefix, path);
    FILE *from = e == OK ? fopen(path, "rbe") : NULL;
    if (from == NULL) {
        return e != OK ? e : err_from_errno(errno);
    }
    bool is_chunk = bits == s->bits;
    if (is_chunk) {
        e = make_chunk(s, prefix, from);
    } else {
        e = fan_open(s, bits, prefix, &fan);
        e = fan_close(&fan, e == OK ? part_bucket(s, from, &fan) : e);
    }
    (void)fclose(from);
    if (unlink(path) != 0 && e == OK) {
        e = err_from_errno(errno);
    }
    return e == OK && !is_chunk ? settle_fan(s, &fan) : e;
}

static uint8_t bits_for(uint64_t bytes, uint32_t target) {
    uint8_t bits = 0;
    while (bits < SNAPSHOT_BITS_MAX && bytes >> bits > target) {
        bits++;
    }
    return bits;
}

enum err snapshot_split(const struct snapshot_split_config *config, uint8_t *out_bits,
                        struct snapshot_state_chunk **out_chunks) {
    struct split s = {.config = config};
    struct fan fan;
    uint64_t bytes = 0;
    enum err e = each_entry(&s, add_bytes, &bytes);
    if (e != OK) {
        return e;
    }
    s.bits = bits_for(bytes, config->chunk_target != 0 ? config->chunk_target : SNAPSHOT_CHUNK_TARGET);
    s.chunks = calloc((size_t)1 << s.bits, sizeof *s.chunks);
    s.record = malloc(RECORD_MAX);
    e = s.chunks != NULL && s.record != NULL ? OK : ERR_NOMEM;
    if (e == OK) {
        e = fan_open(&s, 0, 0, &fan);
        e = fan_close(&fan, e == OK ? each_entry(&s, put_entry, &fan) : e);
    }
    if (e == OK) {
        e = settle_fan(&s, &fan);
    }
    free(s.record);
    if (e != OK) {
        free(s.chunks);
        return e;
    }
    *out_bits = s.bits;
    *out_chunks = s.chunks;
    return OK;
}
