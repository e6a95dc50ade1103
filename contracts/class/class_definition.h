/* Device classes: what a vendor builds, who may publish for it, what fits into it.
 *
 * A class has two records under contract "firmware": this definition, and the class record that devices check
 * (verify/class_record.h), which release.h keeps up to date.
 *
 * Record ("class/" || class id):
 *   stamp | vendor id (16) | class id (16) | vendor domain text | class name text | org text (owner) | root key (32) |
 *   minimum hardware revision (4) | required signers m (1) | author count n (1), author ids (32 each) | slot count (1),
 *   slots: component (1), size (8)
 */
#ifndef ASSAY_CONTRACTS_CLASS_CLASS_DEFINITION_H
#define ASSAY_CONTRACTS_CLASS_CLASS_DEFINITION_H

#include "contracts/genesis/genesis_check.h"
#include "contracts/kernel/state.h"

struct class_definition {
    struct record_stamp stamp;
    uint8_t vendor_id[UUID_BYTES];
    uint8_t class_id[UUID_BYTES];
    struct genesis_class def;
};

extern const struct record class_definition_shape;
struct record_key class_definition_key(const uint8_t class_id[UUID_BYTES]);

/* Is it a definition by itself? NULL, or what is wrong, in words. Says nothing about whether the owner exists. */
const char *class_definition_flaw(const struct genesis_class *def);

NODISCARD enum err class_definition_get(const struct state *state, const uint8_t class_id[UUID_BYTES],
                                        struct class_definition *out, bool *out_found);
/* At most `limit` (<= STATE_PAGE_MAX) classes by id, behind `after` (NULL: from the first). */
NODISCARD enum err class_definition_list(const struct state *state, const uint8_t *after, size_t limit,
                                         enum err (*each)(void *arg, const struct class_definition *class), void *arg);
/* Lays definition and class record of a new class and notes it in the definition's history. */
NODISCARD enum err class_definition_put(const struct call *call, const struct genesis_class *def,
                                        struct class_definition *out);

bool class_definition_has_author(const struct class_definition *class, const uint8_t author_id[HASH_LEN]);

/* Genesis hooks: its records' own rules, and laying them. */
NODISCARD enum err class_definition_genesis_check(const struct genesis_checking *c);
NODISCARD enum err class_definition_genesis(const struct call *call, const struct genesis *genesis);

#endif
