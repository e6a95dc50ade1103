#include "verify/statement.h"

#include <string.h>

#define STATEMENT_VERSION 1
#define STATUS_VERSION 1

void statement_encode(const struct statement *s, uint8_t out_signed[STATEMENT_SIGNED_LEN]) {
    memcpy(out_signed, TAG_STATEMENT, TAG_LEN);
    uint8_t *p = out_signed + TAG_LEN;
    p[0] = STATEMENT_VERSION;
    memcpy(p + 1, s->chain_id, CHAIN_ID_LEN);
    memcpy(p + 33, s->device_id, KEY_LEN);
    memcpy(p + 65, s->update_id, HASH_LEN);
    store_u64(p + 97, s->counter);
    p[105] = (uint8_t)s->kind;
    p[106] = (uint8_t)s->outcome;
    store_u16(p + 107, s->reason);
    memcpy(p + 109, s->digest, HASH_LEN);
    store_u64(p + 141, s->sequence);
    memcpy(p + 149, s->nonce, NONCE_LEN);
}

enum verdict statement_decode(struct bytes in, struct statement *out) {
    if (in.len != STATEMENT_LEN) {
        return in.len < STATEMENT_LEN ? BAD_TRUNCATED : BAD_TRAILING;
    }
    const uint8_t *p = in.data;
    if (p[0] != STATEMENT_VERSION) {
        return BAD_VERSION;
    }
    uint8_t kind = p[105], outcome = p[106];
    uint16_t reason = load_u16(p + 107);
    if (kind < STATEMENT_OPEN || kind > STATEMENT_REPORT) {
        return BAD_ENCODING;
    }
    if (kind == STATEMENT_REPORT) {
        if (outcome < REPORT_INSTALLED || outcome > REPORT_ROLLED_BACK) {
            return BAD_ENCODING;
        }
    } else if (outcome != REPORT_NONE || reason != 0) {
        return BAD_ENCODING;
    }
    memcpy(out->chain_id, p + 1, CHAIN_ID_LEN);
    memcpy(out->device_id, p + 33, KEY_LEN);
    memcpy(out->update_id, p + 65, HASH_LEN);
    out->counter = load_u64(p + 97);
    out->kind = (enum statement_kind)kind;
    out->outcome = (enum report_outcome)outcome;
    out->reason = reason;
    memcpy(out->digest, p + 109, HASH_LEN);
    out->sequence = load_u64(p + 141);
    memcpy(out->nonce, p + 149, NONCE_LEN);
    return GOOD;
}

void status_record_key(const uint8_t update_id[HASH_LEN], const uint8_t device_id[KEY_LEN],
                       uint8_t out[STATUS_RECORD_KEY_LEN]) {
    memcpy(out, "status/", 7);
    memcpy(out + 7, update_id, HASH_LEN);
    memcpy(out + 7 + HASH_LEN, device_id, KEY_LEN);
}

void status_record_encode(const struct status_record *record, uint8_t out[STATUS_RECORD_LEN]) {
    memset(out, 0, STATUS_RECORD_LEN);
    out[0] = STATUS_VERSION;
    out[1] = (uint8_t)record->status;
    out[2] = (uint8_t)record->last_outcome;
    store_u32(out + 4, record->failed_attempts);
    memcpy(out + 8, record->update_id, HASH_LEN);
    memcpy(out + 40, record->device_id, KEY_LEN);
    memcpy(out + 72, record->release_id, HASH_LEN);
    store_u64(out + 104, record->counter);
    memcpy(out + 112, record->nonce, NONCE_LEN);
    memcpy(out + 128, record->digest, HASH_LEN);
    store_u64(out + 160, record->window_start_ms);
    store_u64(out + 168, record->window_ms);
    store_u64(out + 176, record->height);
    store_u64(out + 184, record->time_ms);
}

enum verdict status_record_decode(struct bytes in, struct status_record *out) {
    if (in.len != STATUS_RECORD_LEN) {
        return in.len < STATUS_RECORD_LEN ? BAD_TRUNCATED : BAD_TRAILING;
    }
    const uint8_t *p = in.data;
    if (p[0] != STATUS_VERSION) {
        return BAD_VERSION;
    }
    if (p[1] < STATUS_UNVERIFIED || p[1] > STATUS_ROLLED_BACK || p[2] > OUTCOME_SUCCESS || p[3] != 0 ||
        load_u64(p + 192) != 0) {
        return BAD_ENCODING;
    }
    out->status = (enum device_status)p[1];
    out->last_outcome = (enum verify_outcome)p[2];
    out->failed_attempts = load_u32(p + 4);
    memcpy(out->update_id, p + 8, HASH_LEN);
    memcpy(out->device_id, p + 40, KEY_LEN);
    memcpy(out->release_id, p + 72, HASH_LEN);
    out->counter = load_u64(p + 104);
    memcpy(out->nonce, p + 112, NONCE_LEN);
    memcpy(out->digest, p + 128, HASH_LEN);
    out->window_start_ms = load_u64(p + 160);
    out->window_ms = load_u64(p + 168);
    out->height = load_u64(p + 176);
    out->time_ms = load_u64(p + 184);
    return GOOD;
}

const char *const device_status_names[DEVICE_STATUS_COUNT] = {
    [STATUS_UNVERIFIED] = "unverified",   [STATUS_VERIFIED] = "verified",   [STATUS_EXPIRED] = "expired",
    [STATUS_EXHAUSTED] = "exhausted",     [STATUS_INSTALLED] = "installed", [STATUS_FAILED] = "failed",
    [STATUS_ROLLED_BACK] = "rolled_back",
};

const char *device_status_name(enum device_status status) {
    return status >= STATUS_UNVERIFIED && status < DEVICE_STATUS_COUNT ? device_status_names[status] : "unknown";
}

const char *const verify_outcome_names[VERIFY_OUTCOME_COUNT] = {
    [OUTCOME_NONE] = "none",           [OUTCOME_REVOKED] = "revoked",   [OUTCOME_EXPIRED] = "expired",
    [OUTCOME_EXHAUSTED] = "exhausted", [OUTCOME_MISMATCH] = "mismatch", [OUTCOME_SUCCESS] = "success",
};

const char *verify_outcome_name(enum verify_outcome outcome) {
    return (unsigned)outcome < VERIFY_OUTCOME_COUNT ? verify_outcome_names[outcome] : "unknown";
}
