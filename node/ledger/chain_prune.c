#include "node/ledger/chain_prune.h"

#include "node/ledger/chain_internal.h"

/* The highest height below which bodies may go: the expiry window (chain_store_window) and every block younger than
 * `keep_ms` before the head stay. */
static enum err prune_limit(struct kv_view *view, const struct block_header *head, uint64_t keep_ms,
                            uint64_t *out_below) {
    uint64_t first = 1, window = 1, below = 1;
    enum err e = chain_store_first(view, &first);
    if (e == OK) {
        e = chain_store_window(view, head, &window);
    }
    if (e == OK && head->height > 0) {
        uint64_t since = head->time_ms > keep_ms ? head->time_ms - keep_ms : 0;
        e = chain_store_since(view, first, head->height, since, &below);
    }
    if (e == OK) {
        *out_below = below < window ? below : window;
    }
    return e;
}

/* Writes from where on bodies are kept into a layer on top of the store. */
static enum err announce(struct kv *kv, uint64_t below) {
    struct kv_layer *layer;
    enum err e = kv_layer_new(&layer);
    if (e != OK) {
        return e;
    }
    e = chain_store_put_bodies(layer, below);
    if (e == OK) {
        e = kv_push(kv, layer);
    }
    kv_layer_unref(layer);
    return e;
}

enum err chain_prune_bodies(struct chain *chain, uint64_t keep_ms) {
    struct kv_view *view;
    struct chain_store_head head;
    uint64_t kept_from = 0, below = 0;
    if (keep_ms == 0) {
        return OK;
    }
    enum err e = kv_view_open_floor(chain->kv, &view);
    if (e != OK) {
        return e;
    }
    e = chain_store_head(chain->crypto, view, &head);
    if (e == OK) {
        e = chain_store_bodies(view, &kept_from);
    }
    if (e == OK) {
        e = prune_limit(view, &head.header, keep_ms, &below);
    }
    kv_view_close(view);
    if (e == OK && seglog_first(chain->log) < kept_from) {
        e = seglog_discard_below(chain->log, kept_from);
    }
    return e == OK && below > kept_from ? announce(chain->kv, below) : e;
}

enum err chain_prune_store(const struct verify_crypto *crypto, struct kv *kv, struct seglog *log, uint64_t below,
                           uint64_t *out_kept_from) {
    struct kv_view *view;
    struct chain_store_head head;
    struct kv_checkpoint *checkpoint;
    uint64_t kept_from = 0, limit = 0;
    enum err e = kv_view_open(kv, &view);
    if (e != OK) {
        return e;
    }
    e = chain_store_head(crypto, view, &head);
    if (e == OK) {
        e = chain_store_bodies(view, &kept_from);
    }
    if (e == OK) {
        e = prune_limit(view, &head.header, 0, &limit);
    }
    kv_view_close(view);
    below = below < limit ? below : limit;
    if (e == OK && below > kept_from) {
        e = announce(kv, below);
        if (e == OK) {
            e = kv_checkpoint_begin(kv, &checkpoint);
        }
        if (e == OK) {
            e = kv_checkpoint_end(kv, checkpoint, kv_checkpoint_write(checkpoint));
        }
        kept_from = below;
    }
    if (e == OK) {
        e = seglog_discard_below(log, kept_from);
    }
    if (e == OK) {
        *out_kept_from = kept_from;
    }
    return e;
}
