#include "tests/lib/council.h"

ProtobufCBinaryData council_key(const struct council *c, int key) {
    return world_bytes(c->public_key[key], KEY_LEN);
}

char *council_text(const char *text) {
    return (char *)(uintptr_t)text;
}

char *council_org(unsigned i) {
    static char names[ORGS_MAX + 1][16];
    snprintf(names[i], sizeof names[i], "org%u", i);
    return names[i];
}

static void council_genesis(struct council *c, unsigned orgs, unsigned validators, unsigned observers) {
    struct genesis *g = &c->w.genesis;
    *g = (struct genesis){.name = "council", .time_ms = WORLD_START_MS, .salt = {3}};
    genesis_params_default(&g->params);
    g->orgs = (struct genesis_org *)calloc(g->org_count = orgs, sizeof *g->orgs);
    for (unsigned i = 0; i < orgs; i++) {
        struct genesis_org *org = &g->orgs[i];
        strcpy(org->id, council_org(i));
        strcpy(org->name, "An organisation");
        org->kind = (enum org_kind)(1 + i % 4);
        memcpy(org->admins[0], c->public_key[ADMIN(i)], KEY_LEN);
        org->admin_count = org->admin_threshold = 1;
    }
    g->nodes = (struct genesis_node *)calloc(g->node_count = validators + observers, sizeof *g->nodes);
    for (unsigned i = 0; i < g->node_count; i++) {
        struct genesis_node *node = &g->nodes[i];
        memcpy(node->key, c->public_key[NODE(i)], KEY_LEN);
        memcpy(node->link_key, c->public_key[NODE(i)], KEY_LEN);
        node->link_key[0] ^= 0xff;
        strcpy(node->org, council_org(i % orgs));
        strcpy(node->peer, "127.0.0.1:26600");
        node->role = i < validators ? NODE_VALIDATOR : NODE_OBSERVER;
    }
}

void council_open(struct council *c, unsigned orgs, unsigned validators, unsigned observers) {
    struct why why = WHY_NONE;
    *c = (struct council){.w = {.height = 1, .now_ms = WORLD_START_MS + 1000}};
    c->w.crypto =
        (struct verify_crypto){world_hash_init, world_hash_update, world_hash_final, ed25519_verify, p256_verify};
    c->w.state = (struct state){&memory_ops, &c->w.memory};
    for (unsigned i = 0; i < KEYS; i++) {
        uint8_t seed[ED25519_SEED_LEN] = {(uint8_t)i, (uint8_t)(i >> 8), 77};
        ed25519_from_seed(seed, c->public_key[i], c->secret[i]);
    }
    council_genesis(c, orgs, validators, observers);
    genesis_chain_id(&c->w.genesis, &c->w.crypto, c->w.chain_id);
    if (contracts_genesis_check(&c->w.genesis, &c->w.crypto, &why) != OK ||
        contracts_genesis(&c->w.genesis, &c->w.crypto, &c->w.state) != OK) {
        fprintf(stderr, "genesis: %s\n", why.text);
        abort();
    }
}

void council_close(struct council *c) {
    world_close(&c->w);
}

enum code council_run(struct council *c, const char *method, const ProtobufCMessage *message, const int *keys,
                      size_t count) {
    uint8_t signers[16][ED25519_KEY_LEN], packed[4096];
    struct world *w = &c->w;
    size_t len = protobuf_c_message_pack(message, packed);
    for (size_t i = 0; i < count; i++) {
        memcpy(signers[i], c->public_key[keys[i]], KEY_LEN);
    }
    w->tx_count++;
    sha256(&w->tx_count, sizeof w->tx_count, w->tx_id);
    buffer_free(&w->answer.result);
    w->answer = (struct answer){.code = CODE_OK};
    struct memory_state before = memory_clone(&w->memory);
    struct call call = world_call(w, signers, count);
    enum err e =
        contracts_execute(&call, bytes_str("governance"), bytes_str(method), bytes_of(packed, len), &w->answer);
    if (e != OK) {
        fprintf(stderr, "governance.%s: %s\n", method, err_name(e));
        abort();
    }
    if (w->answer.code != CODE_OK) {
        memory_free(&w->memory);
        w->memory = before;
    } else {
        memory_free(&before);
    }
    return w->answer.code;
}

enum code council_propose(struct council *c, unsigned org, Assay__Propose *args) {
    args->org = council_org(org);
    enum code code = council_run(c, "propose", &args->base, SIGNERS(ADMIN((int)org)));
    if (code == CODE_OK) {
        memcpy(c->id, c->w.tx_id, HASH_LEN);
    }
    return code;
}

enum code council_vote_on(struct council *c, unsigned org, const uint8_t id[HASH_LEN], enum vote_choice choice) {
    Assay__CastVote args;
    assay__cast_vote__init(&args);
    args.org = council_org(org);
    args.proposal_id = world_bytes(id, HASH_LEN);
    args.choice = choice;
    return council_run(c, "vote", &args.base, SIGNERS(ADMIN((int)org)));
}

enum code council_vote(struct council *c, unsigned org, enum vote_choice choice) {
    uint8_t id[HASH_LEN];
    memcpy(id, c->id, HASH_LEN);
    return council_vote_on(c, org, id, choice);
}

struct proposal_record council_proposal(struct council *c, const uint8_t id[HASH_LEN]) {
    struct proposal_record p = {.state = (enum proposal_state)0};
    bool found = false;
    if (proposal_get(&c->w.state, id, &p, &found) != OK || !found) {
        abort();
    }
    return p;
}

enum proposal_state council_state(struct council *c) {
    return council_proposal(c, c->id).state;
}

enum code propose_add(struct council *c, unsigned org, int key) {
    Assay__AddValidator change = ASSAY__ADD_VALIDATOR__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    change.key = council_key(c, key);
    args.change_case = ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR;
    args.add_validator = &change;
    return council_propose(c, org, &args);
}

enum code propose_remove(struct council *c, unsigned org, int key) {
    Assay__RemoveValidator change = ASSAY__REMOVE_VALIDATOR__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    change.key = council_key(c, key);
    args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR;
    args.remove_validator = &change;
    return council_propose(c, org, &args);
}

enum code propose_remove_convicted(struct council *c, unsigned org, int key) {
    Assay__RemoveConvicted change = ASSAY__REMOVE_CONVICTED__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    change.key = council_key(c, key);
    args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_CONVICTED;
    args.remove_convicted = &change;
    return council_propose(c, org, &args);
}

enum code propose_replace(struct council *c, unsigned org, int old_key, int new_key) {
    Assay__ReplaceValidator change = ASSAY__REPLACE_VALIDATOR__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    change.old_key = council_key(c, old_key);
    change.new_key = council_key(c, new_key);
    args.change_case = ASSAY__PROPOSE__CHANGE_REPLACE_VALIDATOR;
    args.replace_validator = &change;
    return council_propose(c, org, &args);
}

enum code propose_admit(struct council *c, unsigned org, unsigned newcomer, int admin) {
    Assay__AdmitOrg change;
    assay__admit_org__init(&change);
    Assay__Propose args;
    assay__propose__init(&args);
    ProtobufCBinaryData admins[1] = {council_key(c, admin)};
    change.id = council_org(newcomer);
    change.name = council_text("A newcomer");
    change.kind = ORG_BROKER;
    change.admin_threshold = 1;
    change.n_admins = 1;
    change.admins = admins;
    args.change_case = ASSAY__PROPOSE__CHANGE_ADMIT_ORG;
    args.admit_org = &change;
    return council_propose(c, org, &args);
}

enum code propose_expel(struct council *c, unsigned org, unsigned leaver) {
    Assay__RemoveOrg change;
    assay__remove_org__init(&change);
    Assay__Propose args;
    assay__propose__init(&args);
    change.id = council_org(leaver);
    args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_ORG;
    args.remove_org = &change;
    return council_propose(c, org, &args);
}

enum code propose_param(struct council *c, unsigned org, uint32_t param, uint64_t value) {
    Assay__ParamSetting setting = ASSAY__PARAM_SETTING__INIT;
    Assay__ParamSetting *settings[1] = {&setting};
    Assay__SetParams change = ASSAY__SET_PARAMS__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    setting.param = param;
    setting.value = value;
    change.n_settings = 1;
    change.settings = settings;
    args.change_case = ASSAY__PROPOSE__CHANGE_SET_PARAMS;
    args.set_params = &change;
    return council_propose(c, org, &args);
}

enum code propose_protocol(struct council *c, unsigned org, uint32_t version, uint64_t height) {
    Assay__SetProtocol change = ASSAY__SET_PROTOCOL__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    change.version = version;
    change.height = height;
    args.change_case = ASSAY__PROPOSE__CHANGE_SET_PROTOCOL;
    args.set_protocol = &change;
    return council_propose(c, org, &args);
}

bool council_set_is(struct council *c, const int *keys, size_t count) {
    uint8_t set[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t have = 0;
    if (governance_validators(&c->w.state, set, &have) != OK || have != count) {
        fprintf(stderr, "%u validators\n", have);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct node_record node;
        bool found = false;
        if (memcmp(set[i], c->public_key[keys[i]], KEY_LEN) != 0 ||
            node_get(&c->w.state, set[i], &node, &found) != OK || !found || node.node.role != NODE_VALIDATOR) {
            fprintf(stderr, "validator %zu differs\n", i);
            return false;
        }
    }
    return true;
}

enum node_role council_role(struct council *c, int key) {
    struct node_record node;
    bool found = false;
    enum err e = node_get(&c->w.state, c->public_key[key], &node, &found);
    return e == OK && found ? node.node.role : (enum node_role)0;
}

enum code council_register(struct council *c, unsigned org, int key, uint32_t role) {
    uint8_t link_key[KEY_LEN];
    Assay__RegisterNode args;
    assay__register_node__init(&args);
    memcpy(link_key, c->public_key[key], KEY_LEN);
    link_key[0] ^= 0xff;
    args.org = council_org(org);
    args.key = council_key(c, key);
    args.link_key = world_bytes(link_key, KEY_LEN);
    args.role = role;
    args.peer = council_text(role == NODE_GATEWAY ? "" : "10.0.0.1:26600");
    args.http = council_text("http://10.0.0.1:26601");
    return council_run(c, "register_node", &args.base, SIGNERS(ADMIN((int)org), key));
}

void vote_sign(const struct council *c, int key, const uint8_t chain_id[CHAIN_ID_LEN], enum vote_kind kind,
               const uint8_t block[HASH_LEN], uint8_t out[SIG_LEN]) {
    struct vote_subject subject = {.epoch = COUNCIL_EPOCH, .view = COUNCIL_VIEW, .kind = kind};
    uint8_t text[VOTE_SIGNED_LEN];
    memcpy(subject.block, block, HASH_LEN);
    vote_signed_bytes(chain_id, &subject, text);
    ed25519_sign(c->secret[key], text, sizeof text, out);
}

void pair_init(struct pair *p, const struct council *c, int key, enum vote_kind kind_a, uint8_t block_a,
               enum vote_kind kind_b, uint8_t block_b) {
    *p = (struct pair){.blocks = {{block_a}, {block_b}}};
    assay__submit_evidence__init(&p->args);
    const enum vote_kind kinds[] = {kind_a, kind_b};
    for (size_t i = 0; i < 2; i++) {
        assay__signed_vote__init(&p->votes[i]);
        vote_sign(c, key, c->w.chain_id, kinds[i], p->blocks[i], p->signatures[i]);
        p->votes[i].kind = kinds[i];
        p->votes[i].block = world_bytes(p->blocks[i], HASH_LEN);
        p->votes[i].signature = world_bytes(p->signatures[i], SIG_LEN);
    }
    p->args.validator = council_key(c, key);
    p->args.epoch = COUNCIL_EPOCH;
    p->args.view = COUNCIL_VIEW;
    p->args.first = &p->votes[0];
    p->args.second = &p->votes[1];
}

enum code submit(struct council *c, const struct pair *p, int by) {
    return council_run(c, "submit_evidence", &p->args.base, SIGNERS(by));
}

enum code convict(struct council *c, int key, int by) {
    struct pair p;
    pair_init(&p, c, key, VOTE_NOTARIZE, 1, VOTE_NOTARIZE, 2);
    return submit(c, &p, by);
}
