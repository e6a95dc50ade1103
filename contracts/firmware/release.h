/* Releases: what stands in state about each signed manifest, and the class record devices check.
 *
 * Release id = SHA-256(TAG_RELEASE || 0x01 || class id (16) || manifest digest (32) || image CID (36) ||
 *              image size (8) || image digest (32) || image tree root (32) || SBOM CID length (1) || SBOM CID)
 *
 * Keys of contract "firmware" (S = 2^64 - 1 - sequence, so that the newest comes first):
 *   "release/" || id                        the record, below
 *   "envelope/" || id                       the SUIT envelope's bytes, as gateways and devices fetch it
 *   "sequence/" || class id || S || id      one byte 1: every release of the class, whatever its state
 *   "released/" || class id || S            id: released and not revoked
 *   "manifest/" || manifest digest          id: was released at some time; dependencies are found here
 *   "latest/" || class id                   the class record, verify/class_record.h
 *
 * Record:
 *   stamp | id (32) | class id (16) | vendor id (16) | sequence (8) | state (1) | component (1) |
 *   manifest digest (32) | image digest (32) | image size (8) | image CID (36) | image tree root (32) |
 *   SBOM CID length (1), SBOM CID | payload format (8) | envelope length (4) | registered by tx (32) | sent by (32) |
 *   pending until ms (8) | signer count (1), author ids (32 each) | dependency count (1), manifest digests (32 each) |
 *   version text | notes text | reason text
 */
#ifndef ASSAY_CONTRACTS_FIRMWARE_RELEASE_H
#define ASSAY_CONTRACTS_FIRMWARE_RELEASE_H

#include "contracts/class/class_definition.h"
#include "verify/suit.h"

#define RELEASE_VERSION_MAX 64
#define RELEASE_NOTES_MAX 1024
#define RELEASE_REASON_MAX 256

enum release_state {
    RELEASE_PENDING = 1,  /* waits for more authors to sign */
    RELEASE_RELEASED = 2, /* devices may install it */
    RELEASE_REVOKED = 3,  /* must not be installed any more, or withdrawn while pending */
    RELEASE_EXPIRED = 4,  /* too few authors signed in time */
};

struct release_record {
    struct record_stamp stamp;
    uint8_t id[HASH_LEN];
    uint8_t class_id[UUID_BYTES];
    uint8_t vendor_id[UUID_BYTES];
    uint64_t sequence;
    enum release_state state;
    uint8_t component;
    uint8_t manifest_digest[HASH_LEN];
    uint8_t image_digest[HASH_LEN];
    uint64_t image_size;
    uint8_t image_cid[CID_BINARY_LEN];
    uint8_t image_tree_root[HASH_LEN];
    bool has_sbom;
    uint8_t sbom_cid[CID_BINARY_LEN];
    uint64_t format; /* enum suit_format */
    uint32_t envelope_len;
    uint8_t tx_id[HASH_LEN];         /* that registered it */
    uint8_t sender[ED25519_KEY_LEN]; /* first signer of that */
    uint64_t pending_until_ms;       /* 0 unless it was pending at first */
    uint8_t signer_count;            /* authors who signed, in the envelope or as a transaction's signer */
    uint8_t signers[GENESIS_CLASS_AUTHORS_MAX][HASH_LEN];
    uint8_t dependency_count;
    uint8_t dependencies[SUIT_DEPENDENCIES_MAX][HASH_LEN]; /* manifest digests */
    char version[RELEASE_VERSION_MAX + 1];
    char notes[RELEASE_NOTES_MAX + 1];
    char reason[RELEASE_REASON_MAX + 1]; /* of the revocation */
};

extern const struct record release_shape;
/* The JSON of a class record; its bytes are verify/'s. */
extern const struct record class_record_shape;

const char *release_state_name(enum release_state state); /* "pending", ... */
/* Computes the id of the fields it is made of. */
void release_id(const struct release_record *release, uint8_t out[HASH_LEN]);
struct record_key release_key(const uint8_t id[HASH_LEN]);

/* ---- Queries ------------------------------------------------------------------------------------------------ */

NODISCARD enum err release_get(const struct state *state, const uint8_t id[HASH_LEN], struct release_record *out,
                               bool *out_found);
/* Appends the SUIT envelope. */
NODISCARD enum err release_envelope(const struct state *state, const uint8_t id[HASH_LEN], struct buffer *out,
                                    bool *out_found);
NODISCARD enum err release_by_manifest(const struct state *state, const uint8_t manifest_digest[HASH_LEN],
                                       struct release_record *out, bool *out_found);

/* Place of a release in its class's list. */
#define RELEASE_CURSOR_LEN (8 + HASH_LEN)
void release_cursor(const struct release_record *release, uint8_t out[RELEASE_CURSOR_LEN]);
/* At most `limit` (<= STATE_PAGE_MAX) releases of a class in every state, newest sequence first, behind the cursor
 * `after` (NULL: from the newest). */
NODISCARD enum err release_list(const struct state *state, const uint8_t class_id[UUID_BYTES], const uint8_t *after,
                                size_t limit, enum err (*each)(void *arg, const struct release_record *release),
                                void *arg);
/* The same over all classes, by id, behind the id `after` (NULL: from the first). */
NODISCARD enum err release_list_all(const struct state *state, const uint8_t *after, size_t limit,
                                    enum err (*each)(void *arg, const struct release_record *release), void *arg);

/* The record devices check; a class that is defined always has one. */
struct record_key release_latest_key(const uint8_t class_id[UUID_BYTES]);
NODISCARD enum err release_latest(const struct state *state, const uint8_t class_id[UUID_BYTES],
                                  struct class_record *out, bool *out_found);
/* Is a release barred from being installed: not released (any more), or below its class's floor? */
NODISCARD enum err release_is_barred(const struct state *state, const struct release_record *release, bool *out_barred);

/* ---- For the methods of firmware ------------------------------------------------------------------------------ */

/* Writes a record that changed and notes it in its history. */
NODISCARD enum err release_put(const struct call *call, const struct release_record *release, const char *action,
                               const char *detail);
/* Lays a new record, its envelope and its place in the class's list. */
NODISCARD enum err release_add(const struct call *call, const struct release_record *release, struct bytes envelope);
/* Enters a release among the installable ones of its class and raises the bar. Its record, in state released, was put
 * before; the same holds for release_withdraw and a record in state revoked. */
NODISCARD enum err release_enter(const struct call *call, const struct release_record *release);
/* Takes a release that was entered out again, for good. */
NODISCARD enum err release_withdraw(const struct call *call, const struct release_record *release,
                                    struct class_record *out);
/* Raises the floor of a class. */
NODISCARD enum err release_raise_floor(const struct call *call, const uint8_t class_id[UUID_BYTES], uint64_t floor,
                                       struct class_record *out);

#endif
