/* Epochs: which validator set makes the blocks that follow. */
#include "node/ledger/chain_internal.h"

#include "base/assert.h"
#include "contracts/governance/governance.h"

#include <stdlib.h>
#include <string.h>

static void epoch_hash(const struct verify_crypto *crypto, struct chain_epoch *epoch) {
    struct validator_set set = chain_epoch_set(epoch);
    validators_hash(crypto, &set, epoch->hash);
}

const struct chain_epoch *chain_epoch(const struct chain *chain) {
    return &chain->epoch;
}

void chain_epoch_of_genesis(const struct genesis *genesis, const struct verify_crypto *crypto,
                            struct chain_epoch *out) {
    *out = (struct chain_epoch){0};
    out->count = genesis_validators(genesis, out->keys);
    epoch_hash(crypto, out);
}

enum err chain_epoch_put(struct kv_layer *layer, const struct chain_epoch *epoch) {
    uint8_t key[8], value[8 + VALIDATOR_SET_MAX];
    ASSERT(epoch->count > 0 && epoch->count <= LIMIT_VALIDATORS);
    ASSERT((epoch->number == 0) == (epoch->closing_height == 0)); /* each but the first begins behind a block */
    struct validator_set set = chain_epoch_set(epoch);
    store_u64(key, epoch->number);
    store_u64(value, epoch->closing_height);
    size_t len = 8 + validators_encode(&set, value + 8);
    return kv_layer_put(layer, KV_EPOCHS, bytes_of(key, sizeof key), bytes_of(value, len));
}

enum err chain_epoch_get(const struct verify_crypto *crypto, struct kv_view *view, uint64_t number,
                         struct chain_epoch *out) {
    uint8_t key[8];
    struct bytes value;
    store_u64(key, number);
    enum err e = kv_get(view, KV_EPOCHS, bytes_of(key, sizeof key), &value);
    if (e != OK) {
        return e;
    }
    if (value.len < 8) {
        return ERR_CORRUPT;
    }
    struct chain_epoch epoch = {.number = number, .closing_height = load_u64(value.data)};
    struct bytes_input from = {{value.data + 8, value.len - 8}};
    struct input in = input_of_bytes(&from);
    struct validator_set set;
    if (validators_read(&in, epoch.keys, LIMIT_VALIDATORS, &set) != GOOD || from.rest.len != 0) {
        return ERR_CORRUPT;
    }
    epoch.count = set.count;
    epoch_hash(crypto, &epoch);
    *out = epoch;
    return OK;
}

enum err chain_epoch_after(const struct chain *chain, struct kv_view *view, uint64_t height, struct chain_epoch **out) {
    uint8_t keys[VALIDATORS_MAX][KEY_LEN];
    uint16_t count = 0;
    struct state state = state_of_view(view);
    enum err e = governance_validators(&state, keys, &count);
    const struct chain_epoch *now = &chain->epoch;
    ASSERT(height > now->closing_height); /* the block stands in the epoch, not before it */
    *out = NULL;
    if (e != OK || (count == now->count && memcmp(keys, now->keys, (size_t)count * KEY_LEN) == 0)) {
        return e;
    }
    struct chain_epoch *next = calloc(1, sizeof *next);
    if (next == NULL) {
        return ERR_NOMEM;
    }
    next->number = now->number + 1;
    next->closing_height = height;
    next->count = count;
    memcpy(next->keys, keys, (size_t)count * KEY_LEN);
    epoch_hash(chain->crypto, next);
    *out = next;
    return OK;
}
