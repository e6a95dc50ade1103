#include "tests/lib/council_ledger.h"
#include "tests/lib/next_due.h"

void ledger_key(uint64_t number, uint8_t out[KEY_LEN]) {
    sha256(&number, sizeof number, out);
}

void ledger_block_open(struct ledger *l, struct ledger_block *out) {
    if (kv_layer_new(&out->layer) != OK || kv_view_open_above(l->kv, &out->layer, 1, &out->view) != OK) {
        abort();
    }
    out->x = (struct execution){.crypto = &host_crypto,
                                .chain_id = l->c.w.chain_id,
                                .view = out->view,
                                .layer = out->layer,
                                .cache = l->cache,
                                .parent_root = l->root,
                                .next_node_id = &l->next_node_id,
                                .height = l->height,
                                .time_ms = l->time_ms,
                                .budget = l->budget};
}

void ledger_block_close(struct ledger *l, struct ledger_block *block, bool keep) {
    kv_view_close(block->view);
    if (keep && kv_push(l->kv, block->layer) != OK) {
        abort();
    }
    kv_layer_unref(block->layer);
}

void ledger_open(struct ledger *l, unsigned orgs, unsigned validators, unsigned observers, unsigned admins) {
    struct kv_backend memory;
    struct ledger_block block;
    memset(l, 0, sizeof *l);
    council_open(&l->c, orgs, validators, observers);
    for (unsigned i = 0; i < orgs; i++) {
        for (unsigned j = 1; j < admins; j++) {
            ledger_key(1000000 + i * 100 + j, l->c.w.genesis.orgs[i].admins[j]);
        }
        l->c.w.genesis.orgs[i].admin_count = (uint8_t)admins;
    }
    l->budget = (struct operation_budget){LIMIT_OPERATION_WRITES, LIMIT_OPERATION_NOTES, LIMIT_OPERATION_BYTES};
    l->root = TREE_EMPTY;
    l->next_node_id = 1;
    l->time_ms = WORLD_START_MS;
    if (kv_memory_open(&memory) != OK || kv_open(memory, &l->kv) != OK || tree_cache_new(4096, &l->cache) != OK) {
        abort();
    }
    ledger_block_open(l, &block);
    if (execute_genesis(&block.x, &l->c.w.genesis, &l->root) != OK) {
        abort();
    }
    ledger_block_close(l, &block, true);
}

void ledger_close(struct ledger *l) {
    for (size_t i = 0; i < l->tx_count; i++) {
        free((void *)(uintptr_t)l->txs[i].args.data);
    }
    tree_cache_free(l->cache);
    kv_close(l->kv);
    council_close(&l->c);
}

size_t ledger_add(struct ledger *l, const char *method, const ProtobufCMessage *message, const uint8_t *signer,
                  const uint8_t *second) {
    size_t at = l->tx_count++, len = protobuf_c_message_get_packed_size(message);
    struct transaction *tx = &l->txs[at];
    uint8_t *args = memory_copy("", 0);
    args = (uint8_t *)realloc(args, len + 1);
    protobuf_c_message_pack(message, args);
    memcpy(l->signers[at][0], signer, KEY_LEN);
    memcpy(l->signers[at][1], second != NULL ? second : signer, KEY_LEN);
    *tx = (struct transaction){.chain_id = l->c.w.chain_id,
                               .signers = (const uint8_t(*)[KEY_LEN])(uintptr_t)l->signers[at],
                               .signer_count = second != NULL ? 2 : 1,
                               .contract = bytes_str("governance"),
                               .method = bytes_str(method),
                               .args = bytes_of(args, len)};
    l->tx_number++;
    sha256(&l->tx_number, sizeof l->tx_number, tx->id);
    return at;
}

static enum code ledger_code(const struct ledger_block *block, const struct transaction *tx) {
    struct bytes value, encoded;
    struct receipt receipt;
    uint64_t height;
    uint32_t index;
    if (kv_get(block->view, KV_TXS, bytes_of(tx->id, HASH_LEN), &value) != OK ||
        tx_entry_decode(value, &height, &index, &encoded) != OK || receipt_decode(encoded, &receipt) != OK) {
        abort();
    }
    return (enum code)receipt.code;
}

enum err ledger_run(struct ledger *l, uint64_t after_ms) {
    struct ledger_block block;
    struct execution_result result;
    l->height++;
    l->time_ms += after_ms;
    ledger_block_open(l, &block);
    enum err e = execute_block(&block.x, l->txs, l->tx_count, &result);
    for (size_t i = 0; i < l->tx_count; i++) {
        l->codes[i] = e == OK ? ledger_code(&block, &l->txs[i]) : CODE_OK;
        free((void *)(uintptr_t)l->txs[i].args.data);
    }
    l->code_count = l->tx_count;
    l->tx_count = 0;
    if (e == OK) {
        l->root = result.root;
    }
    ledger_block_close(l, &block, e == OK);
    return e;
}

struct ledger_view ledger_look(struct ledger *l) {
    struct ledger_view view;
    if (kv_view_open(l->kv, &view.kv) != OK) {
        abort();
    }
    view.state = state_of_view(view.kv);
    return view;
}

struct proposal_record ledger_proposal(struct ledger *l, const uint8_t id[HASH_LEN]) {
    struct ledger_view view = ledger_look(l);
    struct proposal_record p = {.state = (enum proposal_state)0};
    bool found = false;
    if (proposal_get(&view.state, id, &p, &found) != OK) {
        abort();
    }
    kv_view_close(view.kv);
    return p;
}

uint64_t ledger_next_due(struct ledger *l) {
    struct ledger_view view = ledger_look(l);
    uint64_t due_ms = 0;
    if (next_due(&view.state, &due_ms) != OK) {
        abort();
    }
    kv_view_close(view.kv);
    return due_ms;
}

const uint8_t *ledger_admin(const struct ledger *l, unsigned org) {
    return l->c.public_key[ADMIN((int)org)];
}

const uint8_t *ledger_propose(struct ledger *l, unsigned org, Assay__Propose *args) {
    args->org = council_org(org);
    return l->txs[ledger_add(l, "propose", &args->base, ledger_admin(l, org), NULL)].id;
}

const uint8_t *ledger_propose_removal(struct ledger *l, unsigned org, unsigned leaver) {
    Assay__RemoveOrg change;
    Assay__Propose args;
    assay__remove_org__init(&change);
    assay__propose__init(&args);
    change.id = council_org(leaver);
    args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_ORG;
    args.remove_org = &change;
    return ledger_propose(l, org, &args);
}

const uint8_t *ledger_propose_threshold(struct ledger *l, unsigned org, unsigned percent) {
    Assay__ParamSetting setting = ASSAY__PARAM_SETTING__INIT;
    Assay__ParamSetting *settings[1] = {&setting};
    Assay__SetParams change = ASSAY__SET_PARAMS__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    setting.param = PARAM_VOTE_THRESHOLD_PERCENT;
    setting.value = percent;
    change.n_settings = 1;
    change.settings = settings;
    args.change_case = ASSAY__PROPOSE__CHANGE_SET_PARAMS;
    args.set_params = &change;
    return ledger_propose(l, org, &args);
}

void ledger_vote(struct ledger *l, unsigned org, const uint8_t id[HASH_LEN], enum vote_choice choice) {
    Assay__CastVote args;
    assay__cast_vote__init(&args);
    args.org = council_org(org);
    args.proposal_id = world_bytes(id, HASH_LEN);
    args.choice = choice;
    (void)ledger_add(l, "vote", &args.base, ledger_admin(l, org), NULL);
}

void ledger_register(struct ledger *l, unsigned org, uint64_t number) {
    uint8_t key[KEY_LEN], link_key[KEY_LEN];
    Assay__RegisterNode args;
    assay__register_node__init(&args);
    ledger_key(number, key);
    memcpy(link_key, key, KEY_LEN);
    link_key[0] ^= 0xff;
    args.org = council_org(org);
    args.key = world_bytes(key, KEY_LEN);
    args.link_key = world_bytes(link_key, KEY_LEN);
    args.role = NODE_GATEWAY;
    args.http = council_text("http://10.0.0.1:26601");
    (void)ledger_add(l, "register_node", &args.base, ledger_admin(l, org), key);
}
