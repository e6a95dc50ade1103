/* A consortium for tests of governance: organisations org0, org1, ... with one admin each, validators and observers
 * dealt out to them in turn. Keys are numbers: ADMIN(i) is the admin of organisation i, NODE(i) the i-th node
 * (validators first, then observers), FRESH(i) a key that nobody has registered. */
#ifndef ASSAY_TESTS_LIB_COUNCIL_H
#define ASSAY_TESTS_LIB_COUNCIL_H

#include "base/why.h"
#include "contracts/contracts.h"
#include "tests/lib/world.h"

#include "contracts/governance/governance_evidence.h"
#include "contracts/governance/governance_nodes.h"
#include "contracts/governance/governance_proposal.h"

#define KEYS 600
#define ADMIN(i) (i)
#define NODE(i) (110 + (i))
#define FRESH(i) (230 + (i))
#define SIGNERS(...) (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int)

struct council {
    struct world w; /* its people take no part; its clock, state and answer are used */
    uint8_t public_key[KEYS][KEY_LEN];
    uint8_t secret[KEYS][ED25519_SECRET_LEN];
    uint8_t id[HASH_LEN]; /* of the last proposal */
};

ProtobufCBinaryData council_key(const struct council *c, int key);
char *council_text(const char *text);

/* "org0" to "org99", from one place so that the text outlives the call. */
char *council_org(unsigned i);
void council_open(struct council *c, unsigned orgs, unsigned validators, unsigned observers);
void council_close(struct council *c);

/* Runs a method of governance; what is refused leaves no trace. Aborts on a local fault. */
enum code council_run(struct council *c, const char *method, const ProtobufCMessage *message, const int *keys,
                      size_t count);

/* ---- Proposals ---------------------------------------------------------------------------------------------- */

/* Proposes for organisation `org`, signed by its admin; remembers the id unless it was refused. */
enum code council_propose(struct council *c, unsigned org, Assay__Propose *args);
enum code council_vote_on(struct council *c, unsigned org, const uint8_t id[HASH_LEN], enum vote_choice choice);
enum code council_vote(struct council *c, unsigned org, enum vote_choice choice);
struct proposal_record council_proposal(struct council *c, const uint8_t id[HASH_LEN]);
enum proposal_state council_state(struct council *c);
enum code propose_add(struct council *c, unsigned org, int key);
enum code propose_remove(struct council *c, unsigned org, int key);
enum code propose_remove_convicted(struct council *c, unsigned org, int key);
enum code propose_replace(struct council *c, unsigned org, int old_key, int new_key);
enum code propose_admit(struct council *c, unsigned org, unsigned newcomer, int admin);
enum code propose_expel(struct council *c, unsigned org, unsigned leaver);
enum code propose_param(struct council *c, unsigned org, uint32_t param, uint64_t value);
enum code propose_protocol(struct council *c, unsigned org, uint32_t version, uint64_t height);

/* ---- Validators --------------------------------------------------------------------------------------------- */

/* Are the validators exactly these, in this order? Prints the first difference. */
bool council_set_is(struct council *c, const int *keys, size_t count);
enum node_role council_role(struct council *c, int key);

/* An observer's registration, signed by its organisation's admin and by itself. */
enum code council_register(struct council *c, unsigned org, int key, uint32_t role);

/* ---- Evidence ----------------------------------------------------------------------------------------------- */

#define COUNCIL_EPOCH 3
#define COUNCIL_VIEW 9

/* Two votes of one validator, as the arguments carry them. */
struct pair {
    Assay__SubmitEvidence args;
    Assay__SignedVote votes[2];
    uint8_t blocks[2][HASH_LEN];
    uint8_t signatures[2][SIG_LEN];
};

void vote_sign(const struct council *c, int key, const uint8_t chain_id[CHAIN_ID_LEN], enum vote_kind kind,
               const uint8_t block[HASH_LEN], uint8_t out[SIG_LEN]);

/* `block` numbers the blocks; 0 is none. */
void pair_init(struct pair *p, const struct council *c, int key, enum vote_kind kind_a, uint8_t block_a,
               enum vote_kind kind_b, uint8_t block_b);
enum code submit(struct council *c, const struct pair *p, int by);

/* Equivocation of that validator, submitted by that key. */
enum code convict(struct council *c, int key, int by);

#endif
