#include "node/full/evidence_tx.h"

#include "contracts/governance/governance.pb-c.h"
#include "contracts/kernel/transaction.h"
#include "node/ledger/ledger_time.h"

#define ARGS_MAX 512

/* protobuf-c takes what it packs as writable, and only reads it. */
static ProtobufCBinaryData data_of(const uint8_t *data, size_t len) {
    return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)data};
}

static Assay__SignedVote signed_vote(const struct consensus_vote *vote) {
    Assay__SignedVote out = ASSAY__SIGNED_VOTE__INIT;
    out.kind = (uint32_t)vote->subject.kind;
    out.block = data_of(vote->subject.block, HASH_LEN);
    out.signature = data_of(vote->signature, SIG_LEN);
    return out;
}

enum err evidence_tx_build(const uint8_t chain_id[CHAIN_ID_LEN], const uint8_t (*secret)[ED25519_SECRET_LEN],
                           const uint8_t validator[KEY_LEN], const struct consensus_vote *first,
                           const struct consensus_vote *second, uint64_t now_ms, uint64_t max_lifetime_ms,
                           struct buffer *out) {
    uint8_t args[ARGS_MAX];
    Assay__SubmitEvidence message = ASSAY__SUBMIT_EVIDENCE__INIT;
    Assay__SignedVote votes[2] = {signed_vote(first), signed_vote(second)};
    message.validator = data_of(validator, KEY_LEN);
    message.epoch = first->subject.epoch;
    message.view = first->subject.view;
    message.first = &votes[0];
    message.second = &votes[1];
    size_t len = assay__submit_evidence__get_packed_size(&message);
    if (len > sizeof args) {
        return ERR_TOOLARGE;
    }
    (void)assay__submit_evidence__pack(&message, args);
    struct transaction_draft draft = {.chain_id = chain_id,
                                      .expiry_ms = ledger_time_expiry(now_ms, max_lifetime_ms),
                                      .contract = "governance",
                                      .method = "submit_evidence",
                                      .args = bytes_of(args, len)};
    random_fill(draft.salt, sizeof draft.salt);
    const uint8_t(*secrets[1])[ED25519_SECRET_LEN] = {secret};
    return transaction_build(&draft, secrets, 1, out);
}
