/* All contracts together: what a genesis means to them. (Running operations: contracts/kernel/contract.h.) */
#ifndef ASSAY_CONTRACTS_CONTRACTS_H
#define ASSAY_CONTRACTS_CONTRACTS_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"

/* Rules within records and across them: ids unique, references resolve, 1..LIMIT_VALIDATORS validators, limits,
 * delegations signed by their class's root key. ERR_INVALID: `out_why` says which record breaks which rule. */
NODISCARD enum err contracts_genesis_check(const struct genesis *genesis, const struct verify_crypto *crypto,
                                           struct why *out_why);
/* Writes every contract's first records through `state`. */
NODISCARD enum err contracts_genesis(const struct genesis *genesis, const struct verify_crypto *crypto,
                                     const struct state *state);

#endif
