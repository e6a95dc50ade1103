#include "contracts/genesis/genesis.h"

#include <stdlib.h>
#include <string.h>

const char *const org_kind_names[ORG_OWNER + 1] = {
    [ORG_VENDOR] = "vendor", [ORG_BROKER] = "broker", [ORG_OPERATOR] = "operator", [ORG_OWNER] = "owner"};
const char *const node_role_names[NODE_GATEWAY + 1] = {
    [NODE_VALIDATOR] = "validator", [NODE_OBSERVER] = "observer", [NODE_GATEWAY] = "gateway"};

bool org_kind_of(struct bytes name, enum org_kind *out) {
    for (size_t i = ORG_VENDOR; i <= ORG_OWNER; i++) {
        if (bytes_equal(name, bytes_str(org_kind_names[i]))) {
            *out = (enum org_kind)i;
            return true;
        }
    }
    return false;
}

bool node_role_of(struct bytes name, enum node_role *out) {
    for (size_t i = NODE_VALIDATOR; i <= NODE_GATEWAY; i++) {
        if (bytes_equal(name, bytes_str(node_role_names[i]))) {
            *out = (enum node_role)i;
            return true;
        }
    }
    return false;
}

#define GENESIS_VERSION 1
#define DEFAULT_HEARTBEAT_MS 10000
#define DEFAULT_THRESHOLD_PERCENT 67

void genesis_params_default(struct genesis_params *out) {
    *out = (struct genesis_params){
        .heartbeat_ms = DEFAULT_HEARTBEAT_MS,
        .max_block_txs = LIMIT_BLOCK_TXS,
        .max_block_bytes = LIMIT_BLOCK_BYTES,
        .tx_max_lifetime_ms = LIMIT_TX_LIFETIME_MS,
        .vote_threshold_percent = DEFAULT_THRESHOLD_PERCENT,
        .protocol_version = PROTOCOL_VERSION,
    };
}

void genesis_free(struct genesis *genesis) {
    if (genesis == NULL) {
        return;
    }
    free(genesis->orgs);
    free(genesis->nodes);
    free(genesis->classes);
    free(genesis->authors);
    free(genesis->devices);
    buffer_free(&genesis->inherited);
    *genesis = (struct genesis){0};
}

uint16_t genesis_validators(const struct genesis *genesis, uint8_t (*keys)[KEY_LEN]) {
    uint16_t count = 0;
    for (size_t i = 0; i < genesis->node_count && count < LIMIT_VALIDATORS; i++) {
        if (genesis->nodes[i].role == NODE_VALIDATOR) {
            memcpy(keys[count++], genesis->nodes[i].key, KEY_LEN);
        }
    }
    return count;
}

void genesis_chain_id(const struct genesis *genesis, const struct verify_crypto *crypto, uint8_t out[CHAIN_ID_LEN]) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t fixed[1 + 8 + sizeof genesis->salt + HASH_LEN + 1];
    struct validator_set set = {(const uint8_t(*)[KEY_LEN])(uintptr_t)keys, genesis_validators(genesis, keys)};
    size_t name_len = strnlen(genesis->name, GENESIS_NAME_MAX);
    fixed[0] = GENESIS_VERSION;
    store_u64(fixed + 1, genesis->time_ms);
    memcpy(fixed + 9, genesis->salt, sizeof genesis->salt);
    validators_hash(crypto, &set, fixed + 9 + sizeof genesis->salt);
    fixed[sizeof fixed - 1] = (uint8_t)name_len;
    const struct bytes parts[] = {
        {(const uint8_t *)TAG_GENESIS, TAG_LEN},
        {fixed, sizeof fixed},
        {(const uint8_t *)genesis->name, name_len},
    };
    hash_parts(crypto, parts, sizeof parts / sizeof parts[0], out);
}

void class_ids(const char *vendor_domain, const char *class_name, uint8_t out_vendor[UUID_BYTES],
               uint8_t out_class[UUID_BYTES]) {
    uint8_t vendor[UUID_LEN];
    uuid_vendor(bytes_str(vendor_domain), vendor);
    uuid_class(vendor, bytes_str(class_name), out_class);
    memcpy(out_vendor, vendor, UUID_BYTES);
}
