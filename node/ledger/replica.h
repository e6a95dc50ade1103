/* A replica: consensus, chain, vote journal and mempool joined into one machine that an outer loop feeds.
 *
 * Deterministic: everything that reaches it is a call with its time, everything that leaves it goes through `ops`. The
 * daemon gives it nng and libuv, the simulator its own network, clock and disk.
 *
 * One turn of the outer loop: any number of replica_message / replica_transaction / replica_tick, then replica_flush
 * once. Nothing leaves the replica before flush, which syncs the journal once, then sends in order, then makes blocks
 * final. An error from any call is a local fault (disk, memory, divergence): the replica is stopped, replica_error()
 * says why, and the node must end; garbage from peers is never an error.
 *
 * Epochs: the validator set stands in the chain's state. When a closing block is final the replica starts a core for
 * the next set by itself, as validator or as observer, whichever the set makes of its key.
 *
 * Belongs to the ledger thread. Peers are small numbers that the shell gives out and keeps as long as it likes; which
 * validator a peer is follows from its signing key (replica_set_peer).
 */
#ifndef ASSAY_NODE_LEDGER_REPLICA_H
#define ASSAY_NODE_LEDGER_REPLICA_H

#include "base/limits.h"
#include "consensus/consensus.h"
#include "contracts/kernel/transaction.h"
#include "node/ledger/chain.h"
#include "node/ledger/mempool.h"
#include "node/ledger/peer_codec.h"
#include "node/ledger/stage_times.h"
#include "store/disk.h"

#define REPLICA_PEERS_MAX 256 /* validators and observers */

/* Messages that can't be read, signatures that fail: so many are borne of one peer, and then one a second. */
#define REPLICA_FOULS 64u
#define REPLICA_FOUL_MS 1000u
#define REPLICA_DEAF_MS 60000u

struct replica;

struct replica_ops {
    /* Bytes are borrowed for the call. Sending may drop silently; it never blocks. */
    void (*send)(void *ctx, uint16_t peer, enum peer_kind kind, struct bytes message);
    /* The same message to several peers. */
    void (*multicast)(void *ctx, const uint16_t *peers, size_t count, enum peer_kind kind, struct bytes message);
    /* A call of replica_tick is wanted at this monotonic time; the latest call counts. */
    void (*set_timer)(void *ctx, uint64_t mono_ms);
    /* A gossiped envelope, unchecked: decode, check signatures once (on a pool), then call replica_transaction with
     * gossip = false. NULL: gossiped transactions are ignored. */
    void (*check_transaction)(void *ctx, uint16_t peer, struct bytes envelope);
    /* Two votes of one validator, signatures checked, that must not both exist. May be NULL. */
    void (*on_evidence)(void *ctx, const uint8_t key[KEY_LEN], const struct consensus_vote *first,
                        const struct consensus_vote *second);
    /* A block became final, oldest first; its writes can be read through views. May be NULL. */
    void (*on_final)(void *ctx, const struct block *block);
    /* A waiting transaction was dropped, because it expires later than the organisations allow now. May be NULL. */
    void (*on_too_far)(void *ctx, const uint8_t tx_id[HASH_LEN]);
    /* A peer has sent more of what no honest node sends than it may: nothing of it is taken for REPLICA_DEAF_MS, and
     * its link had better be cut for as long. May be NULL. */
    void (*on_foul)(void *ctx, uint16_t peer, const uint8_t key[KEY_LEN]);
    /* Something an operator must look at. `name` is one word with dashes, `text` a sentence. */
    void (*on_alarm)(void *ctx, const char *name, const char *text);
};

struct replica_timing {
    struct consensus_timing consensus;
    uint64_t max_ahead_ms;     /* a proposal's time may be ahead of our clock by this */
    uint64_t max_behind_ms;    /* and behind by this; one of exactly parent + 1 by anything */
    uint32_t sync_interval_ms; /* block log made durable (and the journal shortened) at most this often */
    uint32_t fetch_retry_ms;   /* a body or block range not answered is asked of the next peer */
    uint32_t status_ms;        /* how often a node tells where it stands (0: never) */
};
/* Leader timeout 400, advance timeout 800, cap 10 000, silent leader 10, resend 1000, recall 500, heartbeat 10 000 ms;
 * clock +2000 / -30 000 ms; sync 1000, fetch retry 300, status 2000 ms. */
void replica_timing_default(struct replica_timing *out);

struct replica_config {
    const uint8_t *key;    /* own signing key, copied; NULL: an observer for good, without a journal */
    const uint8_t *secret; /* ED25519_SECRET_LEN, borrowed; NULL when sign is given or without a key */
    void (*sign)(void *ctx, const uint8_t *message, size_t len, uint8_t out_signature[SIG_LEN]); /* NULL: by secret */
    void *sign_ctx;
    const struct verify_crypto *crypto;
    struct chain *chain;     /* borrowed, open */
    struct mempool *mempool; /* borrowed */
    struct disk disk;        /* of the vote journal */
    const char *journal_dir; /* copied; made when missing */
    uint64_t journal_segment_bytes;
    size_t blocks_bytes; /* whole blocks of one catch-up answer, at least one; 0: what a message holds */
    struct replica_timing timing;
    struct replica_ops ops;
    void *ctx;                 /* handed to every op */
    struct stage_times *times; /* borrowed; NULL: nothing is timed and no clock is read */
};

/* Opens the journal and takes up where it ended. A damaged journal is no failure: the node follows, does not vote, and
 * raises the alarm "journal-damaged". On failure `*out` is NULL. */
NODISCARD enum err replica_open(const struct replica_config *config, uint64_t wall_ms, uint64_t mono_ms,
                                struct replica **out);
void replica_close(struct replica *replica);

/* ---- Input ----------------------------------------------------------------------------------------------------- */

/* Both clocks as of now; called at least when the timer asked for it. Also before messages of a turn, so that they are
 * judged by the right time. */
NODISCARD enum err replica_tick(struct replica *replica, uint64_t wall_ms, uint64_t mono_ms);
/* From now on this peer is the node with that signing key; NULL: nobody. ERR_RANGE. */
NODISCARD enum err replica_set_peer(struct replica *replica, uint16_t peer, const uint8_t key[KEY_LEN]);
/* A message of an authenticated peer. */
NODISCARD enum err replica_message(struct replica *replica, uint16_t peer, struct bytes message);
/* Takes a transaction whose signatures the caller has checked. `gossip`: it came from a client, tell the validators.
 * Answers of the mempool (ERR_DUPLICATE, ERR_FULL, ERR_DENIED, ERR_EXISTS when executed before, ERR_EXPIRED) are no
 * faults: replica_failed() tells them apart. */
NODISCARD enum err replica_transaction(struct replica *replica, const struct transaction *tx, bool gossip);
/* A transaction that this peer passed on is one that no honest node passes on. */
void replica_foul(struct replica *replica, uint16_t peer);
/* The link to a peer came up: a validator is told of the oldest transactions that wait here, which it may have missed.
 */
NODISCARD enum err replica_peer_up(struct replica *replica, uint16_t peer);
/* Ends a turn: one journal sync, then sends in order, then finalizations. */
NODISCARD enum err replica_flush(struct replica *replica);
/* Makes the block log durable now (before a clean stop). */
NODISCARD enum err replica_sync(struct replica *replica);

/* ---- Looking in ------------------------------------------------------------------------------------------------ */

bool replica_failed(const struct replica *replica);
const char *replica_error(const struct replica *replica);

struct replica_stats {
    struct consensus_status consensus;
    uint16_t me;          /* index into the epoch's set, or CONSENSUS_OBSERVER */
    uint64_t height;      /* final */
    uint64_t best_height; /* what the validators' claims come to, f of them disregarded; 0: too few have spoken */
    bool catching_up;
    uint64_t messages_in, messages_bad, messages_out, bytes_out;
    uint64_t journal_syncs;
    uint64_t final_blocks; /* made final by this process */
    size_t wanted_bodies, outbox;
};
/* How much of what no honest node sends has come from a peer. */
uint64_t replica_fouls(const struct replica *replica, uint16_t peer);
/* Breaks off with an ASSERT when an invariant does not hold; tests run it after each turn. */
void replica_check(const struct replica *replica);
void replica_stats(const struct replica *replica, struct replica_stats *out);
/* The certificate of that kind that is held of a view of this epoch; empty when there is none. */
struct bytes replica_certificate(const struct replica *replica, uint64_t view, enum vote_kind kind);

#endif
