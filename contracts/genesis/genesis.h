/* What a chain starts from: a checked structure that node/ reads from genesis.json and contracts lay into the first
 * state.
 *
 * chain id = SHA-256(TAG_GENESIS | version 1 (1) | time ms (8) | salt (32) | validators hash (32) |
 *                    name length (1) | name)
 *
 * The chain id names the first validator set; the genesis block's state root binds everything else. (Delegations in the
 * genesis are signed over the chain id, so it can't be a hash of the whole file.)
 *
 * genesis.json (docs/formats.md has an example; unknown members are refused by name):
 *   format "assay-genesis-1", name, time_ms, salt (hex), params {heartbeat_ms, max_block_txs, max_block_bytes,
 *   tx_max_lifetime_ms, vote_threshold_percent, protocol_version}, organisations [], nodes [], classes [],
 *   authors [], devices []
 * and, where the chain takes over from one that was lost (contracts/governance/genesis_inherit.h), predecessor {chain_id, height,
 * block_hash, state_root, records_hash}.
 */
#ifndef ASSAY_CONTRACTS_GENESIS_GENESIS_H
#define ASSAY_CONTRACTS_GENESIS_GENESIS_H

#include "base/buffer.h"
#include "base/sha256.h"
#include "base/uuid.h"
#include "contracts/kernel/contract.h"
#include "verify/certificate.h"
#include "verify/delegation.h"

#define GENESIS_NAME_MAX 64
#define GENESIS_ID_MAX 32    /* organisation id: lowercase letters, digits, '-' */
#define GENESIS_TEXT_MAX 128 /* display names, addresses, domains, class names */
#define GENESIS_ADMINS_MAX 16
#define GENESIS_CLASS_AUTHORS_MAX 16
#define GENESIS_SLOTS_MAX 8
/* How many there may be, in the genesis and later. Up to 100 organisations 67 percent is more than two thirds. */
#define ORGS_MAX 100
#define NODES_MAX 4096
#define NODES_PER_ORG_MAX 256
#define LINKED_NODES_MAX 256 /* validators and observers: these have links among each other */
/* Of one organisation; and so many places in all are kept for organisations with fewer than two observers, so that
 * nobody keeps others from bringing the validators they may be asked for. */
#define OBSERVERS_PER_ORG_MAX 32
#define LINKED_NODES_KEPT LIMIT_VALIDATORS

enum org_kind { ORG_VENDOR = 1, ORG_BROKER = 2, ORG_OPERATOR = 3, ORG_OWNER = 4 };
enum node_role { NODE_VALIDATOR = 1, NODE_OBSERVER = 2, NODE_GATEWAY = 3 };

/* By number; place 0 is empty. */
extern const char *const org_kind_names[ORG_OWNER + 1];
extern const char *const node_role_names[NODE_GATEWAY + 1];
/* What has that name; false when nothing has. */
bool org_kind_of(struct bytes name, enum org_kind *out);
bool node_role_of(struct bytes name, enum node_role *out);

/* The rules that this program runs: what chains begin with, and the newest it knows. Those of 0.1.0 were 1; their
 * records were laid out otherwise, so such a chain goes on only by an export to a new genesis. */
#define PROTOCOL_VERSION 2u

struct genesis_params {
    uint32_t heartbeat_ms;       /* 0: never */
    uint32_t max_block_txs;      /* <= LIMIT_BLOCK_TXS */
    uint32_t max_block_bytes;    /* <= LIMIT_BLOCK_BYTES */
    uint64_t tx_max_lifetime_ms; /* <= LIMIT_TX_LIFETIME_MS */
    uint32_t vote_threshold_percent;
    uint32_t protocol_version; /* PROTOCOL_VERSION for a new chain */
};

struct genesis_org {
    char id[GENESIS_ID_MAX + 1];
    char name[GENESIS_TEXT_MAX + 1];
    enum org_kind kind;
    uint8_t admins[GENESIS_ADMINS_MAX][ED25519_KEY_LEN];
    uint8_t admin_count;
    uint8_t admin_threshold; /* signatures of admins that speak for the organisation */
};

struct genesis_node {
    uint8_t key[ED25519_KEY_LEN]; /* signing key */
    uint8_t link_key[32];         /* X25519, for links */
    char org[GENESIS_ID_MAX + 1];
    enum node_role role;
    char peer[GENESIS_TEXT_MAX + 1]; /* host:port of its inbox; "" for gateways */
    char http[GENESIS_TEXT_MAX + 1]; /* base URL; "" when it serves nobody */
};

struct genesis_slot {
    uint8_t component; /* SUIT component identifier, one byte */
    uint64_t max_size;
};

struct genesis_class {
    char vendor_domain[GENESIS_TEXT_MAX + 1];
    char class_name[GENESIS_TEXT_MAX + 1];
    char org[GENESIS_ID_MAX + 1]; /* owner */
    uint8_t root_key[KEY_LEN];    /* vendor's root key that delegations are checked against */
    uint32_t min_hardware_revision;
    uint8_t required_signers;                             /* m */
    uint8_t author_count;                                 /* n */
    uint8_t authors[GENESIS_CLASS_AUTHORS_MAX][HASH_LEN]; /* author ids: Ed25519 key, or SHA-256 of a P-256 point */
    uint8_t slot_count;
    struct genesis_slot slots[GENESIS_SLOTS_MAX];
};

struct genesis_author {
    struct author_key key;
    char org[GENESIS_ID_MAX + 1];
    uint64_t expires_ms; /* 0: never */
    uint8_t delegation[DELEGATION_MAX];
    uint16_t delegation_len;
};

struct genesis_device {
    uint8_t key[P256_KEY_LEN];
    enum author_key_type key_type;
    char vendor_domain[GENESIS_TEXT_MAX + 1];
    char class_name[GENESIS_TEXT_MAX + 1];
    uint32_t hardware_revision;
    uint64_t running_sequence;
    uint8_t gateway[ED25519_KEY_LEN];
    uint8_t mac_hmac[HASH_LEN];
    bool endorsed; /* the vendor vouched for its key */
};

/* The last final block of the chain that this one takes over from, and the file of its records. */
struct genesis_predecessor {
    bool named;
    uint8_t chain_id[CHAIN_ID_LEN];
    uint64_t height;
    uint8_t block_hash[HASH_LEN];
    uint8_t state_root[HASH_LEN];
    uint8_t records_hash[SHA256_LEN];
};

/* Owns its arrays; genesis_free releases them. */
struct genesis {
    char name[GENESIS_NAME_MAX + 1];
    uint64_t time_ms;
    uint8_t salt[32];
    struct genesis_params params;
    struct genesis_org *orgs;
    size_t org_count;
    struct genesis_node *nodes;
    size_t node_count;
    struct genesis_class *classes;
    size_t class_count;
    struct genesis_author *authors;
    size_t author_count;
    struct genesis_device *devices;
    size_t device_count;
    struct genesis_predecessor predecessor;
    struct buffer inherited; /* the file that the predecessor names; empty while nobody needs it */
};

void genesis_params_default(struct genesis_params *out);
void genesis_free(struct genesis *genesis);
/* Vendor and class id (RFC 9124) of a domain and a class name. */
void class_ids(const char *vendor_domain, const char *class_name, uint8_t out_vendor[UUID_BYTES],
               uint8_t out_class[UUID_BYTES]);
/* The rules of one organisation, which hold for one admitted later too: is the id 1 to GENESIS_ID_MAX of a-z, 0-9 and
 * '-'; and what breaks a rule beside the id, NULL when nothing does. */
bool genesis_org_id_is_clean(const char *id);
const char *genesis_org_flaw(const struct genesis_org *org);
/* Signing keys of the validators in file order. `keys` holds LIMIT_VALIDATORS. */
uint16_t genesis_validators(const struct genesis *genesis, uint8_t (*keys)[KEY_LEN]);
void genesis_chain_id(const struct genesis *genesis, const struct verify_crypto *crypto, uint8_t out[CHAIN_ID_LEN]);
#endif
