/* Walks a whole store and names the first thing that is wrong: what `assay node verify` does.
 *
 * Every block's hash chain, transactions root, certificate, receipts and index entries; then every node of the state
 * tree recomputed from its leaves, and every flat value against its leaf.
 */
#ifndef ASSAY_NODE_LEDGER_CHAIN_VERIFY_H
#define ASSAY_NODE_LEDGER_CHAIN_VERIFY_H

#include "node/ledger/chain.h"

struct chain_verify_report {
    uint64_t blocks;
    uint64_t transactions;
    uint64_t certificates;
    uint64_t leaves;
    char wrong[256]; /* "" when all is well */
};

/* The chain must be open and at rest. ERR_CORRUPT with `report->wrong` filled in; other errors are local faults.
 * `progress` (may be NULL) is told how far the walk is, in blocks. */
NODISCARD enum err chain_verify(struct chain *chain, const struct validator_set *validators,
                                void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                                struct chain_verify_report *report);

#endif
