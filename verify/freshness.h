/* How old what is believed may be: one table for everybody who follows the chain (docs/trust.md tells it in words).
 *
 * Two ages are judged, both from a block's time to the reader's clock:
 *   - of the head: a proof of an old block is true, and hides what was decided since. While the chain has a heartbeat,
 *     a newer block is due at most one heartbeat later, so its absence tells.
 *   - of the start: the block that trust rests on (genesis, the last head accepted, a checkpoint). Keys that left the
 *     validator set long ago can sign another history from there on, and cost their holders nothing.
 *
 * No clock in here: time comes in, 0 where the reader has none, and then nothing is too old. A block time ahead of the
 * clock has no age: how far ahead it may be is the validators' to judge.
 */
#ifndef ASSAY_VERIFY_FRESHNESS_H
#define ASSAY_VERIFY_FRESHNESS_H

#include "verify/verdict.h"

#include <stdint.h>

#define FRESHNESS_TRUSTING_DAYS 90
#define FRESHNESS_TRUSTING_MS (UINT64_C(86400000) * FRESHNESS_TRUSTING_DAYS)
#define FRESHNESS_HEARTBEATS 3 /* a head may be as old as so many, whatever is configured */

enum follower {
    FOLLOWER_GATEWAY,
    FOLLOWER_JOINER,       /* a node that takes its ledger from a snapshot */
    FOLLOWER_COMMAND_LINE, /* `assay proof verify`, offline */
    FOLLOWER_DEVICE,       /* its vendor's signature stands beside the proof */
};

/* The age beyond which a head is refused, 0 when none is. `configured_ms` is the follower's own limit, 0 where it has
 * none; `heartbeat_ms` the chain's as its ledger has it now, which matters to those who answer for the chain. */
uint64_t freshness_limit(enum follower who, uint64_t configured_ms, uint32_t heartbeat_ms);

/* GOOD, or BAD_STALE: `head_ms` is more than `limit_ms` ago. No limit: 0. */
enum verdict freshness_head(uint64_t head_ms, uint64_t now_ms, uint64_t limit_ms);

/* GOOD, or BAD_START: what this follower's trust rests on is older than the trusting period. */
enum verdict freshness_start(enum follower who, uint64_t start_ms, uint64_t now_ms);

#endif
