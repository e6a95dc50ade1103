/* The draft of a genesis: what organisations that found a chain together pass around until each of them has signed its
 * own part. Sealed, it becomes genesis.json (node/genesis/genesis_json.h), the same bytes wherever that is done.
 *
 *   {"format": "assay-genesis-draft-1", name, time_ms, salt, params {...},
 *    "parts": [{"organisation": {...}, "nodes": [...], "signatures": [{"admin": key, "signature": hex}]}]}
 *
 * Organisations and nodes are the records of genesis.json. There are no classes, authors or devices: delegations are
 * signed over the chain id, so these come by transactions after the start.
 *
 * Signed (Ed25519) by admins of the part's organisation, at least its threshold of them:
 *
 *   TAG_GENESIS_DRAFT | SHA-256(header) | part
 *   header  name length (1) | name | time ms (8) | salt (32) | heartbeat ms (4) | max block txs (4) |
 *           max block bytes (4) | tx max lifetime ms (8) | vote threshold percent (4) | protocol version (4)
 *   part    id length (1) | id | name length (1) | name | kind (1) | admin threshold (1) | admin count (1) |
 *           admins (32 each) | node count (2) | nodes by rising key
 *   node    key (32) | link key (32) | role (1) | peer length (1) | peer | http length (1) | http
 *
 * A signature says nothing of the other parts: whether everybody has the same ones is told by the hash of the sealed
 * file. Nor does it say who an organisation is: whoever adds a part names its admins.
 */
#ifndef ASSAY_NODE_GENESIS_GENESIS_DRAFT_H
#define ASSAY_NODE_GENESIS_GENESIS_DRAFT_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"
#include "node/genesis/genesis_json.h"

#define TAG_GENESIS_DRAFT "assay.gendraft\0"

struct genesis_draft_signature {
    uint8_t admin[ED25519_KEY_LEN];
    uint8_t signature[ED25519_SIG_LEN];
};

struct genesis_draft_part {
    struct genesis_org org;
    struct genesis_node *nodes; /* by rising key once they are in a draft */
    size_t node_count;
    struct genesis_draft_signature signatures[GENESIS_ADMINS_MAX];
    size_t signature_count;
};

/* Owns its parts and their nodes; genesis_draft_free releases them. Parts lie by rising organisation id. */
struct genesis_draft {
    char name[GENESIS_NAME_MAX + 1];
    uint64_t time_ms;
    uint8_t salt[32];
    struct genesis_params params;
    struct genesis_draft_part *parts;
    size_t part_count;
};

void genesis_draft_free(struct genesis_draft *draft);

/* Is the text JSON that calls itself a draft, whether it is a good one or not? */
bool genesis_draft_is(struct bytes text);
/* Shape only, strict as genesis_json_parse; parts and nodes may come in any order. On success the caller owns `*out`.
 * ERR_MALFORMED, ERR_TOOLARGE (over GENESIS_JSON_MAX), ERR_NOMEM. */
NODISCARD enum err genesis_draft_parse(struct bytes text, struct genesis_draft *out, struct why *out_why);
/* Appends indented text that parses back to the same. */
NODISCARD enum err genesis_draft_render(const struct genesis_draft *draft, struct buffer *out);

/* Brings parts and nodes into the order in which they are signed and sealed; done by parsing and putting. */
void genesis_draft_sort(struct genesis_draft *draft);
/* Puts an organisation's part in, in place of one it has already. On success the draft owns the part's nodes. ERR_FULL
 * over ORGS_MAX, ERR_NOMEM. */
NODISCARD enum err genesis_draft_put(struct genesis_draft *draft, const struct genesis_draft_part *part);
/* The part with that organisation's id, or that has this admin; NULL when none does. */
struct genesis_draft_part *genesis_draft_find(const struct genesis_draft *draft, const char *id);
struct genesis_draft_part *genesis_draft_find_admin(const struct genesis_draft *draft,
                                                    const uint8_t admin[ED25519_KEY_LEN]);

/* Adds the admin's signature to the part, in place of an earlier one of the same admin. ERR_DENIED when the key is no
 * admin of it, ERR_NOMEM. */
NODISCARD enum err genesis_draft_sign(const struct genesis_draft *draft, struct genesis_draft_part *part,
                                      const uint8_t admin[ED25519_KEY_LEN], const uint8_t secret[ED25519_SECRET_LEN]);
/* How many signatures of admins the part still needs. */
size_t genesis_draft_unsigned(const struct genesis_draft_part *part);

/* Holds what is there against the rules: every part on its own, every signature, and (once there is a validator) the
 * genesis it would make. What is not there yet is no error. ERR_INVALID, ERR_SIGNATURE, ERR_NOMEM, explained. */
NODISCARD enum err genesis_draft_check(const struct genesis_draft *draft, const struct verify_crypto *crypto,
                                       struct why *out_why);
/* The genesis as the parts stand, unchecked. The caller owns `*out` (genesis_free). ERR_NOMEM. */
NODISCARD enum err genesis_draft_genesis(const struct genesis_draft *draft, struct genesis *out);
/* Appends the text of genesis.json. As genesis_draft_check, and ERR_DENIED when a signature or every part is missing.
 */
NODISCARD enum err genesis_draft_seal(const struct genesis_draft *draft, const struct verify_crypto *crypto,
                                      struct buffer *out, struct why *out_why);

#endif
