#include "tests/lib/chain_fixture.h"
#include "tests/lib/certificate_encode.h"

/* Four validators instead of the world's one; the chain id follows them, and the delegations follow that. */
static void fixture_genesis(struct chain_fixture *f) {
    struct world *w = &f->world;
    struct genesis *g = &w->genesis;
    g->nodes = (struct genesis_node *)realloc(g->nodes, 6 * sizeof *g->nodes);
    g->node_count = 6;
    memset(g->nodes, 0, 6 * sizeof *g->nodes);
    for (size_t i = 0; i < FIXTURE_VALIDATORS; i++) {
        uint8_t seed[ED25519_SEED_LEN] = {0xa0, (uint8_t)i};
        world_node(w, i, VALIDATOR, NODE_VALIDATOR);
        ed25519_from_seed(seed, g->nodes[i].key, f->validator_secrets[i]);
        memset(g->nodes[i].link_key, (int)(0x10 + i), sizeof g->nodes[i].link_key);
    }
    world_node(w, 4, GATEWAY_1, NODE_GATEWAY);
    world_node(w, 5, GATEWAY_2, NODE_GATEWAY);
    g->nodes[4].link_key[0] = 0x20;
    g->nodes[5].link_key[0] = 0x21;
    genesis_chain_id(g, &w->crypto, w->chain_id);
    for (size_t i = 0; i < g->author_count; i++) {
        struct genesis_author *a = &g->authors[i];
        a->delegation_len =
            (uint16_t)world_delegate(w, ACME_ROOT, &a->key, w->vendor_id, w->class_id, UINT64_MAX, a->delegation);
    }
    struct why why = WHY_NONE;
    if (contracts_genesis_check(g, &w->crypto, &why) != OK) {
        fprintf(stderr, "genesis: %s\n", why.text);
        abort();
    }
}

static void fixture_keep(void *ctx) {
    (void)ctx;
}

enum err fixture_try_open(struct chain_fixture *f) {
    const struct chain_config config = {.disk = disk_posix(),
                                        .dir = f->dir,
                                        .backend = {&f->kept_ops, f->memory.ctx},
                                        .genesis = &f->world.genesis,
                                        .crypto = &host_crypto,
                                        .mempool = f->pool,
                                        .segment_bytes = 64 * 1024,
                                        .version_keep_ms = f->version_keep_ms,
                                        .checkpoint_bytes = f->checkpoint_bytes,
                                        .limits = f->limits};
    return chain_open(&config, &f->chain);
}

void fixture_setup(struct chain_fixture *f) {
    memset(f, 0, sizeof *f);
    world_open(&f->world, 1);
    fixture_genesis(f);
    f->version_keep_ms = FIXTURE_KEEP_MS;
    f->checkpoint_bytes = 64 << 20;
    f->view = 1;
    f->time_ms = WORLD_START_MS + 1000;
    const struct mempool_config pool = {.max_count = 4096, .max_bytes = 8 << 20, .max_per_sender = 4096};
    strcpy(f->dir, "/tmp/assay-chain-XXXXXX");
    if (mkdtemp(f->dir) == NULL || mempool_new(&pool, &f->pool) != OK || kv_memory_open(&f->memory) != OK) {
        abort();
    }
    f->kept_ops = *f->memory.ops;
    f->kept_ops.close = fixture_keep;
}

void fixture_open(struct chain_fixture *f) {
    fixture_setup(f);
    enum err e = fixture_try_open(f);
    if (e != OK) {
        fprintf(stderr, "chain_open: %s %s\n", err_name(e), f->chain != NULL ? chain_error(f->chain) : "");
        abort();
    }
}

enum err fixture_reopen(struct chain_fixture *f) {
    chain_close(f->chain);
    f->chain = NULL;
    enum err e = fixture_try_open(f);
    if (e == OK) {
        fixture_sound(f);
    }
    return e;
}

void fixture_wipe_folder(const char *dir) {
    DIR *d = opendir(dir);
    if (d == NULL) {
        return;
    }
    for (const struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d)) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    (void)rmdir(dir);
}

void fixture_close(struct chain_fixture *f) {
    char blocks[80];
    chain_close(f->chain);
    f->memory.ops->close(f->memory.ctx);
    mempool_free(f->pool);
    world_close(&f->world);
    (void)snprintf(blocks, sizeof blocks, "%s/blocks", f->dir);
    fixture_wipe_folder(blocks);
    fixture_wipe_folder(f->dir);
}

void fixture_envelope(struct chain_fixture *f, const char *contract, const char *method,
                      const ProtobufCMessage *message, uint64_t expiry_ms, const int *people, size_t count,
                      struct buffer *out) {
    struct buffer args = BUFFER_INIT;
    const uint8_t(*secrets[16])[ED25519_SECRET_LEN];
    size_t len = protobuf_c_message_get_packed_size(message);
    if (len > 0) {
        protobuf_c_message_pack(message, buffer_extend(&args, len));
    }
    for (size_t i = 0; i < count; i++) {
        secrets[i] = (const uint8_t(*)[ED25519_SECRET_LEN]) & f->world.secret[people[i]];
    }
    struct transaction_draft draft = {.chain_id = f->world.chain_id,
                                      .expiry_ms = expiry_ms,
                                      .contract = contract,
                                      .method = method,
                                      .args = buffer_bytes(&args)};
    store_u64(draft.salt, ++f->tx_number);
    if (transaction_build(&draft, secrets, count, out) != OK) {
        abort();
    }
    buffer_free(&args);
}

void fixture_register(struct chain_fixture *f, uint64_t expiry_ms, struct buffer *out) {
    uint8_t seed[ED25519_SEED_LEN] = {0xd0}, key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN], mac[HASH_LEN];
    store_u64(seed + 8, f->tx_number + 1);
    ed25519_from_seed(seed, key, secret);
    memset(mac, 3, sizeof mac);
    Assay__DeviceRegister args;
    assay__device_register__init(&args);
    args.key_type = AUTHOR_ED25519;
    args.key = world_bytes(key, sizeof key);
    args.class_id = world_bytes(f->world.class_id, UUID_BYTES);
    args.hardware_revision = 2;
    args.running_sequence = 1;
    args.mac_hmac = world_bytes(mac, sizeof mac);
    fixture_envelope(f, "device", "register", &args.base, expiry_ms, PEOPLE_OF(GATEWAY_1), out);
}

void fixture_pool(struct chain_fixture *f, struct bytes envelope, uint8_t out_id[HASH_LEN]) {
    struct transaction tx;
    if (transaction_decode(envelope, &tx, NULL) != OK || mempool_add(f->pool, &tx) != OK) {
        abort();
    }
    if (out_id != NULL) {
        memcpy(out_id, tx.id, HASH_LEN);
    }
}

void fixture_pool_devices(struct chain_fixture *f, size_t count) {
    struct buffer b = BUFFER_INIT;
    for (size_t i = 0; i < count; i++) {
        buffer_reset(&b);
        fixture_register(f, f->time_ms + 60000, &b);
        fixture_pool(f, buffer_bytes(&b), NULL);
    }
    buffer_free(&b);
}

void fixture_certify(struct chain_fixture *f, const uint8_t hash[HASH_LEN], uint64_t view, enum vote_kind kind,
                     size_t signers, struct buffer *out) {
    static uint8_t sigs[FIXTURE_VALIDATORS][SIG_LEN];
    uint8_t message[VOTE_SIGNED_LEN], bitmap[1] = {0}, encoded[CERTIFICATE_MAX];
    struct vote_subject subject = {.epoch = 0, .view = view, .kind = kind};
    memcpy(subject.block, hash, HASH_LEN);
    vote_signed_bytes(f->world.chain_id, &subject, message);
    for (size_t i = 0; i < signers; i++) {
        bitmap[0] |= (uint8_t)(1u << i);
        ed25519_sign(f->validator_secrets[i], message, sizeof message, sigs[i]);
    }
    buffer_reset(out);
    buffer_put(out, encoded,
               certificate_encode(&subject, FIXTURE_VALIDATORS, bitmap, (const uint8_t(*)[SIG_LEN])sigs, encoded));
}

void fixture_build(struct chain_fixture *f, const uint8_t parent[HASH_LEN], uint8_t out_hash[HASH_LEN]) {
    uint8_t from[HASH_LEN];
    memcpy(from, parent, HASH_LEN);
    enum err e = chain_build(f->chain, from, f->view, (uint16_t)(f->view % FIXTURE_VALIDATORS), f->time_ms, out_hash);
    if (e != OK) {
        fprintf(stderr, "chain_build: %s\n", err_name(e));
        abort();
    }
    f->view++;
    f->time_ms += 1000;
}

enum err fixture_finalize(struct chain_fixture *f, const uint8_t hash[HASH_LEN]) {
    struct buffer certificate = BUFFER_INIT;
    const struct block_header *h = chain_header(f->chain, hash);
    fixture_certify(f, hash, h != NULL ? h->view : 0, VOTE_FINALIZE, 3, &certificate);
    enum err e = chain_finalize(f->chain, hash, buffer_bytes(&certificate), NULL, NULL);
    buffer_free(&certificate);
    return e;
}

void fixture_sound(const struct chain_fixture *f) {
    struct why why = WHY_NONE;
    if (!mempool_check(f->pool, &why) || !chain_check(f->chain, true, &why)) {
        fprintf(stderr, "not sound: %s\n", why.text);
        abort();
    }
}

void fixture_block_alone(struct chain_fixture *f, size_t devices) {
    uint8_t hash[HASH_LEN];
    fixture_pool_devices(f, devices);
    fixture_build(f, chain_head(f->chain)->hash, hash);
    if (fixture_finalize(f, hash) != OK) {
        abort();
    }
}

void fixture_block(struct chain_fixture *f, size_t devices) {
    fixture_block_alone(f, devices);
    fixture_sound(f);
}

void fixture_craft(struct chain_fixture *f, const struct bytes *envelopes, size_t count,
                   void (*spoil)(struct block_header *h), struct buffer *out) {
    struct chain *chain = f->chain;
    struct block_header h = {.height = chain->head.header.height + 1, .view = f->view++, .time_ms = f->time_ms};
    uint8_t(*leaves)[SHA256_LEN] = malloc((count + 1) * sizeof *leaves);
    struct transaction *txs = calloc(count + 1, sizeof *txs);
    memcpy(h.chain_id, chain->id, CHAIN_ID_LEN);
    memcpy(h.parent, chain->head.hash, HASH_LEN);
    memcpy(h.validators_hash, chain->epoch.hash, HASH_LEN);
    memcpy(h.next_validators_hash, chain->epoch.hash, HASH_LEN);
    for (size_t i = 0; i < count; i++) {
        merkle_leaf(envelopes[i], leaves[i]);
        if (transaction_decode(envelopes[i], &txs[i], NULL) != OK) {
            abort();
        }
    }
    merkle_root(leaves, count, h.tx_root);
    struct branch branch = {.root = chain->root, .header = chain->head.header};
    struct kv_layer *layer;
    struct kv_view *view;
    struct execution_result result;
    if (chain_open_above(chain, &branch, &layer, &view) != OK) {
        abort();
    }
    struct execution x = chain_execution(chain, view, layer, chain->root, h.height, h.time_ms);
    if (execute_block(&x, txs, count, &result) != OK) {
        abort();
    }
    memcpy(h.state_root, result.root.hash, HASH_LEN);
    memcpy(h.receipts_root, result.receipts_root, HASH_LEN);
    kv_view_close(view);
    kv_layer_unref(layer);
    if (spoil != NULL) {
        spoil(&h);
    }
    buffer_reset(out);
    block_header_encode(&h, buffer_extend(out, BLOCK_HEADER_LEN));
    buffer_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buffer_u32(out, (uint32_t)envelopes[i].len);
        buffer_put(out, envelopes[i].data, envelopes[i].len);
    }
    free(leaves);
    free(txs);
}

enum verdict fixture_judge(const struct chain_fixture *f, struct bytes bundle, struct fixture_proof *out) {
    static uint8_t path[STATE_PATH_STEPS_MAX][33];
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    struct trust trust = {.validators = {(const uint8_t(*)[KEY_LEN])keys, genesis_validators(&f->world.genesis, keys)}};
    memcpy(trust.chain_id, f->world.chain_id, CHAIN_ID_LEN);
    const struct bundle_work work = {.path_memory = path,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = out->value,
                                     .value_capacity = sizeof out->value};
    struct bytes_input from = {bundle};
    struct input in = input_of_bytes(&from);
    return bundle_verify(&host_crypto, &trust, &work, &in, &out->result);
}
