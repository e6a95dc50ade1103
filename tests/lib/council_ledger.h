/* The consortium of tests/lib/council.h on a real ledger's state: blocks of transactions, as many as a test
 * likes, run by execute_block on a store in memory. Signatures are not looked at there, so any key can sign. */
#ifndef ASSAY_TESTS_LIB_COUNCIL_LEDGER_H
#define ASSAY_TESTS_LIB_COUNCIL_LEDGER_H

#include "node/host/host_crypto.h"
#include "node/ledger/execute.h"
#include "tests/lib/council_sound.h"

#define LEDGER_TXS 2048

struct ledger {
    struct council c; /* keys and genesis; its own state is not used */
    struct kv *kv;
    struct tree_cache *cache;
    struct tree_root root;
    uint64_t next_node_id, height, time_ms, tx_number;
    struct operation_budget budget;
    struct transaction txs[LEDGER_TXS]; /* of the block to be */
    uint8_t signers[LEDGER_TXS][2][KEY_LEN];
    enum code codes[LEDGER_TXS]; /* of the last block's transactions */
    size_t tx_count, code_count;
};

/* A key of no person, by number. */
void ledger_key(uint64_t number, uint8_t out[KEY_LEN]);

/* What runs above the head, in a layer of its own. */
struct ledger_block {
    struct kv_layer *layer;
    struct kv_view *view;
    struct execution x;
};

void ledger_block_open(struct ledger *l, struct ledger_block *out);
void ledger_block_close(struct ledger *l, struct ledger_block *block, bool keep);

/* Every organisation has `admins` admins, each of whom speaks for it. */
void ledger_open(struct ledger *l, unsigned orgs, unsigned validators, unsigned observers, unsigned admins);
void ledger_close(struct ledger *l);

/* Puts a transaction of these keys into the block to be; gives its place. */
size_t ledger_add(struct ledger *l, const char *method, const ProtobufCMessage *message, const uint8_t *signer,
                  const uint8_t *second);

/* Runs the block to be, `after_ms` behind the one before, and makes it the head. */
enum err ledger_run(struct ledger *l, uint64_t after_ms);

/* ---- Reading ------------------------------------------------------------------------------------------------ */

struct ledger_view {
    struct kv_view *kv;
    struct state state;
};

struct ledger_view ledger_look(struct ledger *l);
struct proposal_record ledger_proposal(struct ledger *l, const uint8_t id[HASH_LEN]);
uint64_t ledger_next_due(struct ledger *l);

/* ---- What members do ---------------------------------------------------------------------------------------- */

const uint8_t *ledger_admin(const struct ledger *l, unsigned org);

/* Each puts one transaction into the block to be, and gives its id. */
const uint8_t *ledger_propose(struct ledger *l, unsigned org, Assay__Propose *args);
const uint8_t *ledger_propose_removal(struct ledger *l, unsigned org, unsigned leaver);
const uint8_t *ledger_propose_threshold(struct ledger *l, unsigned org, unsigned percent);
void ledger_vote(struct ledger *l, unsigned org, const uint8_t id[HASH_LEN], enum vote_choice choice);

/* A gateway with a key by number. */
void ledger_register(struct ledger *l, unsigned org, uint64_t number);

#endif
