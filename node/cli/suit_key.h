/* Keys as `assay suit` takes them: whatever a vendor's own tools have made.
 *
 * Public: PEM (Ed25519 or P-256, public or private), a file holding hex, or the hex itself: 64 digits for Ed25519, 130
 * for a P-256 point. Private: PEM (Ed25519 or P-256) or an Assay key file (node/host/keyfile.h).
 */
#ifndef ASSAY_NODE_CLI_SUIT_KEY_H
#define ASSAY_NODE_CLI_SUIT_KEY_H

#include "base/bytes.h"
#include "base/why.h"
#include "verify/cose.h"

/* ERR_MALFORMED, ERR_UNSUPPORTED (another kind of key), file errors. `out_why` gets one line: what, why, what to do. */
NODISCARD enum err suit_key_load_public(const char *given, struct author_key *out, struct why *out_why);

struct suit_key;

NODISCARD enum err suit_key_load_private(const char *path, struct bytes passphrase, struct suit_key **out,
                                         struct why *out_why);
void suit_key_free(struct suit_key *key);
/* Its public part, and the algorithm it signs with: COSE_ED25519 or COSE_ESP256. */
const struct author_key *suit_key_public(const struct suit_key *key);
enum cose_algorithm suit_key_algorithm(const struct suit_key *key);
NODISCARD enum err suit_key_sign(const struct suit_key *key, struct bytes message, uint8_t out[SIG_LEN]);

#endif
