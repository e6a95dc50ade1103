#include "node/ledger/chain_internal.h"

#include "base/assert.h"
#include "contracts/governance/governance.h"
#include "node/host/host_crypto.h"
#include "verify/bundle.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(BUNDLE_LINKS_MAX + 1 >= LIMIT_UNFINAL_DEPTH, "every block can be proven by the next finalization");

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

enum err chain_view_params(struct chain_view *view, struct genesis_params *out) {
    struct state state = state_of_view(view->kv);
    struct params_record record;
    bool found = false;
    enum err e = params_get(&state, &record, &found);
    if (e == OK && !found) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        *out = record.params;
    }
    return e;
}

enum err chain_view_epoch(struct chain_view *view, uint64_t number, struct chain_epoch *out) {
    return chain_epoch_get(&host_crypto, view->kv, number, out);
}

enum err chain_read(struct chain *chain, uint64_t height, struct buffer *out_body, struct buffer *out_finalization) {
    struct buffer record = BUFFER_INIT;
    uint8_t type;
    enum err e = height == 0 ? ERR_NOTFOUND : seglog_read(chain->log, height, &type, &record);
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

/* From the set of epoch `trusted` to that of epoch `last`: for each between, its closing header, that one's
 * finalization and the next set. */
static enum err put_epoch_steps(struct chain_view *view, uint64_t trusted, uint64_t last, struct buffer *out) {
    uint64_t steps = last > trusted ? last - trusted : 0;
    if (steps > BUNDLE_EPOCH_STEPS_MAX) {
        return ERR_TOOLARGE;
    }
    ASSERT(steps <= last); /* it leads on from epoch 0 at the earliest */
    buffer_u16(out, (uint16_t)steps);
    for (uint64_t number = last - steps + 1; number <= last && steps > 0; number++) {
        struct chain_epoch epoch;
        struct block_entry closing;
        struct bytes encoded;
        uint8_t set_bytes[VALIDATOR_SET_MAX];
        enum err e = chain_view_epoch(view, number, &epoch);
        if (e == OK) {
            e = block_entry_get(view->kv, epoch.closing_height, &closing, &encoded);
        }
        if (e != OK || closing.finalization.len == 0) {
            return e == ERR_NOMEM ? e : ERR_CORRUPT;
        }
        struct validator_set set = chain_epoch_set(&epoch);
        buffer_put(out, encoded.data, encoded.len);
        buffer_put(out, closing.finalization.data, closing.finalization.len);
        buffer_put(out, set_bytes, validators_encode(&set, set_bytes));
    }
    return buffer_ok(out);
}

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

/* Does the path lead to a leaf of this very value? */
static enum err is_value_of_leaf(const struct tree_root *root, const uint8_t key[HASH_LEN], struct bytes value,
                                 struct bytes path, bool *out) {
    uint8_t(*work)[33] = malloc(STATE_PATH_STEPS_MAX * sizeof *work);
    if (work == NULL) {
        return ERR_NOMEM;
    }
    uint8_t value_hash[HASH_LEN];
    struct bytes_input from = {path};
    struct input in = input_of_bytes(&from);
    enum state_path_end end = PATH_EMPTY;
    sha256(value.data, value.len, value_hash);
    enum verdict v =
        state_path_verify(&host_crypto, root->hash, key, value_hash, &in, work, STATE_PATH_STEPS_MAX, &end);
    *out = v == GOOD && end == PATH_PRESENT;
    free(work);
    return OK;
}

/* What put_value proves. */
struct proven {
    struct bytes key; /* whole: contract || 0 || user key */
    uint8_t hashed[HASH_LEN];
    struct tree_root root;
    struct buffer path;
    bool present;
    bool is_head;
};

/* Flat values are those of the head: at an older height one can be given only when it has not changed since. */
static enum err put_value(struct chain_view *view, const struct proven *p, struct buffer *out) {
    struct bytes value = bytes_of(NULL, 0);
    bool same = true;
    enum err e = p->present ? kv_get(view->kv, KV_STATE, p->key, &value) : OK;
    if (e == OK && p->present && !p->is_head) {
        e = is_value_of_leaf(&p->root, p->hashed, value, buffer_bytes(&p->path), &same);
    }
    if (e == ERR_NOTFOUND || (e == OK && !same)) {
        return p->is_head ? ERR_CORRUPT : ERR_EXPIRED;
    }
    buffer_u8(out, p->present ? 1 : 0);
    buffer_u32(out, (uint32_t)value.len);
    buffer_put(out, value.data, value.len);
    return e == OK ? buffer_ok(out) : e;
}

/* Everything before the path; the caller cuts `out` back on failure. */
static enum err put_bundle(struct chain_view *view, uint64_t height, uint64_t trusted_epoch, struct bytes contract,
                           struct bytes user_key, const struct proven *p, struct buffer *out) {
    struct block_entry entry;
    enum err e = block_entry_get(view->kv, height, &entry, NULL);
    buffer_put(out, "ASPB\x01", 5); /* magic, version 1 */
    if (e == OK) {
        e = put_epoch_steps(view, trusted_epoch, entry.header.epoch, out);
    }
    if (e == OK) {
        e = put_headers(view, height, out);
    }
    if (e != OK) {
        return e;
    }
    ASSERT(contract.len <= UINT8_MAX && user_key.len <= UINT16_MAX); /* longer ones were refused */
    buffer_u8(out, (uint8_t)contract.len);
    buffer_put(out, contract.data, contract.len);
    buffer_u16(out, (uint16_t)user_key.len);
    buffer_put(out, user_key.data, user_key.len);
    e = put_value(view, p, out);
    buffer_put(out, p->path.data, p->path.len);
    return e == OK ? buffer_ok(out) : e;
}

enum err chain_view_prove(struct chain_view *view, struct bytes contract, struct bytes user_key, uint64_t height,
                          uint64_t trusted_epoch, struct buffer *out) {
    if (contract.len == 0 || contract.len > BUNDLE_NAME_MAX || user_key.len > BUNDLE_USER_KEY_MAX) {
        return ERR_RANGE;
    }
    uint8_t key[BUNDLE_NAME_MAX + 1 + BUNDLE_USER_KEY_MAX];
    uint64_t head = view->head.header.height;
    uint64_t at = height != 0 ? height : head;
    struct proven p = {.key = bytes_of(key, contract.len + 1 + user_key.len), .is_head = at == head};
    enum err e = root_at(view, at, &p.root);
    if (e != OK) {
        return e;
    }
    memcpy(key, contract.data, contract.len);
    key[contract.len] = 0;
    if (user_key.len > 0) {
        memcpy(key + contract.len + 1, user_key.data, user_key.len);
    }
    sha256(p.key.data, p.key.len, p.hashed);
    size_t start = out->len;
    e = tree_prove(view->kv, p.root, p.hashed, &p.path, &p.present);
    if (e == OK) {
        e = put_bundle(view, at, trusted_epoch, contract, user_key, &p, out);
    }
    buffer_free(&p.path);
    if (e != OK) {
        out->len = start;
    }
    return e;
}
