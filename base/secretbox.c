#include "base/secretbox.h"

#include "base/ed25519.h"

#include <sodium.h>
#include <string.h>

#define BOX_VERSION 1
#define SALT_LEN crypto_pwhash_SALTBYTES
#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES
#define BOX_KEY_LEN crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define HEAD_LEN (SECRETBOX_OVERHEAD - TAG_LEN)
#define SEAL_PASSES 3u
#define SEAL_KIB (256u * 1024u)

_Static_assert(SECRETBOX_OVERHEAD == 1 + 4 + 4 + SALT_LEN + NONCE_LEN + TAG_LEN, "layout of the box");

static enum err derive(struct bytes passphrase, const uint8_t head[HEAD_LEN], uint8_t out[BOX_KEY_LEN]) {
    uint32_t passes = load_u32(head + 1);
    uint32_t kib = load_u32(head + 5);
    if (passes == 0 || passes > SECRETBOX_MAX_PASSES || kib < 8 || kib > SECRETBOX_MAX_KIB) {
        return ERR_RANGE;
    }
    int failed = crypto_pwhash(out, BOX_KEY_LEN, (const char *)passphrase.data, passphrase.len, head + 9, passes,
                               (size_t)kib * 1024, crypto_pwhash_ALG_ARGON2ID13);
    return failed == 0 ? OK : ERR_NOMEM;
}

enum err secretbox_seal(struct bytes passphrase, struct bytes secret, struct buffer *out) {
    uint8_t head[HEAD_LEN];
    uint8_t key[BOX_KEY_LEN];
    head[0] = BOX_VERSION;
    store_u32(head + 1, SEAL_PASSES);
    store_u32(head + 5, SEAL_KIB);
    randombytes_buf(head + 9, SALT_LEN + NONCE_LEN);
    enum err e = derive(passphrase, head, key);
    if (e != OK) {
        return e;
    }
    size_t before = out->len;
    uint8_t *box = buffer_extend(out, HEAD_LEN + secret.len + TAG_LEN);
    if (box == NULL) {
        e = ERR_NOMEM;
        out->len = before;
    } else {
        memcpy(box, head, HEAD_LEN);
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt(box + HEAD_LEN, NULL, secret.data, secret.len, head, HEAD_LEN,
                                                         NULL, head + 9 + SALT_LEN, key);
    }
    secure_wipe(key, sizeof key);
    return e;
}

enum err secretbox_open(struct bytes passphrase, struct bytes box, struct buffer *out) {
    if (box.len < SECRETBOX_OVERHEAD || box.data[0] != BOX_VERSION) {
        return ERR_MALFORMED;
    }
    uint8_t key[BOX_KEY_LEN];
    enum err e = derive(passphrase, box.data, key);
    if (e != OK) {
        return e;
    }
    size_t before = out->len;
    uint8_t *secret = buffer_extend(out, box.len - SECRETBOX_OVERHEAD);
    if (secret == NULL) {
        e = ERR_NOMEM;
    } else if (crypto_aead_xchacha20poly1305_ietf_decrypt(secret, NULL, NULL, box.data + HEAD_LEN, box.len - HEAD_LEN,
                                                          box.data, HEAD_LEN, box.data + 9 + SALT_LEN, key) != 0) {
        e = ERR_DENIED;
    }
    if (e != OK) {
        out->len = before;
    }
    secure_wipe(key, sizeof key);
    return e;
}
