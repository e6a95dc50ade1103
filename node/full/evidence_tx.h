/* Evidence on its way to the ledger: two contradicting votes of one validator in a transaction of this node's own
 * (governance.submit_evidence). Every node that sees the contradiction may send one; the ledger counts the first. */
#ifndef ASSAY_NODE_FULL_EVIDENCE_TX_H
#define ASSAY_NODE_FULL_EVIDENCE_TX_H

#include "base/buffer.h"
#include "base/ed25519.h"
#include "consensus/consensus.h"

/* Appends the signed transaction. `validator` is the key that signed both votes; `now_ms` is the later of block time
 * and wall clock; the transaction expires the default lifetime after it, or the chain's longest (`max_lifetime_ms`, as
 * it is now) when that is shorter. */
NODISCARD enum err evidence_tx_build(const uint8_t chain_id[CHAIN_ID_LEN], const uint8_t (*secret)[ED25519_SECRET_LEN],
                                     const uint8_t validator[KEY_LEN], const struct consensus_vote *first,
                                     const struct consensus_vote *second, uint64_t now_ms, uint64_t max_lifetime_ms,
                                     struct buffer *out);

#endif
