#include "node/snapshot/snapshot_window.h"

#include "base/sha256.h"
#include "contracts/governance/governance.h"
#include "node/snapshot/snapshot_bodies.h"
#include "store/disk_files.h"

#include <stdio.h>
#include <string.h>

uint32_t snapshot_window_chunk(const struct snapshot_manifest *manifest) {
    struct record_key key = params_key();
    uint8_t hashed[HASH_LEN];
    sha256(key.data, key.len, hashed);
    return snapshot_chunk_of(hashed, manifest->bits);
}

static enum err read_chunk(const struct disk *disk, const char *dir, uint32_t chunk, struct buffer *out) {
    char path[DISK_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%u", dir, chunk);
    return n > 0 && (size_t)n < sizeof path ? disk_read_file(disk, path, SNAPSHOT_CHUNK_MAX, out) : ERR_TOOLARGE;
}

/* A state with one record, for the reader of that record. */
struct one_leaf {
    struct record_key key;
    struct buffer value;
    bool found;
};

static enum err note_leaf(void *arg, const struct snapshot_leaf *leaf) {
    struct one_leaf *one = arg;
    if (!bytes_equal(leaf->key, record_key_bytes(&one->key))) {
        return OK;
    }
    buffer_put(&one->value, leaf->value.data, leaf->value.len);
    one->found = true;
    return buffer_ok(&one->value);
}

static enum err one_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    const struct one_leaf *one = ctx;
    *out_found = one->found && bytes_equal(key, record_key_bytes(&one->key));
    if (*out_found) {
        buffer_put(out, one->value.data, one->value.len);
    }
    return buffer_ok(out);
}

static enum err read_params(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                            struct bytes chunk, struct params_record *out) {
    static const struct state_ops ops = {.get = one_get};
    struct one_leaf one = {.key = params_key(), .value = BUFFER_INIT};
    const struct state state = {&ops, &one};
    bool found = false;
    enum err e = snapshot_chunk_read(crypto, manifest, snapshot_window_chunk(manifest), chunk, note_leaf, &one);
    if (e == OK) {
        e = params_get(&state, out, &found);
    }
    if ((e == OK && !found) || e == ERR_CORRUPT) {
        e = ERR_INVALID;
    }
    buffer_free(&one.value);
    return e == ERR_MISMATCH ? ERR_CORRUPT : e;
}

struct first_block {
    bool any;
    struct block_header header;
};

static enum err note_first(void *arg, const struct block *block, const struct bytes *receipts) {
    struct first_block *first = arg;
    (void)receipts;
    if (!first->any) {
        *first = (struct first_block){.any = true, .header = block->header};
    }
    return OK;
}

enum err snapshot_window_check(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                               const struct block_header *header, const struct disk *disk, const char *dir) {
    struct buffer rule = BUFFER_INIT, bodies = BUFFER_INIT;
    struct params_record params;
    struct first_block first = {.any = false};
    enum err e = read_chunk(disk, dir, snapshot_window_chunk(manifest), &rule);
    if (e == OK) {
        e = read_params(crypto, manifest, buffer_bytes(&rule), &params);
    }
    if (e == OK) {
        e = read_chunk(disk, dir, UINT32_C(1) << manifest->bits, &bodies);
    }
    if (e == OK) {
        e = snapshot_bodies_read(manifest, 0, buffer_bytes(&bodies), note_first, &first);
    }
    if (e == OK) {
        bool whole = first.any && (first.header.height == 1 ||
                                   first.header.time_ms <= params_window_start(&params, header->time_ms));
        e = whole ? OK : ERR_INVALID;
    }
    buffer_free(&rule);
    buffer_free(&bodies);
    return e == ERR_MISMATCH || e == ERR_NOTFOUND ? ERR_CORRUPT : e;
}
