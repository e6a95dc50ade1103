#include "node/cli/suit_key.h"

#include "base/file.h"
#include "node/host/keyfile.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_FILE_MAX 16384
#define P256_DER_MAX 80

struct suit_key {
    EVP_PKEY *pkey;
    struct author_key public_key;
};

/* An encrypted PEM is refused rather than asked about: commands must not wait at a terminal nobody sits at. */
static int no_passphrase(char *buffer, int size, int writing, void *ctx) {
    (void)buffer;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static enum err public_part(EVP_PKEY *pkey, struct author_key *out) {
    struct author_key key = {.type = AUTHOR_ED25519};
    char group[32];
    size_t len = KEY_LEN;
    if (EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519) {
        if (EVP_PKEY_get_raw_public_key(pkey, key.key, &len) != 1 || len != KEY_LEN) {
            return ERR_MALFORMED;
        }
        *out = key;
        return OK;
    }
    if (EVP_PKEY_get_id(pkey) != EVP_PKEY_EC || EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
        strcmp(group, "prime256v1") != 0) {
        return ERR_UNSUPPORTED;
    }
    unsigned char *point = NULL;
    /* The encoded point may be compressed; ask for the plain form first. */
    (void)EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    len = EVP_PKEY_get1_encoded_public_key(pkey, &point);
    bool fits = len == P256_KEY_LEN && point[0] == 4;
    if (fits) {
        key.type = AUTHOR_P256;
        memcpy(key.key, point, P256_KEY_LEN);
        *out = key;
    }
    OPENSSL_free(point);
    return fits ? OK : ERR_MALFORMED;
}

static EVP_PKEY *read_pem(struct bytes text, bool private_only) {
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    EVP_PKEY *pkey = bio == NULL || private_only ? NULL : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (pkey == NULL) {
        bio = BIO_new_mem_buf(text.data, (int)text.len);
        pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
    }
    return pkey;
}

/* Hex digits and nothing else but space around them. */
static enum err public_from_hex(const char *text, struct author_key *out) {
    char digits[2 * P256_KEY_LEN + 1];
    struct author_key key = {.type = AUTHOR_ED25519};
    text += strspn(text, " \t\r\n");
    size_t len = strcspn(text, " \t\r\n");
    if (text[len + strspn(text + len, " \t\r\n")] != '\0' || len >= sizeof digits) {
        return ERR_MALFORMED;
    }
    memcpy(digits, text, len);
    digits[len] = '\0';
    key.type = len == 2 * KEY_LEN ? AUTHOR_ED25519 : AUTHOR_P256;
    enum err e = hex_decode(digits, key.key, key.type == AUTHOR_P256 ? P256_KEY_LEN : KEY_LEN);
    if (e == OK && key.type == AUTHOR_P256 && key.key[0] != 4) {
        e = ERR_MALFORMED;
    }
    if (e == OK) {
        *out = key;
    }
    return e;
}

static enum err explain(enum err e, const char *given, struct why *out_why) {
    if (e == ERR_UNSUPPORTED) {
        why_set(out_why, "the key in %s is neither Ed25519 nor P-256; use a key of these kinds", given);
    } else if (e == ERR_MALFORMED) {
        why_set(out_why, "%s is not a key; give a PEM file, a key file, or 64 (Ed25519) or 130 (P-256) hex digits",
                given);
    } else if (e != OK) {
        why_set(out_why, "cannot read the key %s: %s", given, err_text(e));
    }
    return e;
}

enum err suit_key_load_public(const char *given, struct author_key *out, struct why *out_why) {
    struct buffer text = BUFFER_INIT;
    EVP_PKEY *pkey = NULL;
    enum err e = public_from_hex(given, out);
    if (e == OK) {
        return OK;
    }
    e = file_read(given, KEY_FILE_MAX, &text);
    if (e == OK) {
        pkey = read_pem(buffer_bytes(&text), false);
        e = buffer_text(&text) != NULL ? OK : ERR_NOMEM;
    }
    if (e == OK) {
        e = pkey != NULL ? public_part(pkey, out) : public_from_hex(buffer_text(&text), out);
    }
    EVP_PKEY_free(pkey);
    if (text.data != NULL) {
        secure_wipe(text.data, text.len);
    }
    buffer_free(&text);
    return explain(e, given, out_why);
}

static EVP_PKEY *from_keyfile(const char *path, struct bytes passphrase, enum err *out_err, struct why *why) {
    struct keyfile file;
    EVP_PKEY *pkey = NULL;
    *out_err = keyfile_load(path, KEYFILE_ED25519, passphrase, &file, why);
    if (*out_err == OK) {
        pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, file.secret, ED25519_SEED_LEN);
        *out_err = pkey != NULL ? OK : ERR_NOMEM;
        keyfile_wipe(&file);
    }
    return pkey;
}

enum err suit_key_load_private(const char *path, struct bytes passphrase, struct suit_key **out, struct why *out_why) {
    struct buffer text = BUFFER_INIT;
    struct author_key public_key;
    struct why why = WHY_NONE;
    EVP_PKEY *pkey = NULL;
    enum err e = file_read_secret(path, KEY_FILE_MAX, &text);
    if (e == ERR_MODE) {
        why_set(out_why, "%s may be read by others; run: chmod 600 %s", path, path);
        return e;
    }
    if (e == OK) {
        pkey = read_pem(buffer_bytes(&text), true);
        secure_wipe(text.data, text.len);
    }
    buffer_free(&text);
    if (e == OK && pkey == NULL) {
        pkey = from_keyfile(path, passphrase, &e, &why);
    }
    if (e == OK) {
        e = public_part(pkey, &public_key);
    }
    struct suit_key *key = e == OK ? malloc(sizeof *key) : NULL;
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        if (why_said(&why)) {
            why_set(out_why, "%s", why.text);
            return e;
        }
        return explain(e == OK ? ERR_NOMEM : e, path, out_why);
    }
    key->pkey = pkey;
    key->public_key = public_key;
    *out = key;
    return OK;
}

void suit_key_free(struct suit_key *key) {
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

const struct author_key *suit_key_public(const struct suit_key *key) {
    return &key->public_key;
}

enum cose_algorithm suit_key_algorithm(const struct suit_key *key) {
    return key->public_key.type == AUTHOR_P256 ? COSE_ESP256 : COSE_ED25519;
}

/* COSE wants r and s side by side where libcrypto gives DER. */
static bool raw_ecdsa(const uint8_t *der, size_t len, uint8_t out[SIG_LEN]) {
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool done = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, SIG_LEN / 2) == SIG_LEN / 2 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + SIG_LEN / 2, SIG_LEN / 2) == SIG_LEN / 2;
    ECDSA_SIG_free(sig);
    return done;
}

enum err suit_key_sign(const struct suit_key *key, struct bytes message, uint8_t out[SIG_LEN]) {
    const bool p256 = key->public_key.type == AUTHOR_P256;
    uint8_t signature[P256_DER_MAX];
    size_t len = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool done = ctx != NULL && EVP_DigestSignInit(ctx, NULL, p256 ? EVP_sha256() : NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, signature, &len, message.data, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (done && p256) {
        done = raw_ecdsa(signature, len, out);
    } else if (done) {
        memcpy(out, signature, SIG_LEN);
    }
    return done ? OK : ERR_NOMEM;
}
