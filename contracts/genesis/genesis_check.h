/* What contracts judge their part of a genesis with. Each has a hook (struct contract) for the rules of its own records;
 * contracts_genesis_check runs them all. */
#ifndef ASSAY_CONTRACTS_GENESIS_GENESIS_CHECK_H
#define ASSAY_CONTRACTS_GENESIS_GENESIS_CHECK_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"

struct genesis_checking {
    const struct genesis *genesis;
    const struct verify_crypto *crypto;
    struct why *why;
};

/* Says which record breaks which rule; ERR_INVALID. */
NODISCARD enum err genesis_broken(const struct genesis_checking *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* NULL: there is none. */
const struct genesis_org *genesis_find_org(const struct genesis *g, const char *id);
const struct genesis_node *genesis_find_node(const struct genesis *g, const uint8_t key[KEY_LEN]);
const struct genesis_class *genesis_find_class(const struct genesis *g, const uint8_t class_id[UUID_BYTES]);
/* Refuses a list in which an id stands twice; `what` is what it lists. Takes the ids, on the heap, over. */
NODISCARD enum err genesis_unique(const struct genesis_checking *c, const char *what, uint8_t (*ids)[HASH_LEN],
                                  size_t count);

#endif
