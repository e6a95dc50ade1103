/* SUIT envelopes: anything may come in. Signatures are taken as valid and digests as whatever the input claims, so that
 * the manifest behind them is reached. What is accepted must survive having a signature added. */
#include "verify/suit_build.h"
#include "verify/suit_walk.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* A hash that is cheap and constant: a fuzzer can write the digest of a severed member. */
static void hash_init(struct hash_state *state) {
    memset(state, 0, sizeof *state);
}

static void hash_update(struct hash_state *state, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++) {
        state->opaque[0] += bytes[i]; /* touches every byte, so that a span past the input is seen */
    }
}

static void hash_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    (void)state;
    memset(out, 0, HASH_LEN);
}

static bool ed25519_verify(const uint8_t *key, const void *message, size_t len, const uint8_t *sig) {
    return key[0] == 0 && len > 0 && ((const uint8_t *)message)[len - 1] + sig[SIG_LEN - 1] >= 0;
}

static const struct verify_crypto crypto = {
    .hash_init = hash_init,
    .hash_update = hash_update,
    .hash_final = hash_final,
    .ed25519_verify = ed25519_verify,
};

struct seen {
    unsigned open;
    unsigned events;
};

static enum verdict event(void *ctx, const struct suit_event *e) {
    struct seen *seen = ctx;
    seen->events++;
    if (e->kind == SUIT_EVENT_END) {
        require(seen->open > 0);
        seen->open--;
    } else if (e->kind == SUIT_EVENT_MAP || e->kind == SUIT_EVENT_LIST || e->kind == SUIT_EVENT_SEQUENCE) {
        seen->open++;
        require(seen->open <= SUIT_DEPTH_MAX);
    } else if (e->space != SUIT_SPACE_NONE && e->space != SUIT_SPACE_KEY) {
        require(suit_label_name(e->space, e->label) != NULL);
    }
    return GOOD;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t again[SUIT_ENVELOPE_MAX];
    const struct author_key author = {AUTHOR_ED25519, {0}};
    const struct suit_new_signature signature = {COSE_ED25519, {NULL, 0}, {0}};
    struct suit_envelope envelope, signed_envelope;
    struct suit_manifest manifest, same;
    struct seen seen = {0, 0};
    const struct suit_visitor visitor = {event, &seen};
    size_t len;
    if (suit_envelope_parse(bytes_of(data, size), &envelope) != GOOD) {
        return 0;
    }
    (void)suit_verify_author(&crypto, &envelope, &author);
    enum verdict walked = suit_walk(&envelope, &visitor);
    enum verdict v = suit_manifest_parse(&crypto, &envelope, &manifest);
    if (v == GOOD) {
        require(walked == GOOD && seen.open == 0 && seen.events > 4);
        require(manifest.component_count > 0 && manifest.component.len > 0);
        (void)suit_manifest_installable(&manifest);
        (void)suit_check_payloads(&crypto, &envelope, &manifest);
    }
    if (suit_attach(&envelope, &signature, 1, again, sizeof again, &len) == GOOD) {
        require(suit_envelope_parse(bytes_of(again, len), &signed_envelope) == GOOD);
        require(signed_envelope.signature_count == envelope.signature_count + 1);
        require(suit_manifest_parse(&crypto, &signed_envelope, &same) == v);
    }
    return 0;
}
