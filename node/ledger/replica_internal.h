/* What the files of the replica share; nobody else includes this. */
#ifndef ASSAY_NODE_LEDGER_REPLICA_INTERNAL_H
#define ASSAY_NODE_LEDGER_REPLICA_INTERNAL_H

#include "base/budget.h"
#include "base/buffer.h"
#include "base/why.h"
#include "node/ledger/journal.h"
#include "node/ledger/peer_codec.h"
#include "node/ledger/replica.h"

#define PENDING_MAX (2u * LIMIT_UNFINAL_DEPTH) /* blocks the core waits for, and parents these wait for */
#define FOLLOWUPS_MAX 512                      /* answers to the core's effects that it has not been told yet */
#define FINALS_MAX 32                          /* finalizations of one turn before it is cut short */
#define OUTBOX_MESSAGES_MAX 4096               /* of one turn; what is over is dropped and resent later */
#define OUTBOX_BYTES_MAX (64u * 1024u * 1024u)
#define LOADS_MAX LIMIT_UNFINAL_DEPTH
#define UNSYNCED_MAX 16 /* final blocks that only the journal would bring back after a power cut */
#define FAR_BEHIND 16   /* heights from which on a node says that it is catching up */

enum audience { TO_PEER, TO_VALIDATORS, TO_OBSERVERS };

struct outgoing {
    enum audience audience;
    enum peer_kind kind;
    uint16_t peer;
    size_t offset, len;
};

/* A block that somebody waits for. */
struct pending {
    bool used;
    bool want_body;
    uint8_t hash[HASH_LEN];
    uint64_t view; /* 0: only known as a parent */
    uint64_t asked_ms;
    uint32_t tries;
};

struct followup {
    enum consensus_event_kind kind; /* EVENT_BLOCK or EVENT_BUILT */
    uint8_t hash[HASH_LEN];
    enum consensus_block_state state;
    bool journaled;
};

struct final {
    uint8_t hash[HASH_LEN];
    uint8_t certificate[CERTIFICATE_MAX];
    size_t certificate_len;
};

/* A block that went for want of room: the core must not count on it any more. */
struct gone {
    uint8_t hash[HASH_LEN], parent[HASH_LEN];
    uint64_t view;
    bool closes;
};

/* How many transactions of our mempool a block above the head holds. */
struct load {
    uint8_t hash[HASH_LEN];
    size_t count;
};

struct peer_state {
    bool known;
    uint8_t key[KEY_LEN];
    uint16_t index;             /* in the epoch's set, or CONSENSUS_ALL */
    uint64_t height;            /* as it claims; forgotten when it does not honour that */
    uint64_t told_ms;           /* when it last heard from us that its epoch is over */
    uint32_t taken[PEER_KINDS]; /* messages in this second, of kinds with a limit */
    uint32_t strikes;           /* ranges it was asked for in vain since it last gave one */
    uint64_t shunned_ms;        /* its claims count for nothing until then */
    struct budget fouls;        /* what no honest node sends */
    uint64_t fouls_seen;
    uint64_t deaf_until_ms; /* nothing of it is taken until then */
};

/* A body that the journal kept. */
struct restored_body {
    uint8_t hash[HASH_LEN], parent[HASH_LEN];
    uint64_t epoch, view;
    uint64_t sequence; /* of its record */
};

/* What the journal held when it was opened, of the epoch the chain was in and of those after it. */
struct restored {
    struct buffer votes, proposals; /* of struct consensus_vote */
    struct buffer certificates;     /* each behind its length (4) */
    struct buffer bodies;           /* of struct restored_body */
};

#define NO_PEER UINT16_MAX

/* A range of final blocks that a peer was asked for. */
#define FETCHES_MAX 4
#define FETCH_BACKOFF_MAX 4   /* doublings of the wait for an answer */
#define STRIKES_OF_LIAR 2     /* so often in vain, and a peer's claims count for nothing for a while */
#define STRIKES_MAX 6         /* doublings of that while */
#define FETCH_TRIES_OF_ALL 16 /* asked so often in vain: perhaps the fault is in what we built on */

struct fetch {
    bool used;
    uint64_t first;                       /* height */
    uint16_t peer;                        /* asked last, or who answered */
    uint8_t asked[REPLICA_PEERS_MAX / 8]; /* bit per peer: an answer of anybody else counts for nothing */
    uint64_t asked_ms;
    uint32_t tries;
    bool answered;
    struct peer_message answer; /* owned */
};

struct replica {
    struct replica_config config;
    uint8_t key[KEY_LEN];
    struct chain_epoch epoch; /* the core's; the core borrows its keys */
    uint16_t me;              /* in its set, or CONSENSUS_OBSERVER */
    uint16_t fetch_peer;      /* who was asked last */
    bool build_wanted;        /* the core asked for a block; it is built when the turn ends, with all that came in */
    struct journal *journal;  /* NULL: no key, or damaged */
    struct restored restored; /* given to the core of each epoch in its turn */
    void *core_memory;
    struct consensus *core;
    struct consensus_effects *effects;
    enum err failed;
    struct why why; /* replica_error */

    uint64_t wall_ms, mono_ms;
    uint64_t lifetime_ms;    /* the longest of a transaction, as of the head */
    uint64_t look_far_until; /* block time: so long it is looked whether what waits may stand in a block */
    uint64_t core_timer_ms;  /* UINT64_MAX: none */

    struct followup followups[FOLLOWUPS_MAX];
    size_t followup_count;
    struct pending pending[PENDING_MAX];
    size_t pending_count;
    struct buffer gone; /* of struct gone, until the core has heard */
    uint64_t build_view;
    uint8_t build_parent[HASH_LEN];
    bool crowded; /* alarmed: blocks above the head leave no room for more */
    struct final finals[FINALS_MAX];
    size_t final_count;
    uint64_t decided_height; /* of the last one the core finalized: the head once the turn is flushed */

    struct buffer out_bytes;
    struct outgoing *out;
    size_t out_count;

    struct consensus_vote votes[PEER_VOTES_MAX]; /* gathered into one message */
    size_t vote_count;
    uint16_t votes_to;

    struct load loads[LOADS_MAX];
    size_t load_next;
    bool work;
    uint64_t barren_until_ms; /* a block built for waiting transactions had none: don't spin */

    struct peer_state peers[REPLICA_PEERS_MAX];
    uint16_t peer_of[LIMIT_VALIDATORS];     /* who is at an index of the set: a peer, or NO_PEER */
    uint64_t behind_since_ms, caught_up_ms; /* when a range of many blocks was last taken */
    uint64_t proven_height; /* catch-up executed up to here and lacks a finalization yet; 0 or low: nothing */
    struct fetch fetches[FETCHES_MAX];
    uint64_t status_sent_ms, taken_reset_ms, synced_ms;
    uint32_t odd_clocks[VALIDATORS_MAX]; /* times in a row that this validator's clock was far from ours */
    uint64_t odd_told_ms;

    uint64_t messages_in, messages_bad, messages_out, bytes_out, journal_syncs, final_blocks;
};

/* Marks the replica as stopped; the text goes to replica_error(). Returns `e`. */
enum err replica_fail(struct replica *r, enum err e, const char *format, ...) __attribute__((format(printf, 3, 4)));
void replica_alarm(struct replica *r, const char *name, const char *text);

/* Queues a message until the turn is flushed; it goes out under the replica's epoch. */
NODISCARD enum err replica_post(struct replica *r, enum audience audience, uint16_t peer,
                                const struct peer_message *message);
/* The same under another epoch: what a node can say of one it has not reached. */
NODISCARD enum err replica_post_in(struct replica *r, uint64_t epoch, enum audience audience, uint16_t peer,
                                   const struct peer_message *message);

/* Says again which transactions wait here, the oldest first and not too many: to validators that may not have heard. */
NODISCARD enum err replica_tell_waiting(struct replica *r, enum audience audience, uint16_t peer);

/* Epochs: replica_open.c */
/* The chain's head closed the epoch: everything of it goes, and a core for the next set starts. */
NODISCARD enum err replica_begin_epoch(struct replica *r);

/* What the journal held: replica_restore.c */
/* Opens the journal and gathers its contents. ERR_CORRUPT: it is damaged, and stays closed. */
NODISCARD enum err replica_restore_read(struct replica *r);
/* Makes final what the journal shows to be final, through as many epochs as it reaches. Before there is a core. */
NODISCARD enum err replica_restore_final(struct replica *r);
/* Starts the epoch's core with what the journal held of that epoch, and gives it the blocks. */
NODISCARD enum err replica_restore_epoch(struct replica *r);
/* Did the journal hold votes of ours in a later epoch than this? */
bool replica_restored_beyond(const struct replica *r, uint64_t epoch);
void replica_restored_free(struct restored *restored);

/* The end of a turn, in this order. */
NODISCARD enum err replica_sync_journal(struct replica *r);
void replica_send_all(struct replica *r);
NODISCARD enum err replica_finalize_all(struct replica *r);
/* Makes the block log durable and gives back what the journal need not keep any more. */
NODISCARD enum err replica_sync_chain(struct replica *r);

/* Books a finalization; it takes effect when the turn is flushed. */
NODISCARD enum err replica_decide(struct replica *r, const uint8_t hash[HASH_LEN], uint64_t height,
                                  struct bytes certificate);

/* Fills in what the chain knows of a block; false when it is gone. */
bool replica_describe(const struct replica *r, const uint8_t hash[HASH_LEN], struct consensus_event *out);

/* Gives the core one event, carries out its effects, and goes on until nothing follows. */
NODISCARD enum err replica_feed(struct replica *r, struct consensus_event *event);
/* Carries out what waits, and goes on until nothing follows. */
NODISCARD enum err replica_follow(struct replica *r);

/* Blocks: replica_blocks.c */
/* Executes a block, and its ancestors first. Where that has to wait, the status is CHAIN_HELD or CHAIN_UNKNOWN and
 * `out_missing` names what it waits for: a block that is not here, or one behind the end of its epoch. */
NODISCARD enum err replica_advance(struct replica *r, const uint8_t hash[HASH_LEN], enum chain_status *out_status,
                                   uint8_t out_missing[HASH_LEN]);
NODISCARD enum err replica_pursue(struct replica *r, const uint8_t hash[HASH_LEN], uint64_t view);
/* A body arrived or a block turned valid: whoever waits may go on. */
NODISCARD enum err replica_retry_pending(struct replica *r);
NODISCARD enum err replica_build(struct replica *r);
/* Asks again for bodies that did not come. */
NODISCARD enum err replica_ask_bodies(struct replica *r);
uint64_t replica_bodies_deadline(const struct replica *r);
void replica_drop_pending(struct replica *r);
NODISCARD enum err replica_take_body(struct replica *r, struct bytes body);
/* A handler of messages; it leaves the message as it is. */
NODISCARD enum err replica_serve_body(struct replica *r, uint16_t peer, struct peer_message *ask);
NODISCARD enum err replica_refresh_work(struct replica *r, bool *out_changed);

/* Room above the head: replica_room.c */
/* Makes the replica the judge of what the chain keeps. */
void replica_judge_blocks(struct replica *r);
/* The next block that went, as an event that takes it back from the core; false when there is none. */
bool replica_next_gone(struct replica *r, struct consensus_event *out);
/* Is there room above the head? An alarm once, until a block can be built or something becomes final. */
void replica_note_room(struct replica *r, bool has_room, const char *what);
/* Does this block bring transactions, and so much stand above the head with it that a voter waits for finality first?
 */
bool replica_is_crowded(struct replica *r, const uint8_t hash[HASH_LEN]);

/* Catch-up: replica_catchup.c */
/* Handlers of messages; the second takes over what it keeps. */
NODISCARD enum err replica_serve_blocks(struct replica *r, uint16_t peer, struct peer_message *ask);
NODISCARD enum err replica_take_blocks(struct replica *r, uint16_t peer, struct peer_message *message);
void replica_take_status(struct replica *r, uint16_t peer, uint64_t height);
NODISCARD enum err replica_catch_up(struct replica *r);
uint64_t replica_catchup_deadline(const struct replica *r);
bool replica_catching_up(const struct replica *r);
void replica_drop_fetches(struct replica *r);
/* The height that the others have for sure, as far as claims go: the (f + 1)-th highest of the validators', for at most
 * f of them lie. 0 when too few have said anything; what observers claim moves nothing. */
uint64_t replica_believed_height(const struct replica *r);
/* Are the others further ahead than what may stand above our head? Then votes and bodies are of no use yet. */
bool replica_far_behind(const struct replica *r);

#endif
