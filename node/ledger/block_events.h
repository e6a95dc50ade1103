/* What a final block has to tell, for whoever passes it on. */
#ifndef ASSAY_NODE_LEDGER_BLOCK_EVENTS_H
#define ASSAY_NODE_LEDGER_BLOCK_EVENTS_H

#include "contracts/kernel/contract.h"
#include "node/ledger/chain.h"
#include "node/ledger/execute.h"

/* One of its transactions. */
struct block_event_tx {
    const struct transaction *tx;
    uint64_t height;
    uint32_t index;
    bool has_receipt;          /* one that did not come with a snapshot is not there */
    struct receipt receipt;    /* borrows from the view */
    enum contract_event event; /* what its contract calls it; none unless it was carried out */
};

/* Calls back for each transaction in its order. An error of reading, or of `each`, ends it. */
NODISCARD enum err block_events(struct chain_view *view, const struct block *block,
                                enum err (*each)(void *arg, const struct block_event_tx *event), void *arg);

/* Where a final transaction is and what came of it. ERR_NOTFOUND: the node knows of none with this id, or its entry did
 * not come with a snapshot. */
NODISCARD enum err final_tx_find(struct chain_view *view, const uint8_t id[HASH_LEN], uint64_t *out_height,
                                 uint32_t *out_index, struct receipt *out_receipt);

#endif
