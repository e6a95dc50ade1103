/* Block time beside the clock of this machine.
 *
 * They part in two ways. A chain that rests has an old last block, and the next one will carry its leader's clock. A
 * chain whose clocks were once ahead has a last block that real time has not reached; until it does, blocks are one
 * millisecond apart, so transactions become final and what falls due by time stands still.
 */
#ifndef ASSAY_NODE_LEDGER_LEDGER_TIME_H
#define ASSAY_NODE_LEDGER_LEDGER_TIME_H

#include "base/bytes.h"

/* A last block further ahead than this is not waited for: it takes an operator (docs/operations.md). */
#define LEDGER_TIME_FAR_MS 86400000u
#define LEDGER_TIME_TEXT_MAX 160

/* What time it is for whoever makes or judges a transaction beside the ledger: the later of the clock and the last
 * block that is known. Expiry counts from it. */
uint64_t ledger_time_now(uint64_t wall_ms, uint64_t block_ms);

/* When a transaction made now expires unless somebody says otherwise: the default lifetime, or the longest that the
 * organisations allow now (`max_lifetime_ms`), where that is shorter. */
uint64_t ledger_time_expiry(uint64_t now_ms, uint64_t max_lifetime_ms);
/* How far the last block is ahead of the clock; 0 when it is not. */
uint64_t ledger_time_ahead(uint64_t wall_ms, uint64_t block_ms);
/* The alarm for a last block that is so far ahead where `allowed_ms` is what clocks may differ by; NULL: none. `out`
 * gets its text. */
const char *ledger_time_alarm(uint64_t ahead_ms, uint64_t allowed_ms, char out[LEDGER_TIME_TEXT_MAX]);

#endif
