/* After losing more than f validators for good, or with a last block years ahead of real time: the last final state of
 * a chain as the beginning of a new one.
 *
 *   DIR/genesis.json          names the predecessor, and the organisations, nodes and parameters of its last state
 *   DIR/predecessor.records   everything else of that state (contracts/governance/genesis_inherit.h)
 *
 * Both come out the same on every node that has the same last block, so organisations can make them each for itself and
 * compare. The new chain's salt follows from that block, and so does its time, unless an earlier one is wished for.
 */
#ifndef ASSAY_NODE_HOME_HOME_EXPORT_H
#define ASSAY_NODE_HOME_HOME_EXPORT_H

#include "base/why.h"
#include "node/home/home_look.h"

struct home_export_wish {
    /* Signing keys of the validators of the new chain, in this order; each is a node of the old one. None: all the old
     * validators stay. Other old validators are left out; observers and gateways stay what they are. */
    uint8_t validators[LIMIT_VALIDATORS][ED25519_KEY_LEN];
    size_t validator_count;
    uint64_t begin_ms; /* time of the new chain's beginning, not after the last block's; 0: that block's */
};

struct home_export_report {
    struct genesis_predecessor from;
    uint8_t chain_id[CHAIN_ID_LEN]; /* of the new chain */
    uint64_t begin_ms;
    uint64_t records;
    size_t validators;
};

/* The node must be stopped; its log is replayed to the last final block. Makes DIR, which must not exist. */
NODISCARD enum err home_export(const struct daemon_home *home, const char *dir, const struct home_export_wish *wish,
                               struct home_export_report *out, struct why *why);

#endif
