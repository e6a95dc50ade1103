/* The simulator: n nodes in one process, with the product's own replica, consensus, journal, chain and mempool, and a
 * network, two clocks a node and a disk a node that are simulated. A run is a function of its seed.
 *
 * To add a fault: a row in `faults` (sim_faults.c). To add an oracle: a row in `oracles` (sim_oracles.c).
 */
#ifndef ASSAY_SIM_H
#define ASSAY_SIM_H

#include "base/buffer.h"
#include "node/ledger/replica.h"

#define SIM_GENESIS_MS 1700000000000u
#define SIM_NODES_MAX 16
#define SIM_VALIDATORS_MAX 7
#define SIM_HEIGHTS_MAX 8192
#define SIM_VIEWS_MAX 16384

/* ---- Randomness: splitmix64; everything random in a run comes from here ---- */

struct sim_random {
    uint64_t state;
};
uint64_t sim_next(struct sim_random *random);
uint64_t sim_below(struct sim_random *random, uint64_t bound);                /* 0 .. bound - 1 */
uint64_t sim_between(struct sim_random *random, uint64_t low, uint64_t high); /* both ends included */
bool sim_chance(struct sim_random *random, uint32_t per_mille);

/* ---- Crypto: a keyed hash that stands for Ed25519 ---- */

extern const struct verify_crypto sim_crypto;
void sim_sign(const uint8_t key[KEY_LEN], const uint8_t *message, size_t len, uint8_t out[SIG_LEN]);

/* ---- Disk ---- */

struct sim_disk;
struct sim_disk *sim_disk_new(struct sim_random *random);
void sim_disk_free(struct sim_disk *disk);
struct disk sim_disk_ops(struct sim_disk *disk);
/* Power goes: what was not synced is lost, torn, or kept, as chance has it. */
void sim_disk_crash(struct sim_disk *disk);
/* From now on every operation fails without effect (a process that is being killed). */
void sim_disk_stop(struct sim_disk *disk, bool stopped);
/* The disk stops by itself after that many more operations; 0: never. `*out_stopped` when it did. */
void sim_disk_stop_after(struct sim_disk *disk, uint64_t operations);
bool sim_disk_stopped(const struct sim_disk *disk);
/* Flips a bit in the written middle of a file whose path contains `part`; false when there is none. */
bool sim_disk_rot(struct sim_disk *disk, const char *part);
struct sim_disk *sim_disk_copy(const struct sim_disk *disk);
void sim_disk_replace(struct sim_disk *disk, const struct sim_disk *with);

/* ---- Swarm: which faults a seed has, and how strong ---- */

struct sim_options {
    uint16_t validators;
    uint16_t observers;
    uint16_t twins;           /* validators that run twice under one key */
    uint16_t liars;           /* validators that send votes they must not */
    uint16_t withholders;     /* leaders that keep the body from most */
    uint16_t forkers;         /* leaders that propose on their last final block, or with a false state root */
    uint32_t loss, duplicate; /* per mille */
    uint64_t delay_min_us, delay_max_us;
    uint32_t garble;              /* per mille of messages from faulty validators get bits flipped */
    uint32_t certificates_to_one; /* per mille of certificate messages that reach one node only */
    uint64_t partition_every_ms, crash_every_ms, boundary_crash_every_ms, crash_all_every_ms, pause_every_ms;
    uint64_t clock_skew_ms, clock_jump_every_ms;
    uint64_t old_copy_every_ms, rot_every_ms;
    uint64_t tx_every_ms, first_tx_ms;
    uint64_t chaos_ms;
    size_t blocks_bytes; /* what a catch-up answer holds; 0: a whole message */
};
void sim_options_of_seed(struct sim_random *random, struct sim_options *out);

/* ---- The world ---- */

struct sim_message;

enum sim_event_kind { SIM_DELIVER, SIM_TIMER, SIM_FLUSH, SIM_FAULT, SIM_TX, SIM_RESTART, SIM_RESUME };

struct sim_event {
    uint64_t at_us, order;
    enum sim_event_kind kind;
    uint16_t node;
    uint32_t argument; /* incarnation, or row of the table of faults */
    uint16_t from;
    struct sim_message *message;
};

struct sim_node {
    uint16_t number;  /* place in world.nodes */
    uint16_t index;   /* validator index, or CONSENSUS_OBSERVER */
    uint16_t address; /* peer number others know it by */
    bool faulty;      /* the oracles don't hold it to anything */
    bool up, paused, flush_due;
    bool lost_votes; /* runs on a damaged or an old journal: follows, does not count for progress */
    uint32_t incarnation;
    int64_t wall_skew_ms, mono_base_ms;
    uint64_t timer_us;
    struct sim_disk *disk, *old_copy;
    struct chain *chain;
    struct mempool *mempool;
    struct replica *replica;
    struct sim_world *world;
    uint64_t height;
    uint64_t txs_final;
    struct buffer forged; /* a false proposal it makes for one view */
    uint64_t forged_view;
};

struct sim_cast {
    bool any[5];
    uint8_t block[5][HASH_LEN];
};

struct sim_certified {
    bool any[5];
    uint8_t block[5][HASH_LEN];
};

#define SIM_TRACE_LINES 400
#define SIM_TRACE_LEN 160

struct sim_world {
    uint64_t seed;
    struct sim_random random;
    struct sim_options options;
    uint64_t now_us, order;
    bool healed;
    struct sim_event *heap;
    size_t heap_len, heap_cap;

    struct genesis *genesis;
    uint8_t keys[SIM_VALIDATORS_MAX][KEY_LEN];
    struct sim_node nodes[SIM_NODES_MAX];
    uint16_t node_count;
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to */

    /* What the oracles remember. */
    uint64_t top_height;
    bool final_known[SIM_HEIGHTS_MAX];
    uint8_t final_hash[SIM_HEIGHTS_MAX][HASH_LEN];
    struct sim_cast *cast[SIM_VALIDATORS_MAX]; /* by view, of honest keys */
    struct sim_certified *certified;           /* by view */
    uint64_t txs_sent;

    /* Figures. */
    uint64_t steps, messages, bytes;
    bool failed;
    char failure[256];
    char trace[SIM_TRACE_LINES][SIM_TRACE_LEN];
    uint64_t trace_count;
};

void sim_trace(struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_fail(struct sim_world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_schedule(struct sim_world *world, struct sim_event event);

/* Network. */
void sim_send(struct sim_node *from, uint16_t address, struct bytes bytes);
void sim_broadcast(struct sim_node *from, struct bytes bytes);
struct bytes sim_message_bytes(const struct sim_message *message);
void sim_message_unref(struct sim_message *message);

/* Work: the genesis, and a client's transaction for the chain with that id. */
void sim_work_genesis(struct sim_world *world);
NODISCARD enum err sim_work_envelope(struct sim_world *world, const uint8_t *id, struct buffer *out);

/* Nodes. */
void sim_node_start(struct sim_node *node);
void sim_node_crash(struct sim_node *node);
uint64_t sim_wall_ms(const struct sim_node *node);
uint64_t sim_mono_ms(const struct sim_node *node);

/* Faults and oracles. */
void sim_faults_schedule(struct sim_world *world);
void sim_fault_run(struct sim_world *world, uint32_t row);
/* What a faulty validator does with a message of its own before it leaves; false: keeps it back. */
bool sim_fault_outgoing(struct sim_node *from, uint16_t to, struct bytes bytes, struct buffer *changed);

void sim_oracle_sent(struct sim_node *from, struct bytes bytes);
void sim_oracle_final(struct sim_node *node, const struct block *block);
void sim_oracles_step(struct sim_node *node);

/* Runs one world; true: nothing was found. With `quiet` false a failure is printed with its seed and trace. */
struct sim_figures {
    uint64_t blocks, messages, bytes, steps, journal_syncs;
};
bool sim_run(uint64_t seed, const struct sim_options *options, bool quiet, struct sim_figures *figures);

#endif
