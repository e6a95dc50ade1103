/* A secret under a passphrase: Argon2id for the key, XChaCha20-Poly1305 for the box.
 *
 *   version 1 (1) | Argon2 passes (4) | Argon2 memory, KiB (4) | salt (16) | nonce (24) | ciphertext (as long as the
 *   secret) | tag (16)
 *
 * Everything before the ciphertext is authenticated with it.
 */
#ifndef ASSAY_BASE_SECRETBOX_H
#define ASSAY_BASE_SECRETBOX_H

#include "base/buffer.h"

#define SECRETBOX_OVERHEAD (1 + 4 + 4 + 16 + 24 + 16)
#define SECRETBOX_MAX_PASSES 16u
#define SECRETBOX_MAX_KIB (1024u * 1024u) /* a file can't make us use more memory than this */

/* Appends the box. Takes about a second and 256 MiB, on purpose. */
NODISCARD enum err secretbox_seal(struct bytes passphrase, struct bytes secret, struct buffer *out);
/* Appends the secret. ERR_MALFORMED, ERR_RANGE (costs over the limits), ERR_DENIED (wrong passphrase or changed box).
 */
NODISCARD enum err secretbox_open(struct bytes passphrase, struct bytes box, struct buffer *out);

#endif
