#include "contracts/governance/genesis_inherit.h"

#include "contracts/governance/governance_records.h"
#include "contracts/kernel/due_queue.h"

#include <string.h>

#define MAGIC "ASSAYREC"
#define MAGIC_LEN 8
#define VERSION 1

void genesis_inherit_begin(const struct genesis_predecessor *from, uint64_t count, struct buffer *out) {
    buffer_put(out, MAGIC, MAGIC_LEN);
    buffer_u32(out, VERSION);
    buffer_put(out, from->chain_id, CHAIN_ID_LEN);
    buffer_u64(out, from->height);
    buffer_put(out, from->block_hash, HASH_LEN);
    buffer_put(out, from->state_root, HASH_LEN);
    buffer_u64(out, count);
}

void genesis_inherit_put(struct bytes key, struct bytes value, struct buffer *out) {
    buffer_u16(out, (uint16_t)key.len);
    buffer_u32(out, (uint32_t)value.len);
    buffer_put(out, key.data, key.len);
    buffer_put(out, value.data, value.len);
}

/* The head of the file; false when it is none, or of another predecessor. */
static bool read_head(struct reader *r, const struct genesis_predecessor *named, uint64_t *out_count) {
    uint8_t magic[MAGIC_LEN] = "", chain_id[CHAIN_ID_LEN] = "", block_hash[HASH_LEN] = "", state_root[HASH_LEN] = "";
    read_bytes(r, magic, sizeof magic);
    uint32_t version = read_u32(r);
    read_bytes(r, chain_id, sizeof chain_id);
    uint64_t height = read_u64(r);
    read_bytes(r, block_hash, sizeof block_hash);
    read_bytes(r, state_root, sizeof state_root);
    *out_count = read_u64(r);
    return !r->failed && memcmp(magic, MAGIC, MAGIC_LEN) == 0 && version == VERSION && height == named->height &&
           memcmp(chain_id, named->chain_id, CHAIN_ID_LEN) == 0 &&
           memcmp(block_hash, named->block_hash, HASH_LEN) == 0 && memcmp(state_root, named->state_root, HASH_LEN) == 0;
}

/* False when there is no well-formed record at the reader's place. */
static bool read_record(struct reader *r, struct bytes *out_key, struct bytes *out_value) {
    size_t key_len = read_u16(r), value_len = read_u32(r);
    if (key_len == 0 || key_len > RECORD_KEY_MAX || value_len == 0 || value_len > LIMIT_STATE_VALUE) {
        return false;
    }
    *out_key = read_span(r, key_len);
    *out_value = read_span(r, value_len);
    return !r->failed;
}

enum err genesis_inherit_check(const struct genesis_predecessor *named, struct bytes file) {
    uint8_t hash[SHA256_LEN];
    struct bytes key, value, before = bytes_of(NULL, 0);
    uint64_t count = 0;
    struct reader r = reader_of(file);
    sha256(file.data, file.len, hash);
    if (memcmp(hash, named->records_hash, sizeof hash) != 0) {
        return ERR_MISMATCH;
    }
    if (!read_head(&r, named, &count)) {
        return ERR_MALFORMED;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!read_record(&r, &key, &value) || (before.len > 0 && bytes_compare(key, before) <= 0)) {
            return ERR_MALFORMED;
        }
        before = key;
    }
    return reader_done(&r) ? OK : ERR_MALFORMED;
}

/* The predecessor may be a chain of version 0.1.0. */
static struct record_key key_of_today(struct bytes key) {
    struct due_item item;
    struct record_key whole = {.len = key.len};
    if (due_queue_old_item(key, &item)) {
        return due_item_key(&item);
    }
    memcpy(whole.data, key.data, key.len);
    return whole;
}

static bool begins_with(struct bytes key, const char *contract) {
    size_t len = strlen(contract) + 1;
    return key.len > len && memcmp(key.data, contract, len) == 0;
}

/* Governance is laid anew, and what fell due for it with it. */
static bool is_left_behind(struct bytes key) {
    if (begins_with(key, GOVERNANCE)) {
        return true;
    }
    uint8_t kind = 0;
    return begins_with(key, DUE_CONTRACT) && due_queue_kind(key, &kind) &&
           (kind == DUE_PROPOSAL || kind == DUE_RECOUNT || kind == DUE_ORG_LEAVING);
}

static enum err put_predecessor(const struct call *call, const struct genesis_predecessor *from) {
    struct record_key key = record_key(GOVERNANCE, "predecessor", bytes_of(NULL, 0));
    struct buffer value = BUFFER_INIT;
    buffer_put(&value, from->chain_id, CHAIN_ID_LEN);
    buffer_u64(&value, from->height);
    buffer_put(&value, from->block_hash, HASH_LEN);
    buffer_put(&value, from->state_root, HASH_LEN);
    buffer_put(&value, from->records_hash, SHA256_LEN);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
    return e;
}

enum err genesis_inherit_apply(const struct call *call, const struct genesis *genesis) {
    struct bytes key, value;
    uint64_t count = 0;
    if (!genesis->predecessor.named) {
        return OK;
    }
    struct reader r = reader_of(buffer_bytes(&genesis->inherited));
    if (genesis->inherited.len == 0) {
        return ERR_NOTFOUND;
    }
    enum err e =
        read_head(&r, &genesis->predecessor, &count) ? put_predecessor(call, &genesis->predecessor) : ERR_MALFORMED;
    for (uint64_t i = 0; i < count && e == OK; i++) {
        if (!read_record(&r, &key, &value)) {
            return ERR_MALFORMED;
        }
        struct record_key whole = key_of_today(key);
        if (!is_left_behind(record_key_bytes(&whole))) {
            e = state_put(&call->state, &whole, value);
        }
    }
    return e;
}
