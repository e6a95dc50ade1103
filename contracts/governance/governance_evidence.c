#include "contracts/governance/governance_evidence.h"

#include "contracts/governance/governance.pb-c.h"
#include "contracts/governance/governance_records.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Must the two, of one signer, epoch and view, not both exist? */
static bool contradicts(const struct evidence_vote *a, const struct evidence_vote *b) {
    bool same_block = memcmp(a->block, b->block, HASH_LEN) == 0;
    if (a->kind == b->kind) {
        return a->kind != VOTE_NULLIFY && !same_block;
    }
    const struct evidence_vote *final = a->kind == VOTE_FINALIZE ? a : b;
    const struct evidence_vote *other = final == a ? b : a;
    if (final->kind != VOTE_FINALIZE) {
        return false;
    }
    return other->kind == VOTE_NULLIFY || (other->kind == VOTE_NOTARIZE && !same_block);
}

/* ---- Record ------------------------------------------------------------------------------------------------- */

static struct record_key evidence_key(const uint8_t key[KEY_LEN]) {
    return record_key(GOVERNANCE, "evidence/", bytes_of(key, KEY_LEN));
}

static const char *const vote_kinds[VOTE_FINALIZE + 1] = {
    [VOTE_PROPOSE] = "propose", [VOTE_NOTARIZE] = "notarize", [VOTE_NULLIFY] = "nullify", [VOTE_FINALIZE] = "finalize"};

static const struct field vote_fields[] = {
    {"kind", "What it said.", FIELD_NAME, MEMBER(struct evidence_vote, kind), NAMES(vote_kinds)},
    {"block", "Hash of the block it named.", FIELD_HEX, MEMBER(struct evidence_vote, block)},
    {"signature", "Of the validator.", FIELD_HEX, MEMBER(struct evidence_vote, signature)},
};
static const struct record vote_shape = {"EvidenceVote", "One of two votes that contradict each other.",
                                         RECORD_OF(struct evidence_vote, vote_fields)};

static const struct field evidence_fields[] = {
    STAMP(struct evidence_record),
    {"validator", "Who signed both.", FIELD_HEX, MEMBER(struct evidence_record, validator)},
    {"epoch", "Of the votes.", FIELD_NUMBER, MEMBER(struct evidence_record, epoch)},
    {"view", "Of the votes.", FIELD_NUMBER, MEMBER(struct evidence_record, view)},
    {"first", "One vote.", FIELD_RECORD, MEMBER(struct evidence_record, votes[0]), .of = &vote_shape},
    {"second", "The other.", FIELD_RECORD, MEMBER(struct evidence_record, votes[1]), .of = &vote_shape},
    {"submitted_by", "Who brought it.", FIELD_HEX, MEMBER(struct evidence_record, submitted_by)},
    {"removed", "Has it cost the validator its place?", FIELD_BOOL, MEMBER(struct evidence_record, removed)},
};
static const struct record evidence_shape = {"Evidence", "Two votes that contradict each other.",
                                             RECORD_OF(struct evidence_record, evidence_fields)};

enum err evidence_get(const struct state *state, const uint8_t key[KEY_LEN], struct evidence_record *out,
                      bool *out_found) {
    struct record_key whole = evidence_key(key);
    return state_read(state, &whole, &evidence_shape, out, out_found);
}

/* ---- Method ------------------------------------------------------------------------------------------------- */

static bool take_vote(const Assay__SignedVote *from, const char *name, struct evidence_vote *out,
                      struct answer *answer) {
    if (from == NULL || from->kind < VOTE_PROPOSE || from->kind > VOTE_FINALIZE) {
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "%s: kind must be 1 to 4", name);
        return true;
    }
    if (refuse_length(answer, from->block, HASH_LEN, "block") ||
        refuse_length(answer, from->signature, SIG_LEN, "signature")) {
        return true;
    }
    if (from->kind == VOTE_NULLIFY && !bytes_is_zero(from->block.data, HASH_LEN)) {
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "%s: a nullify names no block", name);
        return true;
    }
    out->kind = (enum vote_kind)from->kind;
    memcpy(out->block, from->block.data, HASH_LEN);
    memcpy(out->signature, from->signature.data, SIG_LEN);
    return false;
}

static bool vote_is_signed(const struct call *call, const struct evidence_record *record,
                           const struct evidence_vote *vote) {
    struct vote_subject subject = {.epoch = record->epoch, .view = record->view, .kind = vote->kind};
    uint8_t text[VOTE_SIGNED_LEN];
    memcpy(subject.block, vote->block, HASH_LEN);
    vote_signed_bytes(call->chain_id, &subject, text);
    return call->crypto->ed25519_verify(record->validator, text, sizeof text, vote->signature);
}

/* Everything the state has to say; the signatures, which cost most, come last. */
static enum err judge_evidence(const struct call *call, const struct evidence_record *record, uint16_t *out_count,
                               struct answer *answer) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    struct evidence_record before;
    bool recorded = false, validator = false;
    uint16_t count = 0;
    enum err e = evidence_get(&call->state, record->validator, &before, &recorded);
    e = e == OK ? governance_validators(&call->state, keys, &count) : e;
    if (e != OK) {
        return e;
    }
    for (uint16_t i = 0; i < count; i++) {
        validator = validator || memcmp(keys[i], record->validator, KEY_LEN) == 0;
    }
    if (recorded) {
        return refuse(answer, CODE_EVIDENCE_RECORDED, "of epoch %" PRIu64 ", view %" PRIu64, before.epoch, before.view);
    }
    if (!validator) {
        return refuse(answer, CODE_EVIDENCE_NOT_VALIDATOR, "the key is not among the validators");
    }
    for (size_t i = 0; i < 2; i++) {
        if (!vote_is_signed(call, record, &record->votes[i])) {
            return refuse(answer, CODE_EVIDENCE_SIGNATURE, "%s vote", i == 0 ? "first" : "second");
        }
    }
    *out_count = count;
    return OK;
}

static enum err record_evidence(const struct call *call, const struct evidence_record *record) {
    char detail[96];
    struct record_key key = evidence_key(record->validator);
    enum err e = state_write(&call->state, &key, &evidence_shape, record);
    if (snprintf(detail, sizeof detail, "epoch %" PRIu64 ", view %" PRIu64 ", %s", record->epoch, record->view,
                 record->removed ? "removed" : "governance must replace it") < 0) {
        detail[0] = '\0';
    }
    e = e == OK ? state_history(&call->state, &key, "evidence", detail) : e;
    if (e == OK && record->removed) {
        e = validator_remove(call, record->validator, "evidence", detail);
    }
    return e;
}

enum err evidence_submit(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    static const char note[] = "recorded; too few validators would remain, governance must replace this one";
    const Assay__SubmitEvidence *args = (const Assay__SubmitEvidence *)(const void *)message;
    struct evidence_record record = {.stamp = record_stamp_new(call), .epoch = args->epoch, .view = args->view};
    uint16_t count = 0;
    if (refuse_length(answer, args->validator, KEY_LEN, "validator") ||
        take_vote(args->first, "first", &record.votes[0], answer) ||
        take_vote(args->second, "second", &record.votes[1], answer)) {
        return OK;
    }
    if (!contradicts(&record.votes[0], &record.votes[1])) {
        return refuse(answer, CODE_EVIDENCE_NO_CONTRADICTION, "kinds %d and %d", record.votes[0].kind,
                      record.votes[1].kind);
    }
    memcpy(record.validator, args->validator.data, KEY_LEN);
    memcpy(record.submitted_by, call->signers[0], ED25519_KEY_LEN);
    enum err e = judge_evidence(call, &record, &count, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    record.removed = count > EVIDENCE_VALIDATORS_LEFT;
    e = record_evidence(call, &record);
    if (e != OK) {
        return e;
    }
    Assay__SubmitEvidenceResult result = ASSAY__SUBMIT_EVIDENCE_RESULT__INIT;
    result.validator = pb_of(record.validator, KEY_LEN);
    result.removed = record.removed;
    result.validators = record.removed ? count - 1u : count;
    if (!record.removed) {
        memcpy(answer->detail, note, sizeof note);
    }
    return answer_with(answer, &result.base);
}
