#include "base/aead.h"

#include <sodium.h>

_Static_assert(AEAD_KEY_LEN == crypto_aead_chacha20poly1305_IETF_KEYBYTES, "key length");
_Static_assert(AEAD_NONCE_LEN == crypto_aead_chacha20poly1305_IETF_NPUBBYTES, "nonce length");
_Static_assert(AEAD_TAG_LEN == crypto_aead_chacha20poly1305_IETF_ABYTES, "tag length");

void aead_seal(const uint8_t key[AEAD_KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN], struct bytes associated,
               struct bytes plain, uint8_t *out) {
    (void)crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.data, plain.len, associated.data, associated.len,
                                                    NULL, nonce, key);
}

enum err aead_open(const uint8_t key[AEAD_KEY_LEN], const uint8_t nonce[AEAD_NONCE_LEN], struct bytes associated,
                   struct bytes sealed, uint8_t *out) {
    if (sealed.len < AEAD_TAG_LEN ||
        crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed.data, sealed.len, associated.data,
                                                  associated.len, nonce, key) != 0) {
        return ERR_SIGNATURE;
    }
    return OK;
}
