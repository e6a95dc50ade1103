#include "node/snapshot/snapshot_install.h"

#include "node/host/host_crypto.h"
#include "node/ledger/chain_install.h"
#include "node/snapshot/snapshot_bodies.h"
#include "store/disk_files.h"

#include <stdio.h>
#include <string.h>

struct install {
    const struct snapshot_install_config *config;
    struct chain_install *store;
    struct bytes finalization; /* of the snapshot's block; may be empty */
    bool pin_seen, pin_wrong;
};

static void meet_pin(struct install *in, uint64_t height, const uint8_t hash[HASH_LEN]) {
    const struct checkpoint_pin *pin = in->config->pin;
    if (pin != NULL && pin->height == height) {
        bool same = memcmp(pin->hash, hash, HASH_LEN) == 0;
        in->pin_seen = in->pin_seen || same;
        in->pin_wrong = in->pin_wrong || !same;
    }
}

static enum err put_epoch(void *arg, const struct snapshot_epoch *epoch) {
    struct install *in = arg;
    struct block_header closing;
    uint8_t hash[HASH_LEN];
    if (block_header_decode(epoch->closing.data, &closing) != GOOD) {
        return ERR_MALFORMED;
    }
    block_header_hash(&host_crypto, epoch->closing.data, hash);
    meet_pin(in, closing.height, hash);
    return chain_install_epoch(in->store, epoch->number, epoch->closing, epoch->finalization, epoch->set);
}

static enum err put_leaf(void *arg, const struct snapshot_leaf *leaf) {
    const struct install *in = arg;
    return chain_install_leaf(in->store, leaf->key, leaf->value, leaf->hashed, leaf->value_hash);
}

static enum err put_block(void *arg, const struct block *block, const struct bytes *receipts) {
    struct install *in = arg;
    bool last = block->header.height == in->config->manifest->height;
    meet_pin(in, block->header.height, block->hash);
    return chain_install_block(in->store, block, receipts, last ? in->finalization : bytes_of(NULL, 0));
}

/* One chunk from its file into the store; a damaged one is removed, so that it is fetched again. */
static enum err put_chunk(struct install *in, uint32_t chunk) {
    const struct snapshot_manifest *manifest = in->config->manifest;
    char path[DISK_PATH_MAX];
    struct buffer bytes = BUFFER_INIT;
    int n = snprintf(path, sizeof path, "%s/chunks/%u", in->config->dir, chunk);
    enum err e = n > 0 && (size_t)n < sizeof path ? disk_read_file(&in->config->disk, path, SNAPSHOT_CHUNK_MAX, &bytes)
                                                  : ERR_TOOLARGE;
    if (e == OK && snapshot_chunk_is_state(manifest, chunk)) {
        e = snapshot_chunk_read(&host_crypto, manifest, chunk, buffer_bytes(&bytes), put_leaf, in);
    } else if (e == OK) {
        uint32_t index = chunk - (UINT32_C(1) << manifest->bits);
        e = snapshot_bodies_read(manifest, index, buffer_bytes(&bytes), put_block, in);
    }
    if (e == ERR_MISMATCH || e == ERR_NOTFOUND) {
        (void)in->config->disk.ops->remove(in->config->disk.ctx, path);
        e = ERR_CORRUPT;
    }
    buffer_free(&bytes);
    return e == OK ? chain_install_flush(in->store) : e;
}

static enum err put_chunks(struct install *in) {
    const struct snapshot_manifest *manifest = in->config->manifest;
    uint32_t count = snapshot_chunk_count(manifest);
    enum err e = OK;
    for (uint32_t i = 0; i < count && e == OK; i++) {
        if (in->config->progress != NULL && !in->config->progress(in->config->arg, i, count)) {
            return ERR_CLOSED;
        }
        if (snapshot_chunk_bytes(manifest, i) > 0) {
            e = put_chunk(in, i);
        }
    }
    return e;
}

static enum err sync_folders(const struct disk *disk, const char *store) {
    static const char *const names[] = {"/state", "/blocks", ""};
    enum err e = OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && e == OK; i++) {
        char path[DISK_PATH_MAX];
        int n = snprintf(path, sizeof path, "%s%s", store, names[i]);
        e = n > 0 && (size_t)n < sizeof path ? disk->ops->sync_dir(disk->ctx, path) : ERR_TOOLARGE;
    }
    return e;
}

/* The folder of an earlier try goes; whatever was built there was not whole. */
static enum err begin(struct install *in, const char *store) {
    const struct snapshot_install_config *config = in->config;
    char state[DISK_PATH_MAX];
    int n = snprintf(state, sizeof state, "%s/state", store);
    enum err e = n > 0 && (size_t)n < sizeof state ? disk_remove_all(&config->disk, store) : ERR_TOOLARGE;
    if (e == OK) {
        e = disk_make_folder(&config->disk, state);
    }
    const struct chain_install_config chain = {.disk = config->disk,
                                               .dir = store,
                                               .genesis = config->genesis,
                                               .crypto = &host_crypto,
                                               .state = config->state,
                                               .segment_bytes = config->segment_bytes,
                                               .first = config->manifest->bodies[0].first,
                                               .height = config->manifest->height};
    return e == OK ? chain_install_begin(&chain, &in->store) : e;
}

enum err snapshot_install(const struct snapshot_install_config *config, struct why *why) {
    struct install in = {.config = config};
    char store[DISK_PATH_MAX];
    struct block_header header;
    struct bytes finalization;
    int n = snprintf(store, sizeof store, "%s/store", config->dir);
    enum err e = n > 0 && (size_t)n < sizeof store ? begin(&in, store) : ERR_TOOLARGE;
    if (e == OK) {
        e = snapshot_epochs(config->manifest, put_epoch, &in, &header, &finalization);
    }
    if (e == OK) {
        in.finalization = finalization;
        e = put_chunks(&in);
    }
    if (e == OK && config->pin != NULL && (in.pin_wrong || !in.pin_seen)) {
        why_set(why, "the chain that is offered has another block at the checkpoint's height %llu",
                (unsigned long long)config->pin->height);
        e = ERR_INVALID;
    }
    if (e == OK) {
        e = chain_install_finish(in.store, config->header);
        if (e == ERR_MISMATCH) {
            why_set(why, "the tree built from the snapshot at %llu has another root than its block",
                    (unsigned long long)config->manifest->height);
            e = ERR_DIVERGED;
        }
    }
    chain_install_free(in.store);
    return e == OK ? sync_folders(&config->disk, store) : e;
}
