/* The simulator: n nodes in one process, with the product's own replica, consensus, journal, chain and mempool, and a
 * network, two clocks a node and a disk a node that are simulated.
 *
 * A run is a function of its case: a seed, the options that follow from it, and the faults of the plan that strike.
 * Each thing that chance decides has a stream of its own (a link's messages, a fault, a disk, the clients), so that a
 * case with one fault less is otherwise as much like the first as can be. That is what shrinking lives from.
 *
 * To add an option: a member of sim_options, a row in `options` and a line in sim_options_of_seed (sim_options.c).
 * To add a fault that strikes: a row in `faults` (sim_faults.c) and its option. To add something that faulty validators
 * say: a row in `forgeries` (sim_forge.c) or `lies` (sim_lies.c), or a trick in sim_byzantine.c and its option. To add
 * an oracle: a row in `oracles` (sim_oracles.c). To add a regression: a row in `scenarios` (sim_scenarios.c) or
 * `sim_foe_scenarios` (sim_foes.c). To count that something happened: sim_counters.h.
 */
#ifndef ASSAY_SIM_H
#define ASSAY_SIM_H

#include "base/buffer.h"
#include "base/ed25519.h"
#include "node/ledger/peer_codec.h"
#include "node/ledger/replica.h"
#include "tests/sim/sim_counters.h"
#include "tests/sim/sim_disk.h"
#include "tests/sim/sim_random.h"

#define SIM_GENESIS_MS 1700000000000u
#define SIM_VALIDATORS_MAX 31
#define SIM_OBSERVERS_MAX 4
#define SIM_KEYS_MAX 36  /* signing keys of nodes; one is its node's peer number too */
#define SIM_NODES_MAX 48 /* twins share a key */
#define SIM_HEIGHTS_MAX 8192
#define SIM_EPOCHS_MAX 64
#define SIM_VIEW_BUCKETS 1024
#define SIM_ROWS_MAX 32    /* kinds of faults */
#define SIM_STRIKES_MAX 32 /* of one kind */
#define SIM_PLAN_MAX (SIM_ROWS_MAX * SIM_STRIKES_MAX)

/* ---- Crypto: sim_crypto.c takes the place of base/ed25519.c in this program ---- */

/* For the run that begins: real Ed25519, or a keyed hash that stands for it and costs next to nothing. */
void sim_crypto_begin(uint64_t seed, bool real_signatures);
/* The key pair with that number, the same in every run. */
void sim_person(uint64_t number, uint8_t public_key[ED25519_KEY_LEN], uint8_t secret[ED25519_SECRET_LEN]);
#define SIM_PERSON_NODE 5000u /* nodes' signing keys begin here; people and devices come before */

/* ---- Options: which faults a seed has, and how strong. All members are uint64_t: they are set by name ---- */

struct sim_options {
    uint64_t validators, observers;
    /* Shared out of the f: */
    uint64_t twins;       /* validators that run twice under one key */
    uint64_t byzantine;   /* validators that do what the tricks below say */
    uint64_t wild_clocks; /* validators whose clock is anywhere within two hours */
    /* The network; per mille of messages. */
    uint64_t loss, duplicate, straggle; /* a straggler takes up to three seconds */
    uint64_t delay_min_us, delay_max_us;
    uint64_t words_to_one; /* per mille of votes and certificates for all that reach one node only */
    uint64_t sync_loss;    /* per mille of bodies and blocks that get lost beside */
    /* How often what strikes does so, in ms; 0: never. */
    uint64_t membership; /* the organisations change the validator set */
    uint64_t params;     /* and the parameters */
    uint64_t leap;       /* everybody's clock goes on at once: much block time at little cost */
    uint64_t exile;      /* a node is cut off for long */
    uint64_t partition, isolate_leader, crash, boundary_crash, crash_all, crash_all_after_vote, pause, clock_jump;
    uint64_t sync_error, disk_full;
    uint64_t old_copy, rot_journal, rot_blocks, disk_lies; /* at the cost of one of the f */
    uint64_t lose_blocks, lose_state,
        lose_ledger; /* the journal stays: it may follow for a while, and breaks no rule */
    /* What Byzantine validators do, per mille of the occasions. */
    uint64_t lie, collude, equivocate, fork, false_root, usurp, withhold, whisper, drip, censor, forge, futures,
        mislead, stale;
    uint64_t replay, garble;
    uint64_t forge_block;          /* blocks that break one rule: sim_forge.c */
    uint64_t false_final;          /* lies to whoever asks for blocks: sim_lies.c */
    uint64_t forge_kind, lie_kind; /* one kind only: the counter of it; 0: any */
    uint64_t false_recall;         /* and to whoever asks for its votes */
    uint64_t flood, fill; /* ms between claims of a height, and between proposals on unknown parents; 0: none */
    uint64_t fill_bytes;  /* a body of such a proposal */
    uint64_t lying_observer;
    uint64_t desert; /* after a crash of all they stay away for good */
    /* Clocks, clients, length. */
    uint64_t clock_skew_ms;
    uint64_t tx_every_ms, first_tx_ms, retry;
    uint64_t journal_segment;
    uint64_t block_segment;                        /* 0: 64 KiB */
    uint64_t checkpoint_bytes, checkpoint_late_ms; /* pending bytes that make one due (0: never); how long it takes */
    uint64_t keep_ms;                              /* of bodies; 0: all */
    uint64_t tx_lifetime_ms;                       /* the parameter tx_max_lifetime_ms; 0: the default */
    uint64_t snapshot_blocks; /* one is made every so many blocks, and whoever starts may join; 0: never */
    uint64_t snapshot_chunk, snapshot_behind_ms; /* bytes of one; how far behind the offered a ledger must be */
    uint64_t snapshot_lies;                      /* per mille of the occasions on which a Byzantine source is asked */
    uint64_t limits; /* blocks above the head that a node keeps, and room for small ones; 0: as the product has it */
    uint64_t blocks_bytes;   /* what a catch-up answer holds; 0: a whole message */
    uint64_t timeout_cap_ms; /* where the back-off of time-outs ends; 0: as the product has it */
    uint64_t real_signatures;
    uint64_t chaos_ms;
};
void sim_options_of_seed(uint64_t seed, struct sim_options *out);
/* Is there a validator whose disk forgets? */
bool sim_options_forgetful(const struct sim_options *options);
/* The table of options, for overrides and shrinking: NULL past the end. */
const char *sim_option_name(size_t place);
uint64_t sim_option_get(const struct sim_options *options, size_t place);
void sim_option_set(struct sim_options *options, size_t place, uint64_t value);
/* What the option is when it plays no part. */
uint64_t sim_option_neutral(size_t place);
bool sim_option_by_name(const char *name, size_t *out_place);

/* What a run is a function of. */
struct sim_case {
    uint64_t seed;
    struct sim_options options;
    bool skipped[SIM_PLAN_MAX]; /* strikes of the plan that are left out */
};
void sim_case_of_seed(uint64_t seed, struct sim_case *out);

/* ---- The world ---- */

struct sim_world;
struct sim_node;
struct sim_message;
struct sim_shelf;

enum sim_event_kind {
    SIM_DELIVER,
    SIM_TIMER,
    SIM_FLUSH,
    SIM_FAULT,
    SIM_TX,
    SIM_HAND_IN,
    SIM_RESTART,
    SIM_CHECKPOINT,
    SIM_RESUME,
    SIM_CRASH_ALL,
    SIM_PESTER,
    SIM_RETURN
};

struct sim_event {
    uint64_t at_us, order;
    enum sim_event_kind kind;
    uint16_t node;
    uint32_t argument; /* incarnation, or place in the plan */
    uint16_t from;
    struct sim_message *message;
};

#define SIM_FALSE_BLOCKS 64
#define SIM_HOARD 64 /* messages and transactions that a Byzantine node keeps for later */

/* What a Byzantine node remembers. */
struct sim_malice {
    struct buffer hoard[SIM_HOARD]; /* messages of others */
    uint64_t hoarded;
    struct buffer notarizations[SIM_HOARD]; /* that it heard of */
    uint64_t notarized;
    uint64_t fills;
    uint64_t filled_epoch, filled_view; /* where it last proposed on an unknown parent */
    struct buffer forged;               /* a false proposal it makes for one view */
    bool to_all;                        /* who gets it: all, or those who are not favoured */
    uint64_t forged_epoch, forged_view;
    uint8_t forged_block[HASH_LEN];
};

/* The two blocks that a Byzantine leader proposed in one view: its fellows know both. */
struct sim_pair {
    uint64_t epoch, view;
    bool to_all;                /* everybody got the forged one */
    uint8_t block[2][HASH_LEN]; /* the true one, the forged one */
};

struct sim_node {
    uint16_t number; /* place in world.nodes */
    uint16_t key;    /* which of world.keys it signs with; also the peer number others know it by */
    bool byzantine;
    bool faulty; /* the oracles don't hold it to anything */
    bool wild_clock;
    bool deserted; /* never starts again */
    bool up, paused, flush_due;
    bool lost_votes;  /* runs on a damaged or an old journal: follows, does not count for progress */
    bool damaged;     /* the next start may find the store damaged */
    bool must_notice; /* and has to say so */
    bool joined;      /* by snapshot, ever */
    bool lost_log;    /* it once had, of the ledger, less than its journal builds on: it may have to refuse */
    bool lost_ledger; /* it has lost blocks or state, and its journal is whole: the next start may say so */
    uint32_t incarnation;
    int64_t wall_skew_ms, mono_base_ms;
    uint64_t timer_us;
    struct sim_disk *disk, *old_copy;
    struct chain *chain;
    struct mempool *mempool;
    struct replica *replica;
    struct kv_checkpoint *checkpoint; /* the one under way */
    struct sim_shelf *shelf;          /* its snapshots */
    struct sim_world *world;
    struct sim_random random, tricks, process;
    uint64_t multicasts;
    uint64_t evidence_us[SIM_KEYS_MAX];  /* when it hands in evidence against that key again */
    uint64_t evidence_due[SIM_KEYS_MAX]; /* what it handed in against that key ends then; 0: nothing */
    uint64_t exiled_until_us;            /* cut off from all others */
    bool was_far;                        /* more than SIM_FAR_VIEWS views behind when it came back */
    /* What sim_expect.c knows of it. */
    struct sim_knowledge *knowledge;
    bool restored; /* runs on an old copy, in whose journal these are its highest votes by kind: */
    uint64_t own_epoch[5], own_view[5];
    uint64_t recall_nonce, answered[SIM_KEYS_MAX]; /* by key: the epoch of its last answer, plus one */
    uint64_t died_epoch, died_view;
    struct sim_malice *malice; /* of a Byzantine one */
    uint64_t height;
    uint64_t looked_through; /* the head at which its store was last looked through */
};

/* An epoch's validators, as the first correct node that reached it said. */
struct sim_epoch {
    uint16_t count;
    uint16_t key[SIM_KEYS_MAX];
    uint8_t hash[HASH_LEN];
    uint64_t closing; /* height of the block that closed the epoch before */
};

/* What the oracles know of a view. */
struct sim_view {
    struct sim_view *next;
    uint64_t epoch, view;
    bool cast[SIM_KEYS_MAX][5];
    uint8_t cast_block[SIM_KEYS_MAX][5][HASH_LEN];
    bool certified[5];
    uint8_t certified_block[5][HASH_LEN];
};

/* A transaction that became final. */
struct sim_final_tx {
    struct sim_final_tx *next;
    uint8_t id[HASH_LEN];
    uint64_t height, expiry_ms;
};

/* A block that nobody may vote for, and why. */
struct sim_false_block {
    const char *name;
    uint8_t hash[HASH_LEN];
};

/* A block that breaks a rule. */
struct sim_forged {
    struct buffer body;
    const char *name;
    bool sure; /* it breaks it at any time and under any parameters */
};

/* A parameter that the organisations vote on by that transaction. */
struct sim_setting {
    uint8_t tx[HASH_LEN];
    uint32_t param;
    uint64_t value;
};

/* What a message must lead to; sim_expect.c. */
struct sim_expected {
    bool any, refuses, from_faulty;
    uint16_t from;
    struct peer_message message; /* owned */
    struct consensus_status before;
};

/* One blow: when, of which row of the table of faults, and the stream it decides by. */
struct sim_strike {
    bool planned;
    uint64_t at_us;
    struct sim_random random;
};

#define SIM_SETTINGS 64
#define SIM_FAR_VIEWS 100u
#define SIM_TRACE_LINES 400
#define SIM_TRACE_LEN 160

struct sim_world {
    const struct sim_case *played;
    struct sim_options options;
    struct sim_random work;
    uint64_t now_us, order;
    bool healed;
    struct sim_event *heap;
    size_t heap_len, heap_cap;

    struct genesis *genesis;
    uint8_t keys[SIM_KEYS_MAX][KEY_LEN];
    uint8_t secrets[SIM_KEYS_MAX][ED25519_SECRET_LEN];
    struct sim_node nodes[SIM_NODES_MAX];
    uint16_t node_count;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to */
    uint64_t carried[SIM_NODES_MAX][SIM_NODES_MAX];
    struct sim_strike plan[SIM_PLAN_MAX];
    struct sim_pair pair;
    bool has_foes;             /* somebody is faulty, or may become it */
    int64_t leap_ms;           /* by which everybody's clock went on at once */
    uint64_t crash_after_kind; /* a crash of all waits for a vote of this kind; 0: none */

    /* What the oracles remember. */
    struct sim_epoch epochs[SIM_EPOCHS_MAX];
    uint64_t epoch_count;
    uint64_t top_height;
    bool final_known[SIM_HEIGHTS_MAX];
    uint8_t final_hash[SIM_HEIGHTS_MAX][HASH_LEN];
    struct block_header final_header[SIM_HEIGHTS_MAX];
    struct sim_view *views[SIM_VIEW_BUCKETS];
    struct sim_final_tx *txs[SIM_VIEW_BUCKETS];
    struct sim_false_block false_blocks[SIM_FALSE_BLOCKS];
    uint64_t false_count;
    uint64_t txs_sent;
    struct buffer sent[SIM_HOARD]; /* envelopes, for clients that send them again */
    /* The ledger as the oracles keep it: up to which height, parameters in force behind that, and what was proposed. */
    uint64_t judged_height;
    struct genesis_params params;
    struct sim_setting settings[SIM_SETTINGS];
    uint64_t setting_count;
    uint64_t proposal_expiry_ms; /* of the organisations' last proposal */
    uint8_t proposal[HASH_LEN];
    uint8_t marker[HASH_LEN]; /* a transaction sent after healing: final in the end */
    uint64_t marker_expiry_ms;
    bool marked;

    /* A scenario's hands: both may be NULL. `lets_pass` false: the message is lost. */
    bool (*lets_pass)(struct sim_node *from, struct sim_node *to, const struct peer_message *message);
    bool seen_enough; /* heals at once */
    void (*on_cast)(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind, const uint8_t *block);

    /* Figures. */
    uint64_t steps, messages, bytes;
    uint64_t counted[SIM_COUNTER_COUNT];
    bool failed;
    const char *kind; /* of the failure, one word */
    char failure[256];
    char trace[SIM_TRACE_LINES][SIM_TRACE_LEN];
    uint64_t trace_count;
};

/* What a right clock says. */
uint64_t sim_now_ms(const struct sim_world *world);
void sim_trace(struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `kind` is one word that stays the same while a failure is shrunk. */
void sim_fail(struct sim_world *world, const char *kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
void sim_schedule(struct sim_world *world, struct sim_event event);
void sim_world_forget_events(struct sim_world *world);

/* Network. */
void sim_send(struct sim_node *from, uint16_t address, struct bytes bytes);
void sim_multicast(struct sim_node *from, const uint16_t *addresses, size_t count, struct bytes bytes);
/* Puts bytes on the wire as they are, past everything that a faulty node does to its messages. */
void sim_inject(struct sim_node *from, struct sim_node *to, struct bytes bytes, uint64_t extra_delay_us);
struct sim_message *sim_message_new(struct bytes bytes);
struct bytes sim_message_bytes(const struct sim_message *message);
void sim_message_unref(struct sim_message *message);

/* Work: the genesis, and a client's transaction for the chain with that id. */
void sim_work_genesis(struct sim_world *world);
/* The end of a transaction that is made now and may live so long, if the chain lets it: block time is never far from
 * the right one, and a quarter of what is allowed is left for that. */
uint64_t sim_work_expiry(const struct sim_world *world, uint64_t wanted_ms);
NODISCARD enum err sim_work_envelope(struct sim_random *random, const uint8_t *id, uint64_t expiry_ms,
                                     struct buffer *out);
/* A client hands one node a transaction, or one that it sent before. */
void sim_work_submit(struct sim_world *world);
/* The same for one that the node itself made, a moment later. */
void sim_work_hand_in(struct sim_node *node, struct bytes envelope, uint16_t accused);
/* False: the node did not want it, or is down now. */
bool sim_work_take(struct sim_node *node, struct bytes envelope);
/* A transaction of the organisation's admin for contract "governance". */
NODISCARD enum err sim_work_sign(const uint8_t *id, const char *method, struct bytes args, uint64_t expiry_ms,
                                 uint64_t salt, struct buffer *out);
/* Hands in one of that size, which is refused when it is executed. */
void sim_work_large(struct sim_node *node, size_t bytes, uint64_t salt);
/* The organisations vote for another parameter: sim_params.c. */
void sim_params_vote(struct sim_world *world, struct sim_random *random);
/* That validator leaves and that observer joins (SIM_KEYS_MAX: nobody). */
void sim_work_change(struct sim_node *node, uint16_t leaving, uint16_t joining, uint64_t salt);
/* The organisations vote for another validator set, unless that would leave too many faulty ones in it. */
void sim_work_membership(struct sim_world *world, struct sim_random *random);

/* Nodes: sim_node.c. */
void sim_node_add(struct sim_world *world, uint16_t key);
void sim_node_start(struct sim_node *node);
uint64_t sim_block_segment(const struct sim_world *world);
enum sim_death { SIM_KILLED, SIM_POWER_CUT };
void sim_node_crash(struct sim_node *node, enum sim_death how);
/* Which of the two it is this time. */
enum sim_death sim_node_death(struct sim_node *node);
void sim_node_close(struct sim_node *node);
void sim_node_restart_later(struct sim_node *node, uint64_t delay_ms);
/* After a call into a node: was it killed, is its disk at fault, or is this a finding? False: it is down now. */
bool sim_node_survived(struct sim_node *node, enum err e, const char *what);
void sim_node_handle(struct sim_node *node, const struct sim_event *event);
void sim_node_flush_soon(struct sim_node *node);
NODISCARD enum err sim_node_tick(struct sim_node *node);
#define SIM_SMALL_BLOCK 8192u /* bytes of a block in a run with small limits */

/* Upkeep (sim_upkeep.c): what a node does after its turns, and the end of the checkpoint that it began. */
void sim_upkeep(struct sim_node *node);
void sim_upkeep_checkpoint(struct sim_node *node);
/* From which height on it has bodies. */
uint64_t sim_upkeep_kept_from(const struct sim_node *node);

/* Snapshots (sim_snapshots.c): one is made when it is due; whoever starts may join by one of those who are up. */
void sim_snapshots_tick(struct sim_node *node);
NODISCARD enum err sim_snapshots_join(struct sim_node *node);
void sim_shelf_free(struct sim_shelf *shelf);

/* The number of a signing key; SIM_KEYS_MAX: unknown. */
uint16_t sim_key_number(const struct sim_world *world, const uint8_t key[KEY_LEN]);
/* Who is a validator of an epoch: its index, or CONSENSUS_OBSERVER. */
uint16_t sim_index_of(const struct sim_world *world, uint64_t epoch, uint16_t key);
uint16_t sim_key_at(const struct sim_world *world, uint64_t epoch, uint16_t index);
uint16_t sim_validators_of(const struct sim_world *world, uint64_t epoch);
/* Is the validator with that key held to nothing any more? */
bool sim_key_is_faulty(const struct sim_world *world, uint16_t key);

/* Faults. */
void sim_faults_plan(struct sim_world *world);
void sim_fault_strike(struct sim_world *world, uint32_t place);
const char *sim_fault_name(uint32_t place);
void sim_crash_all(struct sim_world *world);
void sim_return(struct sim_node *node);
/* Everybody dies at this moment; what `last` is about to send still leaves. */
void sim_crash_all_after(struct sim_node *last);
/* Its process dies, and its blocks and state are gone when it starts again; the journal is whole. */
void sim_lose_ledger(struct sim_node *node);
/* What a Byzantine validator does with a message of its own before it leaves; false: keeps it back. */
bool sim_byzantine_outgoing(struct sim_node *from, struct sim_node *to, struct bytes bytes, struct buffer *changed,
                            uint64_t *extra_delay_us);
/* And what it makes of one that comes in. */
void sim_byzantine_incoming(struct sim_node *node, uint16_t from, struct bytes bytes);
void sim_sign_subject(const struct sim_node *node, const struct vote_subject *subject, uint8_t out[SIG_LEN]);
void sim_byzantine_free(struct sim_malice *malice);

/* Forged blocks. False: the moment has nothing to break that rule with. `like` is the leader's own true block. */
bool sim_forge(struct sim_node *node, const struct block_header *like, struct sim_forged *out);
bool sim_forge_orphan(struct sim_node *node, uint64_t view, uint64_t height, uint64_t bytes, struct buffer *out);

/* Lies that are well formed. */
void sim_lies_overhear(struct sim_node *node, const struct peer_message *message);
void sim_lies_asked(struct sim_node *node, uint16_t asker, uint64_t first_height);
/* Turns an answer to a recall into a false one, with room for its votes. */
void sim_lies_recall(struct sim_node *node, const struct sim_node *to, struct peer_message *message,
                     struct consensus_vote votes[4]);
/* One claim of a height, or (`fills`) one proposal on an unknown parent; the next follows by itself. */
void sim_lies_pester(struct sim_node *node, bool fills);

/* Oracles: what is said (sim_votes.c), and what is done (sim_oracles.c). */
void sim_oracles_begin(struct sim_world *world);
/* Learns from a correct node which epoch it is in. */
void sim_oracle_epoch(struct sim_node *node);
void sim_oracle_sent(struct sim_node *from, struct bytes bytes);
void sim_oracle_held(struct sim_node *node);
void sim_oracle_final(struct sim_node *node, const struct block *block);
void sim_oracle_started(struct sim_node *node);
void sim_oracle_evidence(struct sim_node *node, uint16_t accused, const struct consensus_vote *first,
                         const struct consensus_vote *second);
void sim_oracle_alarm(struct sim_node *node, const char *name, const char *text);
void sim_rot_noticed(struct sim_node *node);
void sim_oracles_step(struct sim_node *node);
void sim_oracles_end(struct sim_world *world);
/* A transaction became final for the first time. */
void sim_oracle_executed(struct sim_world *world, const struct transaction *tx, uint64_t height);
/* The ledger judged once more: sim_ledger.c. */
void sim_ledger_begin(struct sim_world *world);
void sim_ledger_final(struct sim_node *node, const struct block *block);
void sim_ledger_check_params(struct sim_node *node);
/* What must follow from a message: sim_expect.c. */
void sim_expect(struct sim_node *node, uint16_t from, struct bytes bytes, struct sim_expected *out);
void sim_expect_met(struct sim_node *node, struct sim_expected *expected);
void sim_expect_sent(struct sim_node *from, uint16_t to, struct bytes bytes);
void sim_expect_reported(struct sim_node *node, uint16_t accused, const struct vote_subject *subject);
void sim_expect_recalled(struct sim_node *node, uint64_t epoch, uint64_t view);
void sim_expect_restored(struct sim_node *node);
void sim_expect_forget(struct sim_node *node);
bool sim_expect_settled(struct sim_world *world, char *out_text, size_t len);
bool sim_oracle_knows_tx(const struct sim_world *world, const uint8_t id[HASH_LEN]);
void sim_oracles_free(struct sim_world *world);
void sim_oracles_forget_views(struct sim_world *world);

/* The votes that a message casts or passes on, and the certificates that it bears; none of other kinds than these. */
struct peer_votes sim_votes_in(const struct peer_message *message);
struct peer_spans sim_certificates_in(const struct peer_message *message);

/* ---- Runs ---- */

struct sim_result {
    uint64_t blocks, messages, bytes, steps, journal_syncs, txs;
    uint64_t failed_us; /* simulated time of the failure */
    uint64_t counted[SIM_COUNTER_COUNT];
    bool failed;
    char kind[16];
    char failure[256];
};
/* Runs one world in this process. With `show` a failure is printed with its last trace lines. `prepare` (may be NULL)
 * gives a scenario its hands. */
void sim_run(const struct sim_case *played, bool show, void (*prepare)(struct sim_world *world),
             struct sim_result *out);
/* From now on this process has so many seconds of processor time. */
void sim_limit_time(unsigned seconds);
/* The same in a child process, which may break off; gives up after `seconds` of processor time. */
void sim_run_apart(const struct sim_case *played, bool show, unsigned seconds, struct sim_result *out);
/* The kind of failure it is when a run's process ended like that (waitpid), in one word. */
const char *sim_end_kind(int status);

/* Makes a failing case smaller as long as it fails in the same way, and prints what is left of it. */
void sim_shrink(struct sim_case *failing, const struct sim_result *how, unsigned seconds);

/* The named regressions whose name has that part; counts into all three. */
void sim_scenarios(const char *part, atomic_ullong *counted, unsigned long long *passed, unsigned long long *failed);

#endif
