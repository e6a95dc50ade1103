/* The key-value store under everything that can be rebuilt from the block log: state, tree nodes, indices.
 *
 * Two floors. The lower one is a checkpoint in LMDB (or in memory, for the simulator): all or nothing, as of one block.
 * Above it stands a stack of immutable layers, one per final block since, merged as they age so that a read meets few.
 * A view pins a checkpoint snapshot and a stack; it reads without waiting for the writer, from any thread.
 *
 * One thread writes (push, checkpoint_begin, checkpoint_end). Keys sort bytewise within a table.
 */
#ifndef ASSAY_STORE_KV_H
#define ASSAY_STORE_KV_H

#include "base/buffer.h"
#include "base/why.h"

enum kv_table {
    KV_META,    /* small facts: checkpoint height and the like */
    KV_STATE,   /* contract || 0x00 || user key -> value */
    KV_NODES,   /* node id (8) -> tree node; ids only grow, so this is appended to */
    KV_ROOTS,   /* height (8) -> tree root, so that recent heights can be proven */
    KV_STALE,   /* height (8) || node id (8) -> nothing: nodes that height made superfluous */
    KV_BLOCKS,  /* height (8) -> header || transaction count (4) || finalization, empty without its own */
    KV_HASHES,  /* block hash -> height (8) */
    KV_TXS,     /* tx id (32) -> height (8) || index (4) || receipt */
    KV_HISTORY, /* record key || 0x00 || height (8) || index (4) || n (2) -> entry */
    KV_SENDERS, /* signer (32) || height (8) || index (4) -> tx id */
    KV_EPOCHS,  /* epoch (8) -> height of the block that closed the one before (8) || validator set */
    KV_TABLES
};

#define KV_KEY_MAX 511 /* LMDB's limit */
#define KV_VALUE_MAX (16u << 20)

/* ---- A layer: what one block writes ------------------------------------------------------------------------- */

struct kv_layer; /* building: one owner; sealed: immutable and reference counted */

NODISCARD enum err kv_layer_new(struct kv_layer **out);
/* Later writes of one key win. Copies key and value. ERR_TOOLARGE over the limits above, ERR_RANGE for an empty key. */
NODISCARD enum err kv_layer_put(struct kv_layer *layer, enum kv_table table, struct bytes key, struct bytes value);
NODISCARD enum err kv_layer_delete(struct kv_layer *layer, enum kv_table table, struct bytes key);
/* What a layer itself says about a key, also while it is being built. */
enum kv_found { KV_UNKNOWN, KV_PRESENT, KV_DELETED };
/* Visits a table's entries in key order; deleted ones have value.data == NULL. */
NODISCARD enum err kv_layer_each(const struct kv_layer *layer, enum kv_table table,
                                 enum err (*each)(void *arg, struct bytes key, struct bytes value), void *arg);
struct kv_layer *kv_layer_ref(struct kv_layer *layer);
void kv_layer_unref(struct kv_layer *layer); /* NULL is fine */

/* ---- The lower floor ---------------------------------------------------------------------------------------- */

struct kv_backend_ops {
    NODISCARD enum err (*snapshot)(void *ctx,
                                   void **out); /* read transaction; may be used from any one thread at a time */
    void (*release)(void *ctx, void *snapshot);
    /* Borrowed until the snapshot is released. ERR_NOTFOUND; ERR_CORRUPT for an entry that is not as it was written. */
    enum err (*get)(void *ctx, void *snapshot, enum kv_table table, struct bytes key, struct bytes *out);
    /* First entry with key >= `from`. ERR_NOTFOUND at the end. */
    enum err (*seek)(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                     struct bytes *out_value);
    /* Last entry with key <= `from`. */
    enum err (*seek_back)(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                          struct bytes *out_value);
    /* Applies a merged layer in one durable transaction, all or nothing. */
    enum err (*commit)(void *ctx, const struct kv_layer *merged);
    void (*close)(void *ctx);
};

struct kv_backend {
    const struct kv_backend_ops *ops;
    void *ctx;
};

/* `dir` must exist. `map_bytes` is address space, not disk: choose it large (64 GiB), since a store that outgrows it
 * gets ERR_NOSPACE until it is opened with more. ERR_BUSY when another process has it open, ERR_UNSUPPORTED when it is
 * of another version, ERR_CORRUPT. */
NODISCARD enum err kv_lmdb_open(const char *dir, uint64_t map_bytes, struct kv_backend *out);
/* Where the last failed LMDB call of this thread stood and what LMDB said; "" if none failed. */
const char *kv_lmdb_error(void);
/* The same store only to be read, beside the process that writes it or without one; nothing in the folder changes but
 * LMDB's list of readers. Commits are ERR_DENIED; ERR_NOTFOUND when nothing was stored yet. */
NODISCARD enum err kv_lmdb_look(const char *dir, uint64_t map_bytes, struct kv_backend *out);
/* A copy as of the last checkpoint, with free pages left out, into an existing folder, durable when this returns; the
 * store stays in use. */
NODISCARD enum err kv_lmdb_copy(const struct kv_backend *backend, const char *dir);
NODISCARD enum err kv_memory_open(struct kv_backend *out);
/* Another one in memory that begins with what this one holds now; they share what neither changes. */
NODISCARD enum err kv_memory_copy(const struct kv_backend *backend, struct kv_backend *out);

/* How the lower floor in a folder is opened, for whoever doesn't care what it is made of. */
struct kv_opener {
    enum err (*open)(const struct kv_opener *opener, const char *dir, bool only_look, struct kv_backend *out);
    void *ctx;
    uint64_t map_bytes; /* LMDB's */
};
struct kv_opener kv_lmdb_opener(uint64_t map_bytes);

/* ---- The store ---------------------------------------------------------------------------------------------- */

struct kv;

/* Takes over the backend, and closes it also on failure. */
NODISCARD enum err kv_open(struct kv_backend backend, struct kv **out);
/* Every view must be closed and no checkpoint run. NULL is fine. */
void kv_close(struct kv *kv);
/* Seals a layer and puts it on top (keeps a reference of its own); views opened from now on see it. Nothing may be
 * written to the layer any more. */
NODISCARD enum err kv_push(struct kv *kv, struct kv_layer *layer);
/* Bytes held by the layers above the checkpoint. */
size_t kv_pending_bytes(const struct kv *kv);
/* Begin freezes what is stacked so far; kv_checkpoint_write, on any thread, merges it and commits it to the lower
 * floor; then call end on the writer's thread, which drops the frozen layers when the write went well and frees the
 * checkpoint either way. ERR_BUSY while one runs, ERR_NOTFOUND when there is nothing to write. */
struct kv_checkpoint;
NODISCARD enum err kv_checkpoint_begin(struct kv *kv, struct kv_checkpoint **out);
NODISCARD enum err kv_checkpoint_write(struct kv_checkpoint *checkpoint);
NODISCARD enum err kv_checkpoint_end(struct kv *kv, struct kv_checkpoint *checkpoint, enum err written);

/* ---- Reading ------------------------------------------------------------------------------------------------ */

struct kv_view; /* one thread at a time reads through one view */

NODISCARD enum err kv_view_open(struct kv *kv, struct kv_view **out);
/* A view of the last checkpoint alone: what survives a crash at this moment. */
NODISCARD enum err kv_view_open_floor(struct kv *kv, struct kv_view **out);
/* A view with more (unsealed or sealed, not yet final) layers on top, newest last: execution above the final head.
 * Borrows the layers: they outlive the view. */
NODISCARD enum err kv_view_open_above(struct kv *kv, struct kv_layer *const *layers, size_t count,
                                      struct kv_view **out);
void kv_view_close(struct kv_view *view);
/* What these give is borrowed until the view is closed (or, above unsealed layers, until one of those is freed).
 * ERR_NOTFOUND. */
NODISCARD enum err kv_get(struct kv_view *view, enum kv_table table, struct bytes key, struct bytes *out);
/* First live entry with key >= `from` (or the last with key <= `from`), across all floors. ERR_NOTFOUND. */
NODISCARD enum err kv_seek(struct kv_view *view, enum kv_table table, struct bytes from, struct bytes *out_key,
                           struct bytes *out_value);
NODISCARD enum err kv_seek_back(struct kv_view *view, enum kv_table table, struct bytes from, struct bytes *out_key,
                                struct bytes *out_value);

/* ---- Looking in, for tests (kv_check.c) ------------------------------------------------------------------------- */

/* Is all of it sound? If not, `out_why` says which invariant is broken. On the writer's thread, while nobody opens or
 * closes a view. `entries`: also what every layer holds, key by key; without it only how the layers stand together. */
NODISCARD bool kv_check(const struct kv *kv, bool entries, struct why *out_why);
/* Shows the layers above the lower floor, oldest first, until `each` returns false; `frozen`: a running checkpoint
 * writes it. */
void kv_layers_each(const struct kv *kv, bool (*each)(void *arg, const struct kv_layer *layer, bool frozen), void *arg);

#endif
