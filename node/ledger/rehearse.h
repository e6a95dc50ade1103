/* What an operation would answer now: run on a view's state, and what it writes is thrown away. For what is judged before
 * it costs a place in a block. Safe on any thread. */
#ifndef ASSAY_NODE_LEDGER_REHEARSE_H
#define ASSAY_NODE_LEDGER_REHEARSE_H

#include "contracts/kernel/transaction.h"
#include "node/ledger/chain.h"

struct rehearsal {
    const uint8_t *chain_id;
    const uint8_t (*signers)[ED25519_KEY_LEN]; /* whose signatures stand, or would */
    size_t signer_count;
    struct bytes contract, method, args;
    uint64_t time_ms; /* of the block that it might stand in */
};

/* `answer` is the caller's, as for contracts_execute; `*out_writes` (may be NULL) tells whether anything would change. */
NODISCARD enum err rehearse(struct chain_view *view, const struct rehearsal *what, struct answer *answer,
                            bool *out_writes);

#endif
