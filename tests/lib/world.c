#include "tests/lib/world.h"

void world_hash_init(struct hash_state *s) {
    sha256_init((struct sha256 *)s);
}

void world_hash_update(struct hash_state *s, const void *data, size_t len) {
    sha256_update((struct sha256 *)s, data, len);
}

void world_hash_final(struct hash_state *s, uint8_t out[HASH_LEN]) {
    sha256_final((struct sha256 *)s, out);
}

ProtobufCBinaryData world_bytes(const void *data, size_t len) {
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

size_t world_delegate(const struct world *w, enum person root, const struct author_key *key,
                      const uint8_t vendor[UUID_BYTES], const uint8_t class[UUID_BYTES], uint64_t last_sequence,
                      uint8_t out[DELEGATION_MAX]) {
    struct delegation d = {.author = *key, .last_sequence = last_sequence, .class_count = 1};
    uint8_t text[TAG_LEN + DELEGATION_MAX];
    memcpy(d.chain_id, w->chain_id, CHAIN_ID_LEN);
    memcpy(d.vendor_id, vendor, UUID_BYTES);
    memcpy(d.classes[0], class, UUID_BYTES);
    size_t len = delegation_encode(&d, out);
    memcpy(text, TAG_DELEGATION, TAG_LEN);
    memcpy(text + TAG_LEN, out, len);
    ed25519_sign(w->secret[root], text, TAG_LEN + len, out + len);
    return len + SIG_LEN;
}

struct author_key world_key(const struct world *w, enum person p) {
    struct author_key key = {.type = AUTHOR_ED25519};
    memcpy(key.key, w->public_key[p], KEY_LEN);
    return key;
}

static void world_org(struct world *w, size_t i, const char *id, enum org_kind kind, enum person a, int b) {
    struct genesis_org *org = &w->genesis.orgs[i];
    strcpy(org->id, id);
    strcpy(org->name, id);
    org->kind = kind;
    memcpy(org->admins[0], w->public_key[a], KEY_LEN);
    org->admin_count = org->admin_threshold = 1;
    if (b != 0) {
        memcpy(org->admins[1], w->public_key[b], KEY_LEN);
        org->admin_count = org->admin_threshold = 2;
    }
}

void world_node(struct world *w, size_t i, enum person p, enum node_role role) {
    struct genesis_node *node = &w->genesis.nodes[i];
    memcpy(node->key, w->public_key[p], KEY_LEN);
    memset(node->link_key, (int)(7 + i), sizeof node->link_key);
    strcpy(node->org, "ops");
    strcpy(node->peer, role == NODE_GATEWAY ? "" : "127.0.0.1:26600");
    node->role = role;
}

static void world_class(struct world *w, size_t i, const char *vendor, const char *org, enum person root,
                        unsigned required) {
    struct genesis_class *c = &w->genesis.classes[i];
    strcpy(c->vendor_domain, vendor);
    strcpy(c->class_name, "thermostat");
    strcpy(c->org, org);
    memcpy(c->root_key, w->public_key[root], KEY_LEN);
    c->min_hardware_revision = 2;
    c->required_signers = (uint8_t)required;
    c->author_count = 4;
    for (size_t j = 0; j < 4; j++) {
        memcpy(c->authors[j], w->public_key[AUTHOR_1 + j], KEY_LEN);
    }
    c->slot_count = 1;
    c->slots[0] = (struct genesis_slot){0, SLOT_SIZE};
}

static void world_device(struct world *w, size_t i, enum person p, const char *vendor) {
    struct genesis_device *d = &w->genesis.devices[i];
    memcpy(d->key, w->public_key[p], KEY_LEN);
    d->key_type = AUTHOR_ED25519;
    strcpy(d->vendor_domain, vendor);
    strcpy(d->class_name, "thermostat");
    d->hardware_revision = 2;
    d->running_sequence = 1;
    memcpy(d->gateway, w->public_key[GATEWAY_1], KEY_LEN);
}

static void world_genesis(struct world *w, unsigned required_signers) {
    struct genesis *g = &w->genesis;
    *g = (struct genesis){.name = "test", .time_ms = WORLD_START_MS, .salt = {9}};
    genesis_params_default(&g->params);
    g->orgs = (struct genesis_org *)calloc(g->org_count = 3, sizeof *g->orgs);
    world_org(w, 0, "acme", ORG_VENDOR, ACME_ADMIN_1, ACME_ADMIN_2);
    world_org(w, 1, "globex", ORG_VENDOR, GLOBEX_ADMIN, 0);
    world_org(w, 2, "ops", ORG_OPERATOR, OPS_ADMIN, 0);
    g->nodes = (struct genesis_node *)calloc(g->node_count = 3, sizeof *g->nodes);
    world_node(w, 0, VALIDATOR, NODE_VALIDATOR);
    world_node(w, 1, GATEWAY_1, NODE_GATEWAY);
    world_node(w, 2, GATEWAY_2, NODE_GATEWAY);
    g->classes = (struct genesis_class *)calloc(g->class_count = 2, sizeof *g->classes);
    world_class(w, 0, "acme.example", "acme", ACME_ROOT, required_signers);
    world_class(w, 1, "globex.example", "globex", GLOBEX_ROOT, 1);
    class_ids("acme.example", "thermostat", w->vendor_id, w->class_id);
    class_ids("globex.example", "thermostat", w->globex_vendor_id, w->globex_class_id);
    genesis_chain_id(g, &w->crypto, w->chain_id);
    g->authors = (struct genesis_author *)calloc(g->author_count = 4, sizeof *g->authors);
    for (size_t i = 0; i < g->author_count; i++) {
        struct genesis_author *a = &g->authors[i];
        a->key = world_key(w, (enum person)(AUTHOR_1 + i));
        strcpy(a->org, "acme");
        a->expires_ms = AUTHOR_1 + i == AUTHOR_SHORT ? WORLD_START_MS + SHORT_LIFE_MS : 0;
        a->delegation_len =
            (uint16_t)world_delegate(w, ACME_ROOT, &a->key, w->vendor_id, w->class_id, UINT64_MAX, a->delegation);
    }
    g->devices = (struct genesis_device *)calloc(g->device_count = 3, sizeof *g->devices);
    world_device(w, 0, DEVICE_1, "acme.example");
    world_device(w, 1, DEVICE_2, "acme.example");
    world_device(w, 2, DEVICE_GLOBEX, "globex.example");
}

void world_open(struct world *w, unsigned required_signers) {
    *w = (struct world){.height = 1, .now_ms = WORLD_START_MS + 1000};
    w->crypto =
        (struct verify_crypto){world_hash_init, world_hash_update, world_hash_final, ed25519_verify, p256_verify};
    w->state = (struct state){&memory_ops, &w->memory};
    for (size_t i = 1; i < PEOPLE; i++) {
        uint8_t seed[ED25519_SEED_LEN] = {(uint8_t)i};
        ed25519_from_seed(seed, w->public_key[i], w->secret[i]);
    }
    struct why why = WHY_NONE;
    world_genesis(w, required_signers);
    if (contracts_genesis_check(&w->genesis, &w->crypto, &why) != OK ||
        contracts_genesis(&w->genesis, &w->crypto, &w->state) != OK) {
        fprintf(stderr, "genesis: %s\n", why.text);
        abort();
    }
}

void world_close(struct world *w) {
    memory_free(&w->memory);
    genesis_free(&w->genesis);
    buffer_free(&w->answer.result);
}

struct call world_call(struct world *w, uint8_t (*signers)[ED25519_KEY_LEN], size_t count) {
    struct call call = {.state = w->state,
                        .crypto = &w->crypto,
                        .chain_id = w->chain_id,
                        .signers = (const uint8_t(*)[ED25519_KEY_LEN])(uintptr_t)signers,
                        .signer_count = count,
                        .height = w->height,
                        .time_ms = w->now_ms};
    memcpy(call.tx_id, w->tx_id, HASH_LEN);
    return call;
}

enum err world_execute(struct world *w, const char *contract, const char *method, struct bytes args, const int *people,
                       size_t count) {
    uint8_t signers[16][ED25519_KEY_LEN];
    for (size_t i = 0; i < count; i++) {
        memcpy(signers[i], w->public_key[people[i]], ED25519_KEY_LEN);
    }
    w->tx_count++;
    sha256(&w->tx_count, sizeof w->tx_count, w->tx_id);
    buffer_reset(&w->answer.result);
    w->answer.code = CODE_OK;
    w->answer.detail[0] = '\0';
    struct memory_state before = memory_clone(&w->memory);
    struct call call = world_call(w, signers, count);
    enum err e = contracts_execute(&call, bytes_str(contract), bytes_str(method), args, &w->answer);
    if (e != OK || w->answer.code != CODE_OK) {
        memory_free(&w->memory);
        w->memory = before;
    } else {
        memory_free(&before);
    }
    return e;
}

enum code world_run(struct world *w, const char *contract, const char *method, const ProtobufCMessage *message,
                    const int *people, size_t count) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = memory_copy("", 0);
    packed = (uint8_t *)realloc(packed, len + 1);
    protobuf_c_message_pack(message, packed);
    enum err e = world_execute(w, contract, method, bytes_of(packed, len), people, count);
    free(packed);
    if (e != OK) {
        fprintf(stderr, "%s.%s: %s\n", contract, method, err_name(e));
        abort();
    }
    return w->answer.code;
}

enum err world_block(struct world *w, uint64_t time_ms) {
    struct due_round round;
    struct due_item item;
    bool found = true;
    w->height++;
    w->now_ms = time_ms;
    memset(w->tx_id, 0, sizeof w->tx_id);
    struct call call = world_call(w, NULL, 0);
    enum err e = contracts_begin_block(&call);
    due_round_begin(&round, time_ms, NULL);
    while (e == OK && found) {
        e = due_round_next(&round, &w->state, &item, &found);
        if (e == OK && found) {
            e = due_work(&call, &item);
        }
    }
    return e;
}

struct bytes world_text(const char *text) {
    return bytes_of((const uint8_t *)text, strlen(text));
}

void draft_init(const struct world *w, struct draft *d, uint64_t sequence) {
    *d = (struct draft){.suit = {.sequence = sequence, .image_size = sizeof d->image}};
    memcpy(d->image, &sequence, sizeof sequence);
    memcpy(d->suit.vendor_id, w->vendor_id, UUID_BYTES);
    memcpy(d->suit.class_id, w->class_id, UUID_BYTES);
    d->suit.component = bytes_of(&d->component, 1);
    d->suit.uri = world_text("https://acme.example/image");
    d->suit.version = world_text("1.2.0");
    sha256(d->image, sizeof d->image, d->suit.image_digest);
    memcpy(d->cid, "\x01\x55\x12\x20", 4);
    memcpy(d->cid + 4, d->suit.image_digest, HASH_LEN);
    memset(d->tree_root, 5, HASH_LEN);
}

void draft_sign(const struct world *w, struct draft *d, const int *people, size_t count) {
    uint8_t unsigned_envelope[4096], text[COSE_SIGNED_MAX];
    size_t len, text_len;
    struct suit_envelope envelope;
    struct suit_new_signature signatures[8];
    if (suit_build_release(&w->crypto, &d->suit, unsigned_envelope, sizeof unsigned_envelope, &len) != GOOD ||
        suit_envelope_parse(bytes_of(unsigned_envelope, len), &envelope) != GOOD) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        signatures[i] = (struct suit_new_signature){.algorithm = COSE_ED25519};
        if (suit_signed_bytes(&envelope, COSE_ED25519, (struct bytes){0}, text, &text_len) != GOOD) {
            abort();
        }
        ed25519_sign(w->secret[people[i]], text, text_len, signatures[i].signature);
    }
    if (suit_attach(&envelope, signatures, count, d->envelope, sizeof d->envelope, &d->envelope_len) != GOOD) {
        abort();
    }
    assay__register_release__init(&d->args);
    d->args.class_id = world_bytes(w->class_id, UUID_BYTES);
    d->args.envelope = world_bytes(d->envelope, d->envelope_len);
    d->args.image_cid = world_bytes(d->cid, CID_BINARY_LEN);
    d->args.image_size = d->suit.image_size;
    d->args.image_digest = world_bytes(d->suit.image_digest, HASH_LEN);
    d->args.image_tree_root = world_bytes(d->tree_root, HASH_LEN);
    d->args.version = (char *)(uintptr_t) "1.2.0";
}

enum code world_register(struct world *w, struct draft *d) {
    return world_run(w, "firmware", "register", &d->args.base, PEOPLE_OF(AUTHOR_1));
}

void world_release(struct world *w, uint64_t n, uint8_t out_id[HASH_LEN]) {
    struct draft d;
    draft_init(w, &d, n);
    draft_sign(w, &d, PEOPLE_OF(AUTHOR_1));
    if (world_register(w, &d) != CODE_OK) {
        fprintf(stderr, "register: %s %s\n", code_name(w->answer.code), w->answer.detail);
        abort();
    }
    Assay__ReleaseResult *r = assay__release_result__unpack(NULL, w->answer.result.len, w->answer.result.data);
    memcpy(out_id, r->release_id.data, HASH_LEN);
    assay__release_result__free_unpacked(r, NULL);
}

enum code world_revoke(struct world *w, const uint8_t id[HASH_LEN]) {
    Assay__RevokeRelease args;
    assay__revoke_release__init(&args);
    args.release_id = world_bytes(id, HASH_LEN);
    args.reason = (char *)(uintptr_t) "bad radio";
    return world_run(w, "firmware", "revoke", &args.base, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2));
}

EVP_PKEY *p256_new(uint8_t out_point[P256_POINT_LEN]) {
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    size_t len = 0;
    if (pair == NULL ||
        EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY, out_point, P256_POINT_LEN, &len) != 1 ||
        len != P256_POINT_LEN) {
        abort();
    }
    return pair;
}

void p256_sign(EVP_PKEY *pair, const void *text, size_t len, uint8_t out[P256_SIG_LEN]) {
    uint8_t der[80];
    size_t der_len = sizeof der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pair) != 1 ||
        EVP_DigestSign(ctx, der, &der_len, (const unsigned char *)text, len) != 1) {
        abort();
    }
    EVP_MD_CTX_free(ctx);
    const unsigned char *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32);
    ECDSA_SIG_free(sig);
}
