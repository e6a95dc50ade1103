#include "node/net/noise.h"

#include "base/ed25519.h"

#include <string.h>

/* The names of the functions below are those of the specification, section 5.2, in small letters. */

void noise_nonce(uint64_t counter, uint8_t out[AEAD_NONCE_LEN]) {
    memset(out, 0, AEAD_NONCE_LEN);
    for (size_t i = 0; i < 8; i++) {
        out[4 + i] = (uint8_t)(counter >> (8 * i));
    }
}

static void mix_hash(struct noise *n, struct bytes data) {
    struct bytes parts[] = {bytes_of(n->hash, sizeof n->hash), data};
    uint8_t hash[SHA256_LEN];
    sha256_parts(parts, 2, hash);
    memcpy(n->hash, hash, sizeof hash);
}

/* HKDF of the specification, section 4.3: `count` outputs of 32 bytes. */
static void derive(const struct noise *n, struct bytes secret, uint8_t *out, size_t count) {
    hkdf_sha256(bytes_of(n->chaining_key, sizeof n->chaining_key), secret, bytes_of(NULL, 0), out,
                count * NOISE_KEY_LEN);
}

static void initialize_key(struct noise *n, const uint8_t *key) {
    memcpy(n->key, key, sizeof n->key);
    n->nonce = 0;
}

static void mix_key(struct noise *n, struct bytes secret) {
    uint8_t out[2 * NOISE_KEY_LEN];
    derive(n, secret, out, 2);
    memcpy(n->chaining_key, out, NOISE_KEY_LEN);
    initialize_key(n, out + NOISE_KEY_LEN);
    secure_wipe(out, sizeof out);
}

static void mix_key_and_hash(struct noise *n, struct bytes secret) {
    uint8_t out[3 * NOISE_KEY_LEN];
    derive(n, secret, out, 3);
    memcpy(n->chaining_key, out, NOISE_KEY_LEN);
    mix_hash(n, bytes_of(out + NOISE_KEY_LEN, NOISE_KEY_LEN));
    initialize_key(n, out + (size_t)2 * NOISE_KEY_LEN);
    secure_wipe(out, sizeof out);
}

static void encrypt_and_hash(struct noise *n, struct bytes plain, uint8_t *out) {
    uint8_t nonce[AEAD_NONCE_LEN];
    noise_nonce(n->nonce++, nonce);
    aead_seal(n->key, nonce, bytes_of(n->hash, sizeof n->hash), plain, out);
    mix_hash(n, bytes_of(out, plain.len + AEAD_TAG_LEN));
}

static enum err decrypt_and_hash(struct noise *n, struct bytes sealed, uint8_t *out) {
    uint8_t nonce[AEAD_NONCE_LEN];
    noise_nonce(n->nonce, nonce);
    /* The hash covers the sealed text, which opening in place would lose: so it is taken first, into a copy. */
    struct bytes parts[] = {bytes_of(n->hash, sizeof n->hash), sealed};
    uint8_t hash[SHA256_LEN];
    sha256_parts(parts, 2, hash);
    enum err e = aead_open(n->key, nonce, bytes_of(n->hash, sizeof n->hash), sealed, out);
    if (e != OK) {
        return e;
    }
    n->nonce++;
    memcpy(n->hash, hash, sizeof hash);
    return OK;
}

static enum err mix_shared(struct noise *n, const uint8_t secret[X25519_LEN], const uint8_t public_key[X25519_LEN]) {
    uint8_t shared[X25519_LEN];
    enum err e = x25519_shared(secret, public_key, shared);
    if (e != OK) {
        return e;
    }
    mix_key(n, bytes_of(shared, sizeof shared));
    secure_wipe(shared, sizeof shared);
    return OK;
}

/* Token "e" of a pattern with a psk: the ephemeral key goes into the hash and into the chaining key (section 9.2). */
static void mix_ephemeral(struct noise *n, const uint8_t *public_key) {
    mix_hash(n, bytes_of(public_key, X25519_LEN));
    mix_key(n, bytes_of(public_key, X25519_LEN));
}

static void write_ephemeral(struct noise *n, uint8_t *out) {
    if (!n->has_ephemeral) {
        x25519_keypair(n->ephemeral.public_key, n->ephemeral.secret);
    }
    memcpy(out, n->ephemeral.public_key, X25519_LEN);
    mix_ephemeral(n, out);
}

void noise_start(struct noise *n, bool initiator, struct bytes prologue, const struct noise_keys *self,
                 const uint8_t psk[NOISE_KEY_LEN], const uint8_t remote_static[X25519_LEN]) {
    memset(n, 0, sizeof *n);
    n->initiator = initiator;
    n->self = *self;
    memcpy(n->psk, psk, sizeof n->psk);
    if (initiator) {
        memcpy(n->remote_static, remote_static, sizeof n->remote_static);
    }
    /* The protocol's name is longer than a hash, so its hash stands for it. */
    struct bytes name = bytes_str(NOISE_NAME);
    sha256(name.data, name.len, n->hash);
    memcpy(n->chaining_key, n->hash, sizeof n->chaining_key);
    mix_hash(n, prologue);
    mix_hash(n, bytes_of(initiator ? n->remote_static : n->self.public_key, X25519_LEN));
}

void noise_set_ephemeral(struct noise *n, const uint8_t secret[X25519_LEN]) {
    memcpy(n->ephemeral.secret, secret, X25519_LEN);
    x25519_public_key(secret, n->ephemeral.public_key);
    n->has_ephemeral = true;
}

enum err noise_write_first(struct noise *n, struct bytes payload, uint8_t *out) {
    if (payload.len > NOISE_MESSAGE_MAX - NOISE_FIRST_OVERHEAD) {
        return ERR_TOOLARGE;
    }
    write_ephemeral(n, out);
    out += X25519_LEN;
    enum err e = mix_shared(n, n->ephemeral.secret, n->remote_static); /* es */
    if (e != OK) {
        return e;
    }
    encrypt_and_hash(n, bytes_of(n->self.public_key, X25519_LEN), out); /* s */
    out += X25519_LEN + AEAD_TAG_LEN;
    e = mix_shared(n, n->self.secret, n->remote_static); /* ss */
    if (e != OK) {
        return e;
    }
    encrypt_and_hash(n, payload, out);
    return OK;
}

enum err noise_read_first(struct noise *n, struct bytes message, uint8_t *out_payload) {
    if (message.len < NOISE_FIRST_OVERHEAD || message.len > NOISE_MESSAGE_MAX) {
        return ERR_MALFORMED;
    }
    const uint8_t *at = message.data;
    memcpy(n->remote_ephemeral, at, X25519_LEN);
    mix_ephemeral(n, n->remote_ephemeral);
    at += X25519_LEN;
    enum err e = mix_shared(n, n->self.secret, n->remote_ephemeral); /* es */
    if (e != OK) {
        return e;
    }
    e = decrypt_and_hash(n, bytes_of(at, X25519_LEN + AEAD_TAG_LEN), n->remote_static); /* s */
    if (e != OK) {
        return e;
    }
    at += X25519_LEN + AEAD_TAG_LEN;
    e = mix_shared(n, n->self.secret, n->remote_static); /* ss */
    if (e != OK) {
        return e;
    }
    size_t left = message.len - (size_t)(at - message.data);
    return decrypt_and_hash(n, bytes_of(at, left), out_payload);
}

enum err noise_write_second(struct noise *n, struct bytes payload, uint8_t *out) {
    if (payload.len > NOISE_MESSAGE_MAX - NOISE_SECOND_OVERHEAD) {
        return ERR_TOOLARGE;
    }
    write_ephemeral(n, out);
    enum err e = mix_shared(n, n->ephemeral.secret, n->remote_ephemeral); /* ee */
    if (e != OK) {
        return e;
    }
    e = mix_shared(n, n->ephemeral.secret, n->remote_static); /* se, seen from the responder */
    if (e != OK) {
        return e;
    }
    mix_key_and_hash(n, bytes_of(n->psk, sizeof n->psk));
    encrypt_and_hash(n, payload, out + X25519_LEN);
    return OK;
}

enum err noise_read_second(struct noise *n, struct bytes message, uint8_t *out_payload) {
    if (message.len < NOISE_SECOND_OVERHEAD || message.len > NOISE_MESSAGE_MAX) {
        return ERR_MALFORMED;
    }
    memcpy(n->remote_ephemeral, message.data, X25519_LEN);
    mix_ephemeral(n, n->remote_ephemeral);
    enum err e = mix_shared(n, n->ephemeral.secret, n->remote_ephemeral); /* ee */
    if (e != OK) {
        return e;
    }
    e = mix_shared(n, n->self.secret, n->remote_ephemeral); /* se */
    if (e != OK) {
        return e;
    }
    mix_key_and_hash(n, bytes_of(n->psk, sizeof n->psk));
    return decrypt_and_hash(n, bytes_of(message.data + X25519_LEN, message.len - X25519_LEN), out_payload);
}

void noise_split(struct noise *n, uint8_t out_send_key[AEAD_KEY_LEN], uint8_t out_receive_key[AEAD_KEY_LEN]) {
    uint8_t out[2 * NOISE_KEY_LEN];
    derive(n, bytes_of(NULL, 0), out, 2);
    memcpy(out_send_key, n->initiator ? out : out + NOISE_KEY_LEN, AEAD_KEY_LEN);
    memcpy(out_receive_key, n->initiator ? out + NOISE_KEY_LEN : out, AEAD_KEY_LEN);
    secure_wipe(out, sizeof out);
}

void noise_wipe(struct noise *n) {
    secure_wipe(n, sizeof *n);
}
