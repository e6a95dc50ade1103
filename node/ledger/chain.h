/* The chain: blocks, their execution, and what is final.
 *
 * It knows the final chain (block log and key-value store) and a bounded tree of candidate blocks above it, each
 * executed on its parent's state in memory. Making a block final appends it to the block log and pushes its writes.
 * The block log is synced lazily: until chain_synced_height() reaches a height, the vote journal must keep what could
 * bring that height back.
 *
 * Belongs to the ledger thread, except views, which any thread may open and read.
 */
#ifndef ASSAY_NODE_LEDGER_CHAIN_H
#define ASSAY_NODE_LEDGER_CHAIN_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"
#include "node/ledger/block.h"
#include "store/disk.h"
#include "store/kv.h"
#include "store/tree.h"
#include "verify/certificate.h"

struct chain;
struct mempool;

/* Bounds of what stands above the head. Fields of the configuration so that the simulator can run with small ones; 0,
 * or more than the product's own: the product's own, which are the most there can be. */
struct chain_limits {
    size_t candidates;      /* blocks: CHAIN_CANDIDATES; LIMIT_UNFINAL_DEPTH at least, or what is final finds no room */
    size_t candidate_bytes; /* their bodies together: CHAIN_CANDIDATE_BYTES */
    size_t proposer_bytes;  /* of one proposer, as long as nobody else speaks for them: CHAIN_PROPOSER_BYTES */
    size_t unfinal_bytes;   /* a block and its ancestors above the head, to be voted on: CHAIN_UNFINAL_BYTES */
};
#define CHAIN_CANDIDATES (2 * LIMIT_UNFINAL_DEPTH)
#define CHAIN_CANDIDATE_BYTES ((size_t)64 << 20)
#define CHAIN_PROPOSER_BYTES ((size_t)8 << 20)
#define CHAIN_UNFINAL_BYTES ((size_t)32 << 20)

struct chain_config {
    struct disk disk;
    const char *dir;           /* block log lives in dir/blocks; copied */
    struct kv_backend backend; /* taken over */
    const struct genesis *genesis;
    const struct verify_crypto *crypto;
    struct mempool *mempool;  /* borrowed: vouches for signatures, feeds chain_build, loses what became final */
    uint64_t segment_bytes;   /* of the block log */
    uint64_t version_keep_ms; /* how long old tree versions can be proven */
    size_t checkpoint_bytes;  /* pending bytes that make a checkpoint due */
    struct chain_limits limits;
};

/* Opens and brings the store up to date from the block log. On failure `*out` is NULL or a chain that can only be asked
 * chain_error() and closed. ERR_CORRUPT, ERR_MISMATCH (store of another chain), ERR_BUSY. */
NODISCARD enum err chain_open(const struct chain_config *config, struct chain **out);
void chain_close(struct chain *chain);
/* Why the last call failed, or which rule the block broke that chain_execute last found invalid; "" when there is
 * nothing to add. */
const char *chain_error(const struct chain *chain);

/* The newest protocol version this program knows. A chain that governance has moved further needs a newer program. */
#define CHAIN_PROTOCOL_VERSION PROTOCOL_VERSION

struct chain_head {
    struct block_header header;
    uint8_t hash[HASH_LEN];
};
/* The last final block (the genesis block at first). */
const struct chain_head *chain_head(const struct chain *chain);
const uint8_t *chain_id(const struct chain *chain);
/* What people call it. */
const char *chain_name(const struct chain *chain);
/* Highest height whose block is durable in the block log. */
uint64_t chain_synced_height(const struct chain *chain);

/* Who makes blocks: an epoch's validator set. */
struct chain_epoch {
    uint64_t number;
    uint64_t closing_height; /* of the block that closed the epoch before; 0 for the first */
    uint8_t hash[HASH_LEN];  /* of the set */
    uint16_t count;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
};
static inline struct validator_set chain_epoch_set(const struct chain_epoch *epoch) {
    return (struct validator_set){(const uint8_t(*)[KEY_LEN])epoch->keys, epoch->count};
}
/* The parameters that the head's state holds. */
const struct genesis_params *chain_params(const struct chain *chain);
/* The epoch of the blocks that follow the head. Its contents change with a call that makes a closing block final. */
const struct chain_epoch *chain_epoch(const struct chain *chain);

/* ---- Candidates --------------------------------------------------------------------------------------------- */

enum chain_status {
    CHAIN_UNKNOWN, /* never seen, or already discarded */
    CHAIN_HELD, /* body here, not executed (its parent is missing, not executed, or closes an epoch and is not final) */
    CHAIN_VALID,   /* executed, all roots equal */
    CHAIN_INVALID, /* breaks a rule; stays refused */
    CHAIN_FINAL,   /* final */
};

/* What a block above the head is worth when there is no room for all: less gives way to more, so that what decides
 * always has room. A block on which another stands is worth at least as much as that one. */
enum chain_worth {
    CHAIN_WORTH_NOTHING, /* its view was given up, or it is known to be invalid */
    CHAIN_WORTH_OFFERED, /* a proposer stands for it, nobody else; each has a budget of such bytes */
    CHAIN_WORTH_WANTED,  /* the block of the view that is being voted on, or one of our own */
    CHAIN_WORTH_NOTARIZED,
    CHAIN_WORTH_FINAL, /* a finalization proves it */
};
/* Who knows what blocks are worth, and must know when one has gone for want of room. Both are called from within
 * chain_add and chain_build and must not call the chain. Until a judge is set, a block is worth what its offer said. */
struct chain_judge {
    enum chain_worth (*worth)(void *ctx, const struct block_header *header, const uint8_t hash[HASH_LEN]);
    void (*gone)(void *ctx, const struct block_header *header, const uint8_t hash[HASH_LEN]);
    void *ctx;
};
void chain_set_judge(struct chain *chain, const struct chain_judge *judge);

/* Where a body comes from: what it is worth at least, and which validator pays for its room while nobody else speaks
 * for it. */
struct chain_offer {
    enum chain_worth worth;
    uint16_t payer;
};
/* Takes a body (copied). `offer` NULL: offered by the proposer its header names. ERR_MALFORMED and friends when it is
 * not a block of this chain, ERR_FULL when it is too far above the head or nothing that is worth less can go for it,
 * ERR_DUPLICATE when it is here already (it is then worth at least what the offer says). */
NODISCARD enum err chain_add(struct chain *chain, struct bytes encoded, const struct chain_offer *offer,
                             uint8_t out_hash[HASH_LEN]);
/* Who pays for a held block that waits for this parent; false when none does. */
bool chain_payer_of(const struct chain *chain, const uint8_t parent[HASH_LEN], uint16_t *out);
enum chain_status chain_status(const struct chain *chain, const uint8_t hash[HASH_LEN]);
/* Header of a candidate or of the final head; NULL when unknown. Borrowed until the block is final or discarded. */
const struct block_header *chain_header(const struct chain *chain, const uint8_t hash[HASH_LEN]);
/* Encoded body of a candidate; data == NULL when unknown. */
struct bytes chain_body(const struct chain *chain, const uint8_t hash[HASH_LEN]);
/* Bytes of a candidate and its ancestors above the head; 0 when unknown. */
size_t chain_unfinal_bytes(const struct chain *chain, const uint8_t hash[HASH_LEN]);
/* Does it bring transactions, though more stands without finality than a voter should let? (What was voted on must find
 * room everywhere.) Empty ones never crowd: by them the chain goes on to where something is final again. */
bool chain_is_crowded(const struct chain *chain, const uint8_t hash[HASH_LEN]);

/* Executes a held block on its parent (which must be CHAIN_VALID or the final head). An answer about the block is
 * `*out_status` (CHAIN_VALID, CHAIN_INVALID, or CHAIN_HELD when the parent is not ready); an error is a local fault.
 * Rules checked: linkage (height, epoch, both validator sets), time >= parent + 1, transactions' chain, signatures
 * (unless the mempool vouches for them), expiry, no id used before, limits, and all three roots. The clock bound of a
 * proposal is the voter's business, not the chain's: it does not apply when catching up. */
NODISCARD enum err chain_execute(struct chain *chain, const uint8_t hash[HASH_LEN], enum chain_status *out_status);

/* Builds, executes and holds a block on a valid parent with what the mempool offers; with nothing when its ancestors
 * above the head hold many bytes already. ERR_NOTFOUND (no such parent, or it closes the epoch), ERR_FULL (as many
 * heights as there may be stand above the head). */
NODISCARD enum err chain_build(struct chain *chain, const uint8_t parent[HASH_LEN], uint64_t view, uint16_t proposer,
                               uint64_t wall_ms, uint8_t out_hash[HASH_LEN]);
/* May a transaction with this expiry stand in a block of that time, under these parameters? */
bool chain_tx_is_timely(const struct genesis_params *params, const struct transaction *tx, uint64_t time_ms);
/* Would a block on the head that is made when the clock says this have anything to do (due-queues)? While the head is
 * ahead of the clock what fell due before the head's time still is; what falls due after it waits for the clock. */
bool chain_has_due(const struct chain *chain, uint64_t wall_ms);

/* ---- Finality ----------------------------------------------------------------------------------------------- */

/* Makes a valid candidate and its ancestors final; `finalization` is the encoded certificate over `hash` itself, which
 * the caller has checked. Readers see all of them at once; then `each` (may be NULL) is told of every newly final
 * block, oldest first. Candidates that do not descend from it go. ERR_INVALID (not executed, no certificate),
 * ERR_NOTFOUND (not above the head); other errors are local faults, after which the chain takes no more blocks. */
NODISCARD enum err chain_finalize(struct chain *chain, const uint8_t hash[HASH_LEN], struct bytes finalization,
                                  void (*each)(void *arg, const struct block *block), void *arg);
/* One fdatasync of the block log if anything was appended since. */
NODISCARD enum err chain_sync(struct chain *chain);

/* Final block by height, from any thread: appends body and finalization (either may be NULL when not wanted; nothing is
 * appended for the finalization when the block is final only through a descendant). ERR_NOTFOUND above the head or when
 * pruned. */
NODISCARD enum err chain_read(struct chain *chain, uint64_t height, struct buffer *out_body,
                              struct buffer *out_finalization);

/* ---- Upkeep: checkpoints and pruning of old tree versions, in steps the caller schedules ------------------------ */

bool chain_checkpoint_due(const struct chain *chain);
/* begin on the ledger thread, write on any thread, end on the ledger thread. */
NODISCARD enum err chain_checkpoint_begin(struct chain *chain, struct kv_checkpoint **out);
NODISCARD enum err chain_checkpoint_end(struct chain *chain, struct kv_checkpoint *checkpoint, enum err written);

/* ---- Views: what is final, for readers on any thread ------------------------------------------------------------ */

struct chain_view {
    struct kv_view *kv;
    struct chain_head head;
    struct tree_root root;
    uint64_t provable_from; /* lowest height that can still be proven */
};
/* Safe from any thread at any time between open and close of the chain. */
NODISCARD enum err chain_view_open(struct chain *chain, struct chain_view *out);
void chain_view_close(struct chain_view *view);

/* A final block by height, without reading the block log. ERR_NOTFOUND. */
struct chain_block_info {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    uint32_t tx_count;
    bool has_finalization; /* of its own, not only through a descendant */
};
NODISCARD enum err chain_view_block(struct chain_view *view, uint64_t height, struct chain_block_info *out);

/* The parameters that the view's state holds. */
NODISCARD enum err chain_view_params(struct chain_view *view, struct genesis_params *out);
/* The validator set of an epoch that has begun. ERR_NOTFOUND. */
NODISCARD enum err chain_view_epoch(struct chain_view *view, uint64_t number, struct chain_epoch *out);

/* Appends a proof bundle for one key at the view's newest height that has a finalization (or links to one), or at
 * `height` when it is not 0 and still kept. At an older height only a value that has not changed since can be given.
 * The bundle leads from the set of `trusted_epoch` to that of the header.
 * ERR_NOTFOUND (no such height), ERR_EXPIRED (version or value no longer kept), ERR_TOOLARGE. */
NODISCARD enum err chain_view_prove(struct chain_view *view, struct bytes contract, struct bytes user_key,
                                    uint64_t height, uint64_t trusted_epoch, struct buffer *out);

/* ---- Looking in, for tests (chain_check.c) ---------------------------------------------------------------------- */

/* Is all of it sound? If not, `out_why` says which invariant is broken. On the ledger thread, between calls, of a chain
 * that no call has left with a fault; no other thread opens or closes a view meanwhile. `store`: also what is kept at
 * hand against the state, and the store itself; without it only what stands in memory. */
NODISCARD bool chain_check(const struct chain *chain, bool store, struct why *out_why);

#endif
