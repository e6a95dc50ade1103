#include "node/http/auth.h"

#include "base/clock.h"
#include "base/hmac.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A challenge: random (8) | when it expires, ms (8) | the first bytes of HMAC-SHA256(sealing key, key || those 16). It
 * is not remembered before it is tried: keys are public, so anybody could ask for more than there is room for. */
#define SEALED_LEN 16

struct auth {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t node_secret[ED25519_SECRET_LEN];
    auth_lookup *lookup;
    void *lookup_ctx;
    uint64_t (*now_ms)(void);
    pthread_mutex_t lock;
    uint8_t sealing_key[HMAC_LEN];
    uint8_t tried[AUTH_CHALLENGES_MAX][AUTH_CHALLENGE_LEN]; /* under the lock */
    size_t next;                                            /* a ring: the oldest is overwritten */
};

static const uint8_t *node_key(const struct auth *auth) {
    return auth->node_secret + ED25519_SEED_LEN;
}

enum err auth_new(const struct auth_config *config, struct auth **out) {
    struct auth *auth = calloc(1, sizeof *auth);
    if (auth == NULL) {
        return ERR_NOMEM;
    }
    memcpy(auth->chain_id, config->chain_id, CHAIN_ID_LEN);
    memcpy(auth->node_secret, config->node_secret, ED25519_SECRET_LEN);
    auth->lookup = config->lookup;
    auth->lookup_ctx = config->lookup_ctx;
    auth->now_ms = config->now_ms != NULL ? config->now_ms : clock_wall_ms;
    random_fill(auth->sealing_key, sizeof auth->sealing_key);
    (void)pthread_mutex_init(&auth->lock, NULL);
    *out = auth;
    return OK;
}

void auth_free(struct auth *auth) {
    if (auth != NULL) {
        (void)pthread_mutex_destroy(&auth->lock);
        secure_wipe(auth, sizeof *auth);
        free(auth);
    }
}

uint64_t auth_now_ms(const struct auth *auth) {
    return auth->now_ms();
}

/* ---- base64url without padding (RFC 4648 section 5) ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static size_t base64_encode(struct bytes in, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t group = (uint32_t)in.data[i] << 16 | (left > 1 ? (uint32_t)in.data[i + 1] << 8 : 0) |
                         (left > 2 ? in.data[i + 2] : 0);
        size_t digits = left > 2 ? 4 : left + 1;
        for (size_t d = 0; d < digits; d++) {
            out[n++] = base64_digits[group >> (18 - 6 * d) & 63];
        }
    }
    out[n] = '\0';
    return n;
}

/* False for other digits, a length that can't be, bits left over (each value has one form), or more than `max` bytes.
 */
static bool base64_decode(const char *text, size_t len, uint8_t *out, size_t max, size_t *out_len) {
    uint32_t group = 0;
    unsigned bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        const char *digit = text[i] != '\0' ? strchr(base64_digits, text[i]) : NULL;
        if (digit == NULL) {
            return false;
        }
        group = (group << 6 | (uint32_t)(digit - base64_digits)) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            if (n == max) {
                return false;
            }
            out[n++] = (uint8_t)(group >> bits);
        }
    }
    *out_len = n;
    return len % 4 != 1 && (group & ((1u << bits) - 1)) == 0;
}

/* ---- Challenges ---- */

void auth_signed_bytes(const uint8_t chain_id[CHAIN_ID_LEN], const uint8_t key[ED25519_KEY_LEN],
                       const uint8_t challenge[AUTH_CHALLENGE_LEN], uint8_t out[AUTH_SIGNED_LEN]) {
    memcpy(out, AUTH_TAG, TAG_LEN);
    memcpy(out + TAG_LEN, chain_id, CHAIN_ID_LEN);
    memcpy(out + TAG_LEN + CHAIN_ID_LEN, key, ED25519_KEY_LEN);
    memcpy(out + TAG_LEN + CHAIN_ID_LEN + ED25519_KEY_LEN, challenge, AUTH_CHALLENGE_LEN);
}

static void seal_of(const struct auth *auth, const uint8_t key[ED25519_KEY_LEN],
                    const uint8_t challenge[AUTH_CHALLENGE_LEN], uint8_t out[HMAC_LEN]) {
    const struct bytes parts[] = {bytes_of(key, ED25519_KEY_LEN), bytes_of(challenge, SEALED_LEN)};
    hmac_sha256_parts(bytes_of(auth->sealing_key, HMAC_LEN), parts, 2, out);
}

enum err auth_challenge(struct auth *auth, const uint8_t key[ED25519_KEY_LEN], uint8_t out[AUTH_CHALLENGE_LEN]) {
    char org[GENESIS_ID_MAX + 1];
    if (!auth->lookup(auth->lookup_ctx, key, org)) {
        return ERR_DENIED;
    }
    uint8_t seal[HMAC_LEN];
    random_fill(out, 8);
    store_u64(out + 8, auth->now_ms() + AUTH_CHALLENGE_MS);
    seal_of(auth, key, out, seal);
    memcpy(out + SEALED_LEN, seal, AUTH_CHALLENGE_LEN - SEALED_LEN);
    return OK;
}

/* Uses the challenge up, whatever comes of it. */
static enum err take_challenge(struct auth *auth, const uint8_t key[ED25519_KEY_LEN],
                               const uint8_t value[AUTH_CHALLENGE_LEN]) {
    uint8_t seal[HMAC_LEN];
    bool fresh = true;
    seal_of(auth, key, value, seal);
    if (!hmac_equal(seal, value + SEALED_LEN, AUTH_CHALLENGE_LEN - SEALED_LEN)) {
        return ERR_NOTFOUND;
    }
    if (auth->now_ms() >= load_u64(value + 8)) {
        return ERR_EXPIRED;
    }
    (void)pthread_mutex_lock(&auth->lock);
    for (size_t i = 0; i < AUTH_CHALLENGES_MAX && fresh; i++) {
        fresh = memcmp(auth->tried[i], value, AUTH_CHALLENGE_LEN) != 0;
    }
    if (fresh) {
        memcpy(auth->tried[auth->next], value, AUTH_CHALLENGE_LEN);
        auth->next = (auth->next + 1) % AUTH_CHALLENGES_MAX;
    }
    (void)pthread_mutex_unlock(&auth->lock);
    return fresh ? OK : ERR_NOTFOUND;
}

/* ---- Tokens ---- */

#define JWT_HEAD "{\"alg\":\"EdDSA\",\"typ\":\"JWT\"}"

enum err auth_token(struct auth *auth, const uint8_t key[ED25519_KEY_LEN], const uint8_t challenge[AUTH_CHALLENGE_LEN],
                    const uint8_t signature[ED25519_SIG_LEN], char out_token[AUTH_TOKEN_MAX]) {
    char org[GENESIS_ID_MAX + 1];
    uint8_t text[AUTH_SIGNED_LEN];
    enum err e = take_challenge(auth, key, challenge);
    if (e != OK) {
        return e;
    }
    auth_signed_bytes(auth->chain_id, node_key(auth), challenge, text);
    if (!ed25519_verify(key, text, sizeof text, signature)) {
        return ERR_SIGNATURE;
    }
    if (!auth->lookup(auth->lookup_ctx, key, org)) {
        return ERR_DENIED;
    }
    char issuer[2 * ED25519_KEY_LEN + 1];
    char subject[2 * ED25519_KEY_LEN + 1];
    char claims[400];
    uint64_t now_s = auth->now_ms() / 1000;
    hex_encode(node_key(auth), ED25519_KEY_LEN, issuer);
    hex_encode(key, ED25519_KEY_LEN, subject);
    int n =
        snprintf(claims, sizeof claims, "{\"iss\":\"%s\",\"sub\":\"%s\",\"org\":\"%s\",\"iat\":%llu,\"exp\":%llu}",
                 issuer, subject, org, (unsigned long long)now_s, (unsigned long long)(now_s + AUTH_TOKEN_MS / 1000));
    size_t len = base64_encode(bytes_str(JWT_HEAD), out_token);
    out_token[len++] = '.';
    len += base64_encode(bytes_of(claims, (size_t)n), out_token + len);
    uint8_t seal[ED25519_SIG_LEN];
    ed25519_sign(auth->node_secret, out_token, len, seal);
    out_token[len++] = '.';
    (void)base64_encode(bytes_of(seal, sizeof seal), out_token + len);
    return OK;
}

/* The claims of a token whose seal is ours; NULL else. The caller owns the JSON. */
static json_t *open_token(const struct auth *auth, const char *token) {
    size_t total = strlen(token);
    const char *first = strchr(token, '.');
    const char *last = strrchr(token, '.');
    uint8_t seal[ED25519_SIG_LEN];
    uint8_t text[AUTH_TOKEN_MAX];
    size_t len = 0;
    if (total >= AUTH_TOKEN_MAX || first == NULL || last == first) {
        return NULL;
    }
    if (!base64_decode(last + 1, strlen(last + 1), seal, sizeof seal, &len) || len != sizeof seal ||
        !ed25519_verify(node_key(auth), token, (size_t)(last - token), seal)) {
        return NULL;
    }
    /* What we sealed we wrote: its algorithm needs no second look, the claims' shape does. */
    if (!base64_decode(first + 1, (size_t)(last - first - 1), text, sizeof text, &len)) {
        return NULL;
    }
    return json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
}

enum err auth_check_token(struct auth *auth, const char *token, struct auth_identity *out) {
    json_t *claims = open_token(auth, token);
    const char *subject = json_string_value(json_object_get(claims, "sub"));
    json_int_t expires_s = json_integer_value(json_object_get(claims, "exp"));
    struct auth_identity who;
    enum err e = ERR_SIGNATURE;
    if (subject != NULL && hex_decode(subject, who.key, sizeof who.key) == OK) {
        e = auth->now_ms() / 1000 < (uint64_t)expires_s ? OK : ERR_EXPIRED;
    }
    json_decref(claims);
    if (e == OK && !auth->lookup(auth->lookup_ctx, who.key, who.org)) {
        e = ERR_DENIED;
    }
    if (e == OK) {
        *out = who;
    }
    return e;
}
