/* The vote journal: what a validator must not forget before its words leave the machine.
 *
 * Records in a segmented log (store/seglog.h), appended during a turn and made durable by one journal_sync at its end:
 *   1 vote         epoch (8) | view (8) | kind (1) | block hash (32) | signer (2) | signature (64)
 *   2 proposal     the same, kind 1: what this leader proposed
 *   3 body         an encoded block
 *   4 certificate  as it travels
 */
#ifndef ASSAY_NODE_LEDGER_JOURNAL_H
#define ASSAY_NODE_LEDGER_JOURNAL_H

#include "base/buffer.h"
#include "consensus/consensus.h"
#include "store/disk.h"

struct journal;

struct journal_config {
    struct disk disk;
    const char *dir; /* copied; made when missing */
    uint64_t segment_bytes;
};

/* Gets every record while the journal opens, oldest first. An error ends opening with that error. */
struct journal_reader {
    enum err (*vote)(void *arg, const struct consensus_vote *vote); /* proposals have kind VOTE_PROPOSE */
    enum err (*body)(void *arg, uint64_t sequence, struct bytes body);
    enum err (*certificate)(void *arg, struct bytes certificate);
    void *arg;
};

/* ERR_CORRUPT: a record in the middle is damaged or missing; whoever owns the key must not vote in this epoch again.
 * journal_error() has the place. A torn tail is no error: it was never synced, so nothing of it was ever said. */
NODISCARD enum err journal_open(const struct journal_config *config, const struct journal_reader *reader,
                                struct journal **out);
void journal_close(struct journal *journal);
/* Appends the body that the reader was shown under this sequence number. ERR_NOTFOUND when it was given back since. */
NODISCARD enum err journal_read_body(struct journal *journal, uint64_t sequence, struct buffer *out);
/* Why the last call of this thread failed, in words. */
const char *journal_error(void);

NODISCARD enum err journal_vote(struct journal *journal, const struct consensus_vote *vote);
/* `view` is where the vote that follows is cast. */
NODISCARD enum err journal_body(struct journal *journal, uint64_t epoch, uint64_t view, struct bytes body);
NODISCARD enum err journal_certificate(struct journal *journal, uint64_t epoch, uint64_t view,
                                       struct bytes certificate);
/* One fdatasync when a vote or a proposal was appended since the last, which also covers what stands before it;
 * `*out_synced` (may be NULL) tells whether. */
NODISCARD enum err journal_sync(struct journal *journal, bool *out_synced);
/* Gives back what holds only earlier epochs and views at or below `view` of this one: those are final and durable
 * elsewhere. */
NODISCARD enum err journal_discard(struct journal *journal, uint64_t epoch, uint64_t view);

#endif
