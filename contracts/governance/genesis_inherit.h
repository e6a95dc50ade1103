/* What a chain takes over from one that was lost: every record of its last final state but those of "governance", which
 * the new genesis lays itself (who takes part is what is decided anew), and what waited in the due-queue for that.
 *
 * The records lie in a file beside genesis.json, named there by its SHA-256. It is the same wherever it is made, so
 * organisations can make it each from their own node and compare:
 *
 *   magic "ASSAYREC" (8) | version 1 (4) | chain id (32) | height (8) | block hash (32) | state root (32) |
 *   record count (8) | records, by rising key: key length (2) | value length (4) | key | value
 *
 * Records keep their stamps, so heights in them are the old chain's.
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GENESIS_INHERIT_H
#define ASSAY_CONTRACTS_GOVERNANCE_GENESIS_INHERIT_H

#include "contracts/genesis/genesis.h"
#include "contracts/kernel/state.h"

/* Begins a file in `out`; `count` records follow through genesis_inherit_put. */
void genesis_inherit_begin(const struct genesis_predecessor *from, uint64_t count, struct buffer *out);
void genesis_inherit_put(struct bytes key, struct bytes value, struct buffer *out);

/* Is this the whole, well-formed file that the genesis names? ERR_MALFORMED, ERR_MISMATCH (another file). */
NODISCARD enum err genesis_inherit_check(const struct genesis_predecessor *named, struct bytes file);

/* Writes the inherited records, and beside them what they were taken from (contract "governance", key "predecessor":
 * chain id | height (8) | block hash | state root | SHA-256 of the file). Nothing for a genesis without predecessor;
 * ERR_NOTFOUND when its file was not loaded. */
NODISCARD enum err genesis_inherit_apply(const struct call *call, const struct genesis *genesis);

#endif
