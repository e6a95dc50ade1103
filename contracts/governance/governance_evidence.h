/* Evidence: two votes that one validator signed in one view of one epoch and that must not both exist (in either
 * order): propose and propose, notarize and notarize, finalize and finalize, each of different blocks; nullify and
 * finalize;  notarize and finalize of different blocks.
 *
 * Anybody who is a node or an admin may submit it; the signatures speak for themselves, over this chain's id. The
 * first evidence against a validator removes it, unless fewer than EVIDENCE_VALIDATORS_LEFT would remain: then it
 * stays, convicted, until organisations replace it. A key with evidence never becomes a validator again.
 *
 * Record (contract "governance", "evidence/" || signing key):
 *   stamp | signing key (32) | epoch (8) | view (8) | twice [ kind (1) | block (32) | signature (64) ] |
 *   submitted by (32) | removed (1)
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_EVIDENCE_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_EVIDENCE_H

#include "contracts/governance/governance.h"
#include "contracts/kernel/method.h"

#define EVIDENCE_VALIDATORS_LEFT 4

struct evidence_vote {
    enum vote_kind kind;
    uint8_t block[HASH_LEN];
    uint8_t signature[SIG_LEN];
};

struct evidence_record {
    struct record_stamp stamp;
    uint8_t validator[KEY_LEN];
    uint64_t epoch;
    uint64_t view;
    struct evidence_vote votes[2];
    uint8_t submitted_by[ED25519_KEY_LEN];
    bool removed; /* by the evidence itself */
};

/* `*out_found` false: nothing stands against the key. */
NODISCARD enum err evidence_get(const struct state *state, const uint8_t key[KEY_LEN], struct evidence_record *out,
                                bool *out_found);

/* Method; the table is in governance_methods.c. */
NODISCARD enum err evidence_submit(const struct call *call, const ProtobufCMessage *message, struct answer *answer);

#endif
