/* Authors: keys that may sign releases, each vouched for by its organisation and by a vendor's root key.
 *
 * Author id: an Ed25519 author's public key; for a P-256 author SHA-256 of the uncompressed point.
 *
 * Methods (contracts/author/author.proto):
 *   register   the organisation's admins at their threshold, and proof that the author holds the key: an Ed25519
 *              author co-signs the transaction; a P-256 author, who can't, signs (ES256)
 *              TAG_POSSESSION || chain id (32) || point (65), and the signature goes into the arguments.
 *              The delegation must be for this chain and key, and be signed by the root key of every class it names.
 *              A registered, unrevoked author registers again to get a fresh delegation or lifetime.
 *   revoke     the organisation's admins at their threshold; for good
 *
 * Record (contract "author", "author/" || author id):
 *   stamp | author id (32) | key type (1) | key (65; Ed25519 in the first 32, rest zero) | org text |
 *   expires ms (8; 0 never) | revoked (1) | reason text | delegation length (2), delegation
 */
#ifndef ASSAY_CONTRACTS_AUTHOR_AUTHOR_H
#define ASSAY_CONTRACTS_AUTHOR_AUTHOR_H

#include "contracts/genesis/genesis_check.h"
#include "contracts/kernel/state.h"
#include "contracts/kernel/table.h"

#define AUTHOR_LIFETIME_DEFAULT_MS (366ull * 24 * 60 * 60 * 1000) /* when the arguments give 0 */
#define AUTHOR_LIFETIME_MAX_MS (5ull * 366 * 24 * 60 * 60 * 1000)
#define AUTHOR_REASON_MAX 256

#define TAG_POSSESSION "assay.possess\0\0"
#define POSSESSION_TEXT_LEN (TAG_LEN + CHAIN_ID_LEN + P256_KEY_LEN)

struct author_record {
    struct record_stamp stamp;
    uint8_t id[HASH_LEN];
    struct author_key key;
    char org[GENESIS_ID_MAX + 1];
    uint64_t expires_ms; /* 0: never */
    bool revoked;
    char reason[AUTHOR_REASON_MAX + 1]; /* of the revocation */
    uint8_t delegation[DELEGATION_MAX];
    uint16_t delegation_len;
};

extern const struct record author_shape;

/* A key among the fields of a record that has one as `member`: key_type and key. */
extern const struct record author_key_shape;
#define AUTHOR_KEY(T, member, about)                                                                                   \
    { "key", about, FIELD_PART, MEMBER(T, member), .of = &author_key_shape }

/* Takes a key as arguments carry it: 32 bytes for Ed25519 (type 1), 65 with a leading 0x04 for P-256 (type 2). False
 * for anything else. Devices' keys have the same two types and the same rule for ids. */
bool author_key_parse(uint32_t type, struct bytes key, struct author_key *out);
/* Is the fixed array what author_key_parse would have made of the key's own bytes? */
bool author_key_is_sound(enum author_key_type type, const uint8_t key[P256_KEY_LEN]);
void author_id(const struct author_key *key, uint8_t out[HASH_LEN]);
struct record_key author_record_key(const uint8_t id[HASH_LEN]);

/* `*out_found` false: no such author, `out` untouched. */
NODISCARD enum err author_get(const struct state *state, const uint8_t id[HASH_LEN], struct author_record *out,
                              bool *out_found);
/* At most `limit` (<= STATE_PAGE_MAX) authors by id, behind `after` (NULL: from the first). */
NODISCARD enum err author_list(const struct state *state, const uint8_t *after, size_t limit,
                               enum err (*each)(void *arg, const struct author_record *author), void *arg);
/* May the author sign at this time? CODE_OK, CODE_AUTHOR_UNKNOWN, CODE_AUTHOR_REVOKED, CODE_AUTHOR_EXPIRED (from the
 * expiry itself on). `out` gets the record when there is one. */
NODISCARD enum err author_judge(const struct state *state, const uint8_t id[HASH_LEN], uint64_t time_ms,
                                struct author_record *out, enum code *out_code);
/* Genesis hooks: its records' own rules, and laying them. */
NODISCARD enum err author_genesis_check(const struct genesis_checking *c);
NODISCARD enum err author_genesis(const struct call *call, const struct genesis *genesis);

/* Its row's part of the table of contracts. */
extern const struct method author_methods[];

#endif
