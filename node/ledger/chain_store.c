#include "node/ledger/chain_store.h"

#include "base/assert.h"
#include "contracts/governance/governance.h"
#include "node/ledger/chain_install.h"
#include "node/ledger/chain_internal.h"
#include "node/ledger/state_view.h"

#include <string.h>

enum err chain_store_head(const struct verify_crypto *crypto, struct kv_view *view, struct chain_store_head *out) {
    struct bytes value, encoded;
    struct block_entry entry;
    struct chain_store_head head;
    uint8_t hash[HASH_LEN];
    enum err e = kv_get(view, KV_META, bytes_str(CHAIN_META_HEAD), &value);
    if (e != OK) {
        return e;
    }
    struct reader r = reader_of(value);
    uint64_t height = read_u64(&r);
    read_bytes(&r, head.hash, HASH_LEN);
    head.root.id = read_u64(&r);
    read_bytes(&r, head.root.hash, sizeof head.root.hash);
    (void)read_u64(&r); /* next node id */
    (void)read_u64(&r); /* provable from */
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    e = block_entry_get(view, height, &entry, &encoded);
    if (e != OK) {
        return e == ERR_NOTFOUND ? ERR_CORRUPT : e;
    }
    block_header_hash(crypto, encoded.data, hash);
    if (memcmp(hash, head.hash, HASH_LEN) != 0 || entry.header.height != height) {
        return ERR_CORRUPT;
    }
    head.header = entry.header;
    *out = head;
    return OK;
}

static enum err read_height(struct kv_view *view, const char *name, uint64_t *out_height) {
    struct bytes value;
    enum err e = kv_get(view, KV_META, bytes_str(name), &value);
    if (e == OK && value.len != 8) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        *out_height = load_u64(value.data);
    }
    return e;
}

enum err chain_store_first(struct kv_view *view, uint64_t *out_height) {
    enum err e = read_height(view, CHAIN_META_INDEX, out_height);
    if (e == ERR_NOTFOUND) {
        *out_height = 1;
        e = OK;
    }
    return e;
}

enum err chain_store_bodies(struct kv_view *view, uint64_t *out_height) {
    enum err e = read_height(view, CHAIN_META_BODIES, out_height);
    return e == ERR_NOTFOUND ? chain_store_first(view, out_height) : e;
}

enum err chain_store_put_bodies(struct kv_layer *layer, uint64_t height) {
    uint8_t value[8];
    ASSERT(height > 0); /* the genesis block has no body */
    store_u64(value, height);
    return kv_layer_put(layer, KV_META, bytes_str(CHAIN_META_BODIES), bytes_of(value, sizeof value));
}

enum err chain_store_since(struct kv_view *view, uint64_t first, uint64_t last, uint64_t time_ms,
                           uint64_t *out_height) {
    uint64_t low = first, high = last + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct block_entry entry;
        enum err e = block_entry_get(view, middle, &entry, NULL);
        if (e != OK) {
            return e == ERR_NOTFOUND ? ERR_CORRUPT : e;
        }
        if (entry.header.time_ms < time_ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out_height = low;
    return OK;
}

enum err chain_store_window(struct kv_view *view, const struct block_header *head, uint64_t *out_first) {
    struct state state = state_of_view(view);
    struct params_record params;
    uint64_t first = 1, later = 1;
    bool found = false;
    enum err e = params_get(&state, &params, &found);
    if (e == OK && !found) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        e = chain_store_first(view, &first);
    }
    if (e == OK && head->height > 0) {
        e = chain_store_since(view, first, head->height, params_window_start(&params, head->time_ms) + 1, &later);
    }
    if (e == OK) {
        *out_first = later > first ? later - 1 : first;
    }
    return e;
}
