#include "contracts/kernel/transaction.h"

#include "base/assert.h"
#include "base/sha256.h"

#include <string.h>

#define TX_VERSION 1
#define ENVELOPE_HEAD 5

static bool name_is_clean(struct bytes name) {
    if (name.len == 0 || name.len > LIMIT_TX_NAME) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_') {
            return false;
        }
    }
    return true;
}

static bool signers_differ(const uint8_t (*signers)[ED25519_KEY_LEN], size_t count) {
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (memcmp(signers[i], signers[j], ED25519_KEY_LEN) == 0) {
                return false;
            }
        }
    }
    return true;
}

/* Before C23 a const array pointer can't be had from a const byte pointer without a detour. */
static const uint8_t (*keys_at(const uint8_t *at))[ED25519_KEY_LEN] {
    return (const uint8_t(*)[ED25519_KEY_LEN])(uintptr_t)at;
}

static const uint8_t (*signatures_at(const uint8_t *at))[ED25519_SIG_LEN] {
    return (const uint8_t(*)[ED25519_SIG_LEN])(uintptr_t)at;
}

static const char *decode_body(struct transaction *tx) {
    struct reader r = reader_of(tx->body);
    if (read_u8(&r) != TX_VERSION) {
        return "unknown transaction version";
    }
    tx->chain_id = read_span(&r, CHAIN_ID_LEN).data;
    tx->signer_count = read_u8(&r);
    if (r.failed || tx->signer_count == 0 || tx->signer_count > LIMIT_TX_SIGNERS) {
        return "a transaction lists 1 to 16 signers";
    }
    tx->signers = keys_at(read_span(&r, tx->signer_count * ED25519_KEY_LEN).data);
    tx->expiry_ms = read_u64(&r);
    (void)read_span(&r, 8);
    tx->contract = read_span(&r, read_u8(&r));
    tx->method = read_span(&r, read_u8(&r));
    tx->args = read_span(&r, read_u32(&r));
    if (!reader_done(&r)) {
        return "body is cut short or followed by other bytes";
    }
    if (!name_is_clean(tx->contract) || !name_is_clean(tx->method)) {
        return "contract and method names are lowercase letters, digits and '_'";
    }
    if (!signers_differ(tx->signers, tx->signer_count)) {
        return "a signer is listed twice";
    }
    return NULL;
}

enum err transaction_decode(struct bytes envelope, struct transaction *out, const char **out_why) {
    const char *unused;
    const char **why = out_why != NULL ? out_why : &unused;
    if (envelope.len > LIMIT_TX_BYTES) {
        *why = "a transaction is at most 64 KiB";
        return ERR_TOOLARGE;
    }
    struct reader r = reader_of(envelope);
    struct transaction tx = {.envelope = envelope};
    if (read_u8(&r) != TX_VERSION) {
        *why = "unknown envelope version";
        return ERR_MALFORMED;
    }
    tx.body = read_span(&r, read_u32(&r));
    if (r.failed) {
        *why = "envelope is cut short";
        return ERR_MALFORMED;
    }
    const char *wrong = decode_body(&tx);
    if (wrong != NULL) {
        *why = wrong;
        return ERR_MALFORMED;
    }
    if (r.left != tx.signer_count * ED25519_SIG_LEN) {
        *why = "there must be exactly one signature for each listed signer";
        return ERR_MALFORMED;
    }
    tx.signatures = signatures_at(r.at);
    sha256(tx.body.data, tx.body.len, tx.id);
    *out = tx;
    return OK;
}

/* TAG_TX || body, in one piece for the signature functions. */
struct signed_text {
    uint8_t bytes[TAG_LEN + LIMIT_TX_BYTES];
    size_t len;
};

static void signed_text_of(struct bytes body, struct signed_text *out) {
    ASSERT(body.len <= LIMIT_TX_BYTES); /* of an envelope that was decoded, or is about to be */
    memcpy(out->bytes, TAG_TX, TAG_LEN);
    memcpy(out->bytes + TAG_LEN, body.data, body.len);
    out->len = TAG_LEN + body.len;
}

enum err transaction_check_signatures(const struct transaction *tx) {
    struct signed_text text;
    ASSERT(tx->signer_count > 0); /* or every signature of nobody would be good */
    signed_text_of(tx->body, &text);
    for (size_t i = 0; i < tx->signer_count; i++) {
        if (!ed25519_verify(tx->signers[i], text.bytes, text.len, tx->signatures[i])) {
            return ERR_SIGNATURE;
        }
    }
    return OK;
}

bool transaction_is_signed_by(const struct transaction *tx, size_t i) {
    struct signed_text text;
    ASSERT(i < tx->signer_count);
    signed_text_of(tx->body, &text);
    return ed25519_verify(tx->signers[i], text.bytes, text.len, tx->signatures[i]);
}

static void put_name(struct buffer *out, const char *name) {
    size_t len = strlen(name);
    buffer_u8(out, (uint8_t)(len > UINT8_MAX ? 0 : len));
    buffer_put(out, name, len);
}

enum err transaction_build(const struct transaction_draft *draft, const uint8_t (*const *secrets)[ED25519_SECRET_LEN],
                           size_t count, struct buffer *out) {
    const size_t signer_count = count + draft->cosigner_count;
    if (count == 0 || count > LIMIT_TX_SIGNERS || draft->cosigner_count > LIMIT_TX_SIGNERS - count ||
        draft->args.len > LIMIT_TX_BYTES) {
        return draft->args.len > LIMIT_TX_BYTES ? ERR_TOOLARGE : ERR_RANGE;
    }
    size_t start = out->len;
    buffer_u8(out, TX_VERSION);
    buffer_u32(out, 0);
    size_t body_at = out->len;
    buffer_u8(out, TX_VERSION);
    buffer_put(out, draft->chain_id, CHAIN_ID_LEN);
    buffer_u8(out, (uint8_t)signer_count);
    for (size_t i = 0; i < count; i++) {
        /* libsodium's secret is seed || public key */
        buffer_put(out, *secrets[i] + ED25519_SEED_LEN, ED25519_KEY_LEN);
    }
    buffer_put(out, draft->cosigners, draft->cosigner_count * ED25519_KEY_LEN);
    buffer_u64(out, draft->expiry_ms);
    buffer_put(out, draft->salt, sizeof draft->salt);
    put_name(out, draft->contract);
    put_name(out, draft->method);
    buffer_u32(out, (uint32_t)draft->args.len);
    buffer_put(out, draft->args.data, draft->args.len);
    enum err e = buffer_ok(out);
    size_t body_len = out->len - body_at;
    if (e == OK && body_len + ENVELOPE_HEAD + signer_count * ED25519_SIG_LEN > LIMIT_TX_BYTES) {
        e = ERR_TOOLARGE;
    }
    if (e != OK) {
        out->len = start;
        return e;
    }
    store_u32(out->data + start + 1, (uint32_t)body_len);
    struct signed_text text;
    signed_text_of(bytes_of(out->data + body_at, body_len), &text);
    for (size_t i = 0; i < count; i++) {
        uint8_t signature[ED25519_SIG_LEN];
        ed25519_sign(*secrets[i], text.bytes, text.len, signature);
        buffer_put(out, signature, sizeof signature);
    }
    for (size_t i = 0; i < draft->cosigner_count; i++) {
        static const uint8_t unsigned_yet[ED25519_SIG_LEN];
        buffer_put(out, unsigned_yet, sizeof unsigned_yet);
    }
    struct transaction check;
    e = buffer_ok(out);
    if (e == OK) {
        e = transaction_decode(bytes_of(out->data + start, out->len - start), &check, NULL);
    }
    if (e != OK) {
        out->len = start;
    }
    ASSERT(e != OK || (check.signer_count == signer_count && check.expiry_ms == draft->expiry_ms));
    return e;
}

enum err transaction_sign(struct buffer *envelope, const uint8_t secret[ED25519_SECRET_LEN]) {
    struct transaction tx;
    enum err e = transaction_decode(buffer_bytes(envelope), &tx, NULL);
    if (e != OK) {
        return e;
    }
    for (size_t i = 0; i < tx.signer_count; i++) {
        if (memcmp(tx.signers[i], secret + ED25519_SEED_LEN, ED25519_KEY_LEN) == 0) {
            struct signed_text text;
            size_t at = envelope->len - (tx.signer_count - i) * ED25519_SIG_LEN;
            signed_text_of(tx.body, &text);
            ed25519_sign(secret, text.bytes, text.len, envelope->data + at);
            return OK;
        }
    }
    return ERR_NOTFOUND;
}
