/* ChaCha20-Poly1305 as the IETF has it (RFC 8439), through libsodium. */
#ifndef ASSAY_BASE_AEAD_H
#define ASSAY_BASE_AEAD_H

#include "base/bytes.h"

#define AEAD_KEY_LEN 32
#define AEAD_NONCE_LEN 12
#define AEAD_TAG_LEN 16

/* Writes plain.len + AEAD_TAG_LEN bytes; `out` may be where the plaintext is. A nonce is used once under a key. */
void aead_seal(const uint8_t key[AEAD_KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN], struct bytes associated,
               struct bytes plain, uint8_t *out);
/* Writes sealed.len - AEAD_TAG_LEN bytes; `out` may be where the sealed text is. ERR_SIGNATURE when it is shorter than
 * a tag or not what was sealed: then `out` holds nothing of use (it may have been overwritten with zeros). */
NODISCARD enum err aead_open(const uint8_t key[AEAD_KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN],
                             struct bytes associated, struct bytes sealed, uint8_t *out);

#endif
