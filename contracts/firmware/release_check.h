/* The checks firmware.register makes on an envelope before anything is written, and who has signed. */
#ifndef ASSAY_CONTRACTS_FIRMWARE_RELEASE_CHECK_H
#define ASSAY_CONTRACTS_FIRMWARE_RELEASE_CHECK_H

#include "contracts/firmware/release.h"

/* What the arguments claim, in checked form: lengths are right. */
struct release_claim {
    struct bytes envelope;
    const uint8_t *image_digest;
    uint64_t image_size;
    const uint8_t *image_cid;
    const uint8_t *image_tree_root;
    const uint8_t *sbom_cid; /* NULL when there is none */
};

/* Judges envelope and claim against the class and fills the release's fields that follow from them (signers of the
 * envelope and of the transaction included). Refuses through `answer`. */
NODISCARD enum err release_check(const struct call *call, const struct class_definition *class,
                                 const struct release_claim *claim, struct release_record *release,
                                 struct answer *answer);

/* May the author sign a release of this class and sequence now? CODE_OK, an author's code, or
 * CODE_DELEGATION_NOT_COVERING. `out_key` gets the author's key when registered. */
NODISCARD enum err release_check_author(const struct call *call, const struct class_definition *class,
                                        const uint8_t author_id[HASH_LEN], uint64_t sequence,
                                        struct author_key *out_key, enum code *out_code);

/* Is the sequence open for a release of the class? CODE_OK, CODE_RELEASE_SEQUENCE_TOO_LOW, .._TOO_FAR. */
NODISCARD enum err release_check_sequence(const struct call *call, const uint8_t class_id[UUID_BYTES],
                                          uint64_t sequence, struct answer *answer);

/* Are all dependencies released and not revoked? */
NODISCARD enum err release_check_dependencies(const struct call *call, const struct release_record *release,
                                              struct answer *answer);

#endif
