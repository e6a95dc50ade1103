/* Walks a whole store and names the first thing that is wrong: what `assay node verify` does.
 *
 * First every entry of every table (each has a checksum). Then every block of the index from genesis to the head: hash
 * chain, epochs, certificates, and where the block log still has the body: header, transactions root, receipts, index
 * entries; then the blocks that the log has beyond the checkpoint. At last every node of the state tree recomputed from
 * its leaves, and every flat value against its leaf.
 *
 * It needs neither keys nor a chain, only a view of the checkpoint and the block log, so it runs beside a node as well.
 */
#ifndef ASSAY_NODE_LEDGER_CHAIN_VERIFY_H
#define ASSAY_NODE_LEDGER_CHAIN_VERIFY_H

#include "base/why.h"
#include "node/ledger/chain_store.h"
#include "store/seglog.h"

struct chain_verify_input {
    const struct verify_crypto *crypto;
    const struct genesis *genesis;
    struct kv_view *view;
    struct seglog *log;
    /* How far the walk is in a part of it, "entries", "blocks", "leaves" or "values" (`total` 0: not known); may be
     * NULL. */
    void (*progress)(void *arg, const char *part, uint64_t done, uint64_t total);
    void *arg;
};

struct chain_verify_report {
    uint64_t height;      /* of the checkpoint: index, state and tree are as of this block */
    uint64_t log_height;  /* the last block of the block log */
    uint64_t bodies_from; /* lowest height whose body is kept */
    uint64_t entries;     /* of all tables */
    uint64_t blocks;      /* headers walked, genesis not counted */
    uint64_t bodies;
    uint64_t transactions; /* in those bodies */
    uint64_t certificates;
    uint64_t epochs;
    uint64_t leaves;
    uint8_t state_root[HASH_LEN];
    struct why wrong; /* nothing when all is well */
};

/* ERR_CORRUPT with `out->wrong` filled in; other errors are local faults. */
NODISCARD enum err chain_verify(const struct chain_verify_input *input, struct chain_verify_report *out);

/* ---- Between the files of the walk ---- */

enum err chain_verify_wrong(struct chain_verify_report *report, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Every entry of every table, read once (chain_verify_state.c). */
NODISCARD enum err chain_verify_tables(const struct chain_verify_input *input, struct chain_verify_report *report);
/* Tree and flat values. */
NODISCARD enum err chain_verify_state(const struct chain_verify_input *input, const struct chain_store_head *head,
                                      struct chain_verify_report *report);

#endif
