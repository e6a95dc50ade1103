/* A gateway and the ledger behind it, in memory: real envelopes, real delegations, real bundles of test validators, and
 * the rules of contract "update" as far as a device sees them. Knobs make it lie. */
#ifndef ASSAY_TESTS_LIB_FAKE_GATEWAY_H
#define ASSAY_TESTS_LIB_FAKE_GATEWAY_H

#include "device/ports/host/host_run.h"
#include "tests/lib/proof_fixture.h"
#include "verify/delegation.h"
#include "verify/suit_build.h"

#define FAKE_SLOT (64u * 1024u)
#define FAKE_OBJECT_MAX (FAKE_SLOT + 4096)

struct fake {
    /* The world as it is. */
    struct fixture_set sets[2];
    const struct fixture_set *set_list[2];
    uint16_t steps; /* epochs the chain has moved on since the device was provisioned */
    struct fixture_state state;
    uint64_t height;
    uint8_t chain[CHAIN_ID_LEN];
    struct class_record record;
    struct status_record status;
    bool has_status;
    uint32_t max_failed;
    enum verify_outcome force; /* what the ledger answers instead of judging, unless OUTCOME_NONE */
    struct protocol_offer offer;
    bool offered;
    uint8_t root[KEY_LEN], root_secret[ED25519_SECRET_LEN];
    uint8_t author[KEY_LEN], author_secret[ED25519_SECRET_LEN];
    struct delegation delegation;
    struct suit_release release;
    uint8_t image[FAKE_SLOT];
    size_t image_size;

    /* Lies and troubles. */
    bool offline;
    bool unknown_device;
    int offline_after;                          /* exchanges that still work; negative: all */
    int corrupt_images;                         /* so many times the image is served with a byte flipped */
    bool spoil_what[PROTOCOL_STATUS_PROOF + 1]; /* a byte of the object is flipped */
    size_t spoil_at;
    bool extra_byte[PROTOCOL_STATUS_PROOF + 1]; /* trailing byte */
    bool image_too_long;                        /* says and serves more than was signed */
    uint16_t signers;                           /* of finalizations; 0: a quorum */
    const char *answer_about;                   /* contract the class proof is about; NULL: the right one */
    bool old_proofs;                            /* proofs of height 1 */
    bool replay_status;                         /* status record keeps its old nonce */
    bool queue;                                 /* statements are queued, not accepted */
    bool refuse;                                /* the contract refuses statements */
    bool revoke_before_arming;                  /* the class record falls back once the device is verified */
    bool swap_tag;                              /* every range comes from another version */
    bool garbage;                               /* answers are no CBOR */
    bool image_gone;                            /* the image was offered and is not any more */

    /* What was seen. */
    uint64_t last_counter;
    unsigned opens, verifies, reports, exchanges;
    struct statement last_report;
    uint64_t image_bytes; /* served */

    uint8_t object[FAKE_OBJECT_MAX];
    size_t object_len;
};

extern const uint8_t fake_component;

/* Puts a release of `sequence` on the ledger and offers it. Call again after changing release, record or delegation. */
void fake_publish(struct fake *f);
void fake_make_image(struct fake *f, uint8_t number, size_t size);
void fake_init(struct fake *f, uint16_t validators, size_t image_size);

/* ---- A device at its end ----------------------------------------------------------------------------------------- */

struct bench {
    struct host_power power;
    struct host_flash flash;
    struct host_secure secure;
    struct device_config config;
    struct device_transport link;
    struct host_run run;
    uint8_t old_image[6000];
    struct device_image old;
};

bool bench_init(struct bench *b, struct fake *f);
void bench_close(struct bench *b);
bool bench_runs(struct bench *b, uint64_t sequence, const uint8_t *image, size_t len);

#endif
