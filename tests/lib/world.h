/* A small consortium for tests: two vendors, an operator, a validator, two gateways, a class with three authors, and
 * devices; every person is a seed byte. Runs operations as the ledger does: what is refused leaves no trace. */
#ifndef ASSAY_TESTS_LIB_WORLD_H
#define ASSAY_TESTS_LIB_WORLD_H

#include "base/why.h"
#include "contracts/contracts.h"
#include "tests/lib/memory_state.h"

#include "base/p256.h"
#include "contracts/author/author.h"
#include "contracts/author/author.pb-c.h"
#include "contracts/class/class_definition.h"
#include "contracts/device/device.pb-c.h"
#include "contracts/firmware/firmware.pb-c.h"
#include "contracts/genesis/genesis.h"
#include "contracts/kernel/due_work.h"
#include "contracts/update/update.pb-c.h"
#include "verify/statement.h"
#include "verify/suit_build.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

enum person {
    ACME_ADMIN_1 = 1,
    ACME_ADMIN_2,
    GLOBEX_ADMIN,
    OPS_ADMIN,
    VALIDATOR,
    GATEWAY_1,
    GATEWAY_2,
    ACME_ROOT,
    GLOBEX_ROOT,
    AUTHOR_1,
    AUTHOR_2,
    AUTHOR_3,
    AUTHOR_SHORT, /* lifetime ends soon */
    STRANGER,
    DEVICE_1,
    DEVICE_2,
    DEVICE_GLOBEX,
    DEVICE_NEW,
    PEOPLE
};

#define WORLD_START_MS 1700000000000ull
#define SHORT_LIFE_MS 1000000ull
#define SLOT_SIZE 100000u

struct world {
    struct memory_state memory;
    struct state state;
    struct verify_crypto crypto;
    uint8_t public_key[PEOPLE][ED25519_KEY_LEN];
    uint8_t secret[PEOPLE][ED25519_SECRET_LEN];
    struct genesis genesis;
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t vendor_id[UUID_BYTES], class_id[UUID_BYTES];
    uint8_t globex_vendor_id[UUID_BYTES], globex_class_id[UUID_BYTES];
    uint64_t height, now_ms;
    uint64_t tx_count;
    uint8_t tx_id[HASH_LEN]; /* of the last operation */
    struct answer answer;    /* of the last operation */
};

void world_hash_init(struct hash_state *s);
void world_hash_update(struct hash_state *s, const void *data, size_t len);
void world_hash_final(struct hash_state *s, uint8_t out[HASH_LEN]);

ProtobufCBinaryData world_bytes(const void *data, size_t len);

/* A delegation of one class for an Ed25519 author, signed by `root`. */
size_t world_delegate(const struct world *w, enum person root, const struct author_key *key,
                      const uint8_t vendor[UUID_BYTES], const uint8_t class[UUID_BYTES], uint64_t last_sequence,
                      uint8_t out[DELEGATION_MAX]);
struct author_key world_key(const struct world *w, enum person p);
void world_node(struct world *w, size_t i, enum person p, enum node_role role);
void world_open(struct world *w, unsigned required_signers);
void world_close(struct world *w);
struct call world_call(struct world *w, uint8_t (*signers)[ED25519_KEY_LEN], size_t count);

/* Runs raw argument bytes as a transaction of these signers. */
enum err world_execute(struct world *w, const char *contract, const char *method, struct bytes args, const int *people,
                       size_t count);

/* The same with a message; gives the code. */
enum code world_run(struct world *w, const char *contract, const char *method, const ProtobufCMessage *message,
                    const int *people, size_t count);

#define PEOPLE_OF(...) (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int)

/* A new block at this time, with what is due; its items have no budget here (tests/unit/node/ledger/test_execute_due.c). */
enum err world_block(struct world *w, uint64_t time_ms);

/* ---- Releases ----------------------------------------------------------------------------------------------- */

/* A release to be, with everything a test may want to spoil. */
struct draft {
    struct suit_release suit;
    uint8_t image[32]; /* stands for the image: digest, CID and size are of these bytes */
    uint8_t component;
    uint8_t envelope[4096];
    size_t envelope_len;
    uint8_t cid[CID_BINARY_LEN];
    uint8_t tree_root[HASH_LEN];
    Assay__RegisterRelease args;
};

struct bytes world_text(const char *text);
void draft_init(const struct world *w, struct draft *d, uint64_t sequence);

/* Builds and signs the envelope and sets the arguments that match it. */
void draft_sign(const struct world *w, struct draft *d, const int *people, size_t count);
enum code world_register(struct world *w, struct draft *d);

/* Registers sequence `n` signed by author 1; aborts unless it is taken. Gives the id. */
void world_release(struct world *w, uint64_t n, uint8_t out_id[HASH_LEN]);
enum code world_revoke(struct world *w, const uint8_t id[HASH_LEN]);

/* ---- P-256 -------------------------------------------------------------------------------------------------- */

EVP_PKEY *p256_new(uint8_t out_point[P256_POINT_LEN]);
void p256_sign(EVP_PKEY *pair, const void *text, size_t len, uint8_t out[P256_SIG_LEN]);

#endif
