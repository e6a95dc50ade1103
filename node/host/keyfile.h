/* Key files: text, one line, mode 0600 or refused.
 *
 *   assay-key-1 ed25519 <64 hex: seed>
 *   assay-key-1 x25519 <64 hex: secret scalar>
 *   assay-key-1 ed25519-box <hex: a secret box of the seed>        passphrase-encrypted (base/secretbox.h)
 *
 * Lines after the first, if any, start with '#'.
 */
#ifndef ASSAY_NODE_HOST_KEYFILE_H
#define ASSAY_NODE_HOST_KEYFILE_H

#include "base/buffer.h"
#include "base/ed25519.h"
#include "base/why.h"

#define KEYFILE_PASSPHRASE_MAX 1024

enum keyfile_type { KEYFILE_ED25519 = 1, KEYFILE_X25519 = 2 };

/* A loaded key; keyfile_wipe when done. */
struct keyfile {
    enum keyfile_type type;
    uint8_t public_key[ED25519_KEY_LEN];
    uint8_t secret[ED25519_SECRET_LEN]; /* Ed25519: libsodium's form; X25519: the scalar in the first 32 bytes */
};

/* Is there a key file of that name, that can be read? By its first word. */
bool keyfile_looks_like_one(const char *path);

/* Makes a new key from the system's generator. */
void keyfile_generate(enum keyfile_type type, struct keyfile *out);
void keyfile_wipe(struct keyfile *key);

/* Writes a new file, mode 0600; `passphrase` of zero length for none. ERR_EXISTS rather than overwriting a key. */
NODISCARD enum err keyfile_write(const char *path, const struct keyfile *key, struct bytes passphrase);

/* ERR_MODE (file too open), ERR_MALFORMED, ERR_DENIED (encrypted: no passphrase, or a wrong one), ERR_MISMATCH (another
 * type than wanted), file errors. `out_why` gets one line: what, why, what to do. */
NODISCARD enum err keyfile_load(const char *path, enum keyfile_type wanted, struct bytes passphrase,
                                struct keyfile *out, struct why *out_why);
/* Reads a passphrase: the first line of a file with mode 0600. Appends to `out`. */
NODISCARD enum err keyfile_read_passphrase(const char *path, struct buffer *out, struct why *out_why);

#endif
