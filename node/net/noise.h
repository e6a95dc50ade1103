/* Noise_IKpsk2_25519_ChaChaPoly_SHA256, as revision 34 of the Noise Protocol Framework has it.
 *
 *   <- s                    the initiator knows the responder's static key
 *   ...
 *   -> e, es, s, ss         first message: ephemeral key, static key (sealed), payload (sealed)
 *   <- e, ee, se, psk       second message: ephemeral key, payload (sealed)
 *
 * A pure computation: bytes in, bytes out. One structure lives for one handshake, in this order:
 *   initiator  noise_start, noise_write_first, noise_read_second, noise_split
 *   responder  noise_start, noise_read_first, noise_write_second, noise_split
 * After an error the handshake is of no more use. The owner wipes it (noise_wipe) when it is over, either way.
 */
#ifndef ASSAY_NODE_NET_NOISE_H
#define ASSAY_NODE_NET_NOISE_H

#include "base/aead.h"
#include "base/hmac.h"
#include "base/x25519.h"

#define NOISE_NAME "Noise_IKpsk2_25519_ChaChaPoly_SHA256"
#define NOISE_KEY_LEN 32
#define NOISE_MESSAGE_MAX 65535
/* What a handshake message is longer than its payload. */
#define NOISE_FIRST_OVERHEAD (X25519_LEN + X25519_LEN + AEAD_TAG_LEN + AEAD_TAG_LEN)
#define NOISE_SECOND_OVERHEAD (X25519_LEN + AEAD_TAG_LEN)

struct noise_keys {
    uint8_t secret[X25519_LEN];
    uint8_t public_key[X25519_LEN];
};

struct noise {
    uint8_t chaining_key[NOISE_KEY_LEN];
    uint8_t hash[SHA256_LEN];
    uint8_t key[AEAD_KEY_LEN];
    uint64_t nonce;
    bool initiator;
    bool has_ephemeral; /* set by noise_set_ephemeral: use it instead of a fresh one */
    struct noise_keys self;
    struct noise_keys ephemeral;
    uint8_t psk[NOISE_KEY_LEN];
    uint8_t remote_static[X25519_LEN]; /* the initiator's is known after noise_read_first */
    uint8_t remote_ephemeral[X25519_LEN];
};

/* `remote_static` is the responder's key when `initiator`, else unused and may be NULL. */
void noise_start(struct noise *n, bool initiator, struct bytes prologue, const struct noise_keys *self,
                 const uint8_t psk[NOISE_KEY_LEN], const uint8_t remote_static[X25519_LEN]);
/* For published vectors alone: a handshake whose ephemeral key is known has no forward secrecy. */
void noise_set_ephemeral(struct noise *n, const uint8_t secret[X25519_LEN]);

/* Write payload.len + overhead bytes. ERR_INVALID (a key of small order), ERR_TOOLARGE. */
NODISCARD enum err noise_write_first(struct noise *n, struct bytes payload, uint8_t *out);
NODISCARD enum err noise_write_second(struct noise *n, struct bytes payload, uint8_t *out);
/* Write message.len - overhead bytes. ERR_MALFORMED (length), ERR_INVALID (key of small order), ERR_SIGNATURE. */
NODISCARD enum err noise_read_first(struct noise *n, struct bytes message, uint8_t *out_payload);
NODISCARD enum err noise_read_second(struct noise *n, struct bytes message, uint8_t *out_payload);

/* The transport keys of this side. `n->hash` is the handshake hash both sides share. */
void noise_split(struct noise *n, uint8_t out_send_key[AEAD_KEY_LEN], uint8_t out_receive_key[AEAD_KEY_LEN]);
void noise_wipe(struct noise *n);

/* The nonce of a transport or handshake message: four zero bytes, then the counter, least significant byte first. */
void noise_nonce(uint64_t counter, uint8_t out[AEAD_NONCE_LEN]);

#endif
