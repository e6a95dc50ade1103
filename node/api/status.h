/* What the ledger thread lets others know about itself: a small board that it writes and HTTP threads copy. */
#ifndef ASSAY_NODE_API_STATUS_H
#define ASSAY_NODE_API_STATUS_H

#include "base/ed25519.h"
#include "base/limits.h"
#include "node/api/alarms.h"
#include "node/ledger/stage_times.h"
#include "node/net/links.h"

#include <pthread.h>

#define STATUS_PEERS_MAX 256

struct status_peer {
    uint8_t key[ED25519_KEY_LEN];
    char address[128];
    bool up;
    uint64_t bytes_in, bytes_out, messages_in, messages_out, dropped, handshakes, rejected;
    uint64_t queued_bytes, lost;
    uint64_t fouls; /* messages and signatures that no honest node sends */
};

struct status_facts {
    uint64_t epoch;
    uint64_t view;
    bool catching_up;
    bool may_vote;    /* false: the journal forbids it, see alarm */
    uint64_t pending; /* transactions in the mempool */
    uint64_t pending_bytes;
    uint64_t oldest_pending_ms; /* how long work has waited without a new final block, 0 when idle */
    uint64_t submit_queued, submit_waiting, submit_accepted, submit_refused, submit_timed_out;
    uint64_t blocks_final; /* since start */
    uint64_t txs_final;
    uint64_t timeouts; /* views left by nullification */
    uint64_t checkpoints;
    uint64_t loop_turns;
    uint64_t height, best_height; /* final here, and what the validators' claims come to */
    uint64_t ahead_ms;            /* the last block's time, of our clock; 0: it is not */
    bool due_stands_still;        /* by more than clocks may differ: the alarm says so, too */
    bool validates;               /* it is one of the epoch's validators */
    bool is_on_ledger;            /* which has a record of this node */
    uint16_t within_reach;        /* of the epoch's validators, this node included where it is one */
    uint64_t overdue_ms;          /* a heartbeat */
    bool vote_refused;            /* the journal forbids voting: may_vote of one that should */
    uint64_t signatures_checked, consensus_dropped, journal_syncs;
    uint64_t messages_in, messages_bad, messages_out;
    uint64_t outbox, wanted_bodies;
    uint64_t vouched, block_checked; /* transactions of blocks whose signatures were known, and were not */
    uint64_t gossip_queued, gossip_taken, gossip_known, gossip_good, gossip_refused, gossip_overtaken, gossip_dropped;
    uint64_t disk_free_bytes, disk_bytes; /* of the file system that holds the data; both 0: not known */
    bool disk_low;
    struct links_stats links;
    struct stage_histogram stages[STAGE_COUNT];
    struct alarms alarms;
    uint64_t beat_mono_ms; /* when the ledger thread last wrote here */
    char alarm[200];       /* the one to look at first; "" when there is none */
    bool alarm_is_mild;    /* it, and so every other: the node is healthy */
    size_t peer_count;
    struct status_peer peers[STATUS_PEERS_MAX]; /* last: only those there are get copied */
};

#define STATUS_FAULT_MAX 160u

struct status_board {
    pthread_mutex_t lock;
    struct status_facts facts;
    char fault
        [STATUS_FAULT_MAX]; /* what could not be read for an answer, until the ledger thread takes it; "": nothing */
};

void status_board_init(struct status_board *board);
void status_board_close(struct status_board *board);
void status_board_write(struct status_board *board, const struct status_facts *facts);
/* Any thread: something of this node's own could not be read. One line. */
void status_board_fault(struct status_board *board, const char *text);
/* What was noted last since the call before; false: nothing. */
bool status_board_take_fault(struct status_board *board, char out[STATUS_FAULT_MAX]);
void status_board_read(struct status_board *board, struct status_facts *out);

#endif
