#include "node/ledger/chain_state.h"

#include "node/host_crypto.h"
#include "verify/bundle.h"

#include <stdlib.h>
#include <string.h>

enum err chain_view_open(struct chain *chain, struct chain_view *out) {
    (void)pthread_mutex_lock(&chain->head_lock);
    struct chain_view view = {.head = chain->head, .root = chain->root, .provable_from = chain->provable_from};
    enum err e = kv_view_open(chain->kv, &view.kv);
    (void)pthread_mutex_unlock(&chain->head_lock);
    if (e == OK) {
        *out = view;
    }
    return e;
}

void chain_view_close(struct chain_view *view) {
    if (view != NULL) {
        kv_view_close(view->kv);
        view->kv = NULL;
    }
}

enum err chain_view_block(struct chain_view *view, uint64_t height, struct chain_block_info *out) {
    struct block_entry entry;
    struct bytes encoded;
    enum err e = block_entry_get(view->kv, height, &entry, &encoded);
    if (e != OK) {
        return e;
    }
    out->header = entry.header;
    out->tx_count = entry.tx_count;
    out->has_finalization = entry.finalization.len > 0;
    block_header_hash(&host_crypto, encoded.data, out->hash);
    return OK;
}

enum err chain_read(struct chain *chain, uint64_t height, struct buffer *out_body, struct buffer *out_finalization) {
    struct buffer record = BUFFER_INIT;
    uint8_t type;
    (void)pthread_mutex_lock(&chain->log_lock);
    enum err e = height == 0 ? ERR_NOTFOUND : seglog_read(chain->log, height, &type, &record);
    (void)pthread_mutex_unlock(&chain->log_lock);
    if (e == OK && (record.len < 4 || load_u32(record.data) > record.len - 4)) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        size_t certificate_len = load_u32(record.data);
        if (out_finalization != NULL) {
            buffer_put(out_finalization, record.data + 4, certificate_len);
            e = buffer_ok(out_finalization);
        }
        if (e == OK && out_body != NULL) {
            buffer_put(out_body, record.data + 4 + certificate_len, record.len - 4 - certificate_len);
            e = buffer_ok(out_body);
        }
    }
    buffer_free(&record);
    return e;
}

/* ---- Proof bundles ---------------------------------------------------------------------------------------------- */

/* Header at `height`, then headers up to the first that has a finalization of its own, then that. */
static enum err put_headers(struct chain_view *view, uint64_t height, struct buffer *out) {
    struct block_entry entry;
    struct bytes encoded;
    enum err e = block_entry_get(view->kv, height, &entry, &encoded);
    if (e != OK) {
        return e;
    }
    buffer_put(out, encoded.data, encoded.len);
    size_t count_at = out->len;
    uint16_t links = 0;
    buffer_u16(out, 0);
    while (entry.finalization.len == 0) {
        if (links == BUNDLE_LINKS_MAX) {
            return ERR_TOOLARGE;
        }
        e = block_entry_get(view->kv, ++height, &entry, &encoded);
        if (e != OK) {
            return e;
        }
        buffer_put(out, encoded.data, encoded.len);
        links++;
    }
    buffer_put(out, entry.finalization.data, entry.finalization.len);
    e = buffer_ok(out);
    if (e == OK) {
        store_u16(out->data + count_at, links);
    }
    return e;
}

static enum err root_at(struct chain_view *view, uint64_t height, struct tree_root *out) {
    if (height == view->head.header.height) {
        *out = view->root;
        return OK;
    }
    if (height > view->head.header.height) {
        return ERR_NOTFOUND;
    }
    if (height < view->provable_from) {
        return ERR_EXPIRED;
    }
    uint8_t key[8];
    store_u64(key, height);
    struct bytes value;
    enum err e = kv_get(view->kv, KV_ROOTS, bytes_of(key, sizeof key), &value);
    if (e != OK) {
        return e;
    }
    struct reader r = reader_of(value);
    struct tree_root root;
    root.id = read_u64(&r);
    read_bytes(&r, root.hash, sizeof root.hash);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *out = root;
    return OK;
}

/* Flat values are those of the head. An older version's leaf says by its hash whether the value is still the same; one
 * that has changed since is gone. At the head a difference is damage. */
static enum err put_value(struct chain_view *view, uint64_t at, struct bytes key, const uint8_t *leaf_hash,
                          struct buffer *out) {
    struct bytes value;
    uint8_t hash[SHA256_LEN];
    bool is_head = at == view->head.header.height;
    buffer_u8(out, leaf_hash != NULL ? 1 : 0);
    if (leaf_hash == NULL) {
        buffer_u32(out, 0);
        return buffer_ok(out);
    }
    enum err e = kv_get(view->kv, KV_STATE, key, &value);
    if (e != OK) {
        return e != ERR_NOTFOUND ? e : is_head ? ERR_CORRUPT : ERR_EXPIRED;
    }
    sha256(value.data, value.len, hash);
    if (memcmp(hash, leaf_hash, sizeof hash) != 0) {
        return is_head ? ERR_CORRUPT : ERR_EXPIRED;
    }
    buffer_u32(out, (uint32_t)value.len);
    buffer_put(out, value.data, value.len);
    return buffer_ok(out);
}

enum err chain_view_prove(struct chain *chain, struct chain_view *view, struct bytes contract, struct bytes user_key,
                          uint64_t height, struct buffer *out) {
    if (contract.len == 0 || contract.len > BUNDLE_NAME_MAX || user_key.len > BUNDLE_USER_KEY_MAX) {
        return ERR_RANGE;
    }
    uint64_t at = height != 0 ? height : view->head.header.height;
    struct tree_root root;
    enum err e = root_at(view, at, &root);
    if (e != OK) {
        return e;
    }
    size_t start = out->len;
    struct buffer path = BUFFER_INIT;
    struct buffer key = BUFFER_INIT;
    uint8_t hashed[HASH_LEN];
    bool present = false;
    buffer_put(&key, contract.data, contract.len);
    buffer_u8(&key, 0);
    buffer_put(&key, user_key.data, user_key.len);
    e = buffer_ok(&key);
    if (e == OK) {
        sha256(key.data, key.len, hashed);
        e = tree_prove(view->kv, root, hashed, &path, &present);
    }
    buffer_put(out, "ASPB\x01\x00\x00", 7); /* magic, version 1, no epoch steps */
    if (e == OK) {
        e = put_headers(view, at, out);
    }
    buffer_u8(out, (uint8_t)contract.len);
    buffer_put(out, contract.data, contract.len);
    buffer_u16(out, (uint16_t)user_key.len);
    buffer_put(out, user_key.data, user_key.len);
    if (e == OK) {
        e = put_value(view, buffer_bytes(&key), present, out);
    }
    buffer_put(out, path.data, path.len);
    if (e == OK) {
        e = buffer_ok(out);
    }
    buffer_free(&path);
    buffer_free(&key);
    if (e != OK) {
        out->len = start;
    }
    return e;
}
