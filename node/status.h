/* What the ledger thread lets others know about itself: a small board that it writes and HTTP threads copy. */
#ifndef ASSAY_NODE_STATUS_H
#define ASSAY_NODE_STATUS_H

#include "base/ed25519.h"
#include "base/limits.h"

#include <pthread.h>

#define STATUS_PEERS_MAX 256

struct status_peer {
    uint8_t key[ED25519_KEY_LEN];
    char address[128];
    bool up;
    uint64_t bytes_in, bytes_out, messages_in, messages_out, dropped, handshakes, rejected;
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
    uint64_t beat_mono_ms; /* when the ledger thread last wrote here */
    char alarm[200];       /* "" when there is none */
    size_t peer_count;
    struct status_peer peers[STATUS_PEERS_MAX];
};

struct status_board {
    pthread_mutex_t lock;
    struct status_facts facts;
};

void status_board_init(struct status_board *board);
void status_board_close(struct status_board *board);
void status_board_write(struct status_board *board, const struct status_facts *facts);
void status_board_read(struct status_board *board, struct status_facts *out);

#endif
