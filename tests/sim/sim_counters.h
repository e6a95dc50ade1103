/* How often the seeds of a program run did what the simulator is there to do. A capability that no seed of a long run
 * uses is one that is believed to be tested and is not: that fails the run.
 *
 * To add a counter: a line in SIM_COUNTERS, and a call of sim_count where the thing has happened (not where it was
 * planned).
 */
#ifndef ASSAY_SIM_COUNTERS_H
#define ASSAY_SIM_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_COUNTERS(X)                                                                                                \
    X(COUNT_POWER_CUT, "power cuts")                                                                                   \
    X(COUNT_KILLED, "processes killed, with the cache kept")                                                           \
    X(COUNT_SYNC_FAILED, "failed syncs")                                                                               \
    X(COUNT_DISK_FULL, "writes that a full disk refused")                                                              \
    X(COUNT_CUT_AFTER_FAILED_SYNC, "power cuts after a failed sync and a restart")                                     \
    X(COUNT_NAMES_VANISHED, "power cuts that undid changes of names")                                                  \
    X(COUNT_LEDGER_LOST, "ledgers lost beside a good journal")                                                         \
    X(COUNT_ROT_NOTICED, "damaged records of a synced log that were noticed")                                          \
    X(COUNT_CHECKPOINT, "checkpoints")                                                                                 \
    X(COUNT_CHECKPOINT_CUT, "checkpoints that a crash broke off")                                                      \
    X(COUNT_PRUNED, "prunes of bodies")                                                                                \
    X(COUNT_SNAPSHOT_MADE, "snapshots made")                                                                           \
    X(COUNT_SNAPSHOT_JOINED, "joined by snapshot")                                                                     \
    X(COUNT_SNAPSHOT_LIE, "lies of snapshot sources")                                                                  \
    X(COUNT_SNAPSHOT_REFUSED, "snapshot sources refused")                                                              \
    X(COUNT_FORGED_SIGNATURE, "blocks with a bad signature")                                                           \
    X(COUNT_FORGED_DOUBLED, "blocks with a transaction twice")                                                         \
    X(COUNT_FORGED_REPEATED, "blocks with an executed transaction")                                                    \
    X(COUNT_FORGED_EXPIRED, "blocks with an expired transaction")                                                      \
    X(COUNT_FORGED_UNTIMELY, "blocks with an untimely transaction")                                                    \
    X(COUNT_FORGED_FOREIGN, "blocks with a transaction of another chain")                                              \
    X(COUNT_FORGED_TOO_MANY, "blocks over the chain's limit")                                                          \
    X(COUNT_FORGED_PROPOSER, "blocks of another proposer")                                                             \
    X(COUNT_FORGED_NOT_LATER, "blocks not later than their parent")                                                    \
    X(COUNT_FORGED_AHEAD, "blocks far ahead in time")                                                                  \
    X(COUNT_FORGED_BEHIND, "blocks far behind in time")                                                                \
    X(COUNT_FORGED_VIEW, "blocks of a view to come")                                                                   \
    X(COUNT_FORGED_HEIGHT, "blocks of a wrong height")                                                                 \
    X(COUNT_FORGED_ROOT, "blocks with another root")                                                                   \
    X(COUNT_FORGED_SET, "blocks with another validator set")                                                           \
    X(COUNT_FORGED_AGAIN, "ordinary blocks proposed again")                                                            \
    X(COUNT_FORGED_OLD_CLOSING, "closing blocks of an earlier epoch proposed")                                         \
    X(COUNT_TO_ONE, "votes and certificates for all that one node got")                                                \
    X(COUNT_WHISPER, "votes that a liar told one validator alone")                                                     \
    X(COUNT_LIE_NOTARIZED, "notarizations as finalizations")                                                           \
    X(COUNT_LIE_TOO_FEW, "finalizations of too few")                                                                   \
    X(COUNT_LIE_ALONE, "finalizations of one")                                                                         \
    X(COUNT_LIE_MADE_UP, "finalizations with made-up signatures")                                                      \
    X(COUNT_LIE_ANOTHERS, "finalizations of another block")                                                            \
    X(COUNT_LIE_HOLE, "ranges with a hole")                                                                            \
    X(COUNT_LIE_UNASKED, "ranges nobody asked for")                                                                    \
    X(COUNT_LIE_EPOCH, "finalizations of another epoch")                                                               \
    X(COUNT_LIE_RECALL, "false recalls")                                                                               \
    X(COUNT_FLOOD, "heights claimed falsely by validators")                                                            \
    X(COUNT_FLOOD_OBSERVER, "heights claimed falsely by observers")                                                    \
    X(COUNT_FILLING, "proposals on unknown parents")                                                                   \
    X(COUNT_FULL_BUDGET, "liars whose room for proposals is used up")                                                  \
    X(COUNT_UNFINAL_FULL, "nodes with too much above the final block")                                                 \
    X(COUNT_CONTRADICTION, "contradictions reported")                                                                  \
    X(COUNT_EVIDENCE_FINAL, "evidence that became final or moot")                                                      \
    X(COUNT_OLD_COPY_REFUSED, "old copies that refused to vote")                                                       \
    X(COUNT_HEARTBEAT_DOWN, "heartbeat voted down")                                                                    \
    X(COUNT_HEARTBEAT_UP, "heartbeat voted up")                                                                        \
    X(COUNT_BLOCK_TXS_DOWN, "transactions of a block voted down")                                                      \
    X(COUNT_BLOCK_TXS_UP, "transactions of a block voted up")                                                          \
    X(COUNT_BLOCK_BYTES_DOWN, "bytes of a block voted down")                                                           \
    X(COUNT_BLOCK_BYTES_UP, "bytes of a block voted up")                                                               \
    X(COUNT_LIFETIME_DOWN, "lifetime of transactions voted down")                                                      \
    X(COUNT_LIFETIME_UP, "lifetime of transactions voted up")                                                          \
    X(COUNT_THRESHOLD_DOWN, "threshold of votes voted down")                                                           \
    X(COUNT_THRESHOLD_UP, "threshold of votes voted up")                                                               \
    X(COUNT_LEAP, "clocks gone on for all")                                                                            \
    X(COUNT_FAR_BEHIND, "nodes over 100 views behind that recovered")                                                  \
    X(COUNT_VALIDATORS_16, "runs of 16 validators")                                                                    \
    X(COUNT_VALIDATORS_31, "runs of 17 to 31 validators")

enum sim_counter {
#define SIM_COUNTER_NAME(name, text) name,
    SIM_COUNTERS(SIM_COUNTER_NAME)
#undef SIM_COUNTER_NAME
        SIM_COUNTER_COUNT
};

#define SIM_COUNTED_SEEDS 500u /* with so many seeds nothing may be left at 0 */

struct sim_world;
void sim_count(struct sim_world *world, enum sim_counter counter);
const char *sim_counter_text(enum sim_counter counter);

/* Adds what one run counted to what all workers share. */
void sim_counters_merge(atomic_ullong all[SIM_COUNTER_COUNT], const uint64_t run[SIM_COUNTER_COUNT]);
/* Prints the table. With `all_wanted` every counter that is still 0 is named as a failure; false when there is one. */
bool sim_counters_print(const atomic_ullong all[SIM_COUNTER_COUNT], bool all_wanted);

#endif
