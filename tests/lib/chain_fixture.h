/* A chain of the small consortium of tests/lib/world.h, with four validators whose keys the test holds:
 * state in memory, block log in a folder of its own, real votes and certificates. The memory outlives the chain, so a
 * chain can be closed without a checkpoint, as a crash would, and opened again. */
#ifndef ASSAY_TESTS_LIB_CHAIN_FIXTURE_H
#define ASSAY_TESTS_LIB_CHAIN_FIXTURE_H

#include "base/clock.h"
#include "base/merkle.h"
#include "base/why.h"
#include "contracts/contracts.h"
#include "node/host/host_crypto.h"
#include "node/ledger/chain_internal.h"
#include "node/ledger/mempool.h"
#include "tests/lib/world.h"
#include "verify/bundle.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXTURE_VALIDATORS 4
#define FIXTURE_KEEP_MS 60000u

struct chain_fixture {
    struct world world;
    uint8_t validator_secrets[FIXTURE_VALIDATORS][ED25519_SECRET_LEN];
    char dir[64];
    struct kv_backend memory; /* kept across closing the chain */
    struct kv_backend_ops kept_ops;
    struct mempool *pool;
    struct chain *chain;
    uint64_t version_keep_ms;
    uint64_t view;      /* of the next block */
    uint64_t time_ms;   /* of the next block */
    uint64_t tx_number; /* makes every transaction another */
    size_t checkpoint_bytes;
    struct chain_limits limits;
};

/* ---- Opening and closing -------------------------------------------------------------------------------------- */

enum err fixture_try_open(struct chain_fixture *f);
void fixture_setup(struct chain_fixture *f);
void fixture_open(struct chain_fixture *f);

/* Forgets what is in memory and opens from what was stored. */
enum err fixture_reopen(struct chain_fixture *f);
void fixture_wipe_folder(const char *dir);
void fixture_close(struct chain_fixture *f);

/* ---- Transactions ---------------------------------------------------------------------------------------------- */

/* Appends a signed envelope of these people. */
void fixture_envelope(struct chain_fixture *f, const char *contract, const char *method,
                      const ProtobufCMessage *message, uint64_t expiry_ms, const int *people, size_t count,
                      struct buffer *out);

/* Registers a device nobody has seen, under gateway 1: always carried out, one record more. */
void fixture_register(struct chain_fixture *f, uint64_t expiry_ms, struct buffer *out);

/* Puts one envelope into the mempool; gives its id. */
void fixture_pool(struct chain_fixture *f, struct bytes envelope, uint8_t out_id[HASH_LEN]);
void fixture_pool_devices(struct chain_fixture *f, size_t count);

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

/* A certificate of `kind` by the first `signers` validators over a block; the view is the block's own. */
void fixture_certify(struct chain_fixture *f, const uint8_t hash[HASH_LEN], uint64_t view, enum vote_kind kind,
                     size_t signers, struct buffer *out);

/* Builds on `parent` with what waits in the mempool, a second later than the one before. */
void fixture_build(struct chain_fixture *f, const uint8_t parent[HASH_LEN], uint8_t out_hash[HASH_LEN]);

/* Makes a valid candidate final with a certificate of its own. */
enum err fixture_finalize(struct chain_fixture *f, const uint8_t hash[HASH_LEN]);

/* Ends the program unless chain and mempool are sound (chain_check, mempool_check). */
void fixture_sound(const struct chain_fixture *f);

/* One final block with `devices` new ones, after which all is sound. */
void fixture_block(struct chain_fixture *f, size_t devices);
/* The same without looking whether all is sound, for whoever measures. */
void fixture_block_alone(struct chain_fixture *f, size_t devices);

/* ---- Blocks as an adversary writes them -------------------------------------------------------------------------- */

/* A block on the head with these envelopes and truthful roots, whatever rule it breaks; `spoil` (may be NULL) changes
 * the finished header. */
void fixture_craft(struct chain_fixture *f, const struct bytes *envelopes, size_t count,
                   void (*spoil)(struct block_header *h), struct buffer *out);

/* ---- Proofs ------------------------------------------------------------------------------------------------------ */

struct fixture_proof {
    struct bundle_result result;
    uint8_t value[LIMIT_STATE_VALUE];
};

/* Judges a bundle as a gateway would: with nothing but the chain id and the four keys. */
enum verdict fixture_judge(const struct chain_fixture *f, struct bytes bundle, struct fixture_proof *out);

#endif
